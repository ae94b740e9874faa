"""A host with or without a port, as the header Host has it (RFC 9110 section 7.2), and its spellings."""

import re
from collections.abc import Iterable
from typing import Final

from gateway.core.errors import BadHttp

_AUTHORITY: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]*))?", re.ASCII)


def authorities(hosts: Iterable[str], port: int) -> Iterable[str]:
    """Every spelling of Host that is accepted: an entry without a port stands for ours and for none."""
    for host in hosts:
        name, own_port = _split(host.strip().lower())
        if name and own_port:
            yield f"{name}:{own_port}"
        elif name:
            yield from (name, f"{name}:{port}")


def normal_authority(text: str) -> str:
    """In lower case, without a trailing dot or an empty port.

    Raises:
        BadHttp: no host name with or without a port; a repeated Host, joined by a comma, is none either.
    """
    name, port = _split(text.lower())
    if not name:
        raise BadHttp("The Host header is malformed or there is more than one.")
    return f"{name}:{port}" if port else name


def _split(authority: str) -> tuple[str, str]:
    """The name and the port, each empty where there is none."""
    match = _AUTHORITY.fullmatch(authority)
    return (match["name"].removesuffix("."), match["port"] or "") if match else ("", "")
