"""The heads that the gateway sends: of requests to providers, and of responses to callers. Values in, bytes out, no
socket.

Every part is checked before it is written, because a line ending in a value would begin another field, and a framing
field set by a configuration would move the end of the body. Source: RFC 9112 sections 3 and 5, RFC 9110 section 5.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from gateway.http1.response_body import ProtocolError

_TARGET: Final = re.compile(r"[!-\"$-~]+")  # a fragment is not sent
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_VALUE: Final = re.compile(r"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

PHRASES: Final = {each.value: f"{each.value} {each.phrase}" for each in HTTPStatus}
WITHOUT_BODY: Final = ("204", "304")
"""Statuses whose replies have neither body nor length (RFC 9112 section 6.3)."""


class HeadWriter:
    """The heads of the POST requests to one host.

    Args:
        host: for the field Host: the name, and the port if it is not the scheme's own.
        fields: what every request has.

    Raises:
        ProtocolError: one of them cannot stand in a head.
    """

    def __init__(self, host: str, fields: Mapping[str, str]) -> None:
        self._taken = _FRAMING
        if not _TARGET.fullmatch(host):
            raise ProtocolError("its host has characters that cannot be sent")
        every = _lines({"Host": host}, frozenset()) + _lines(fields, self._taken)
        self._start = f" HTTP/1.1\r\n{every}"
        self._taken |= {name.lower() for name in fields}
        self._latest: tuple[str, Mapping[str, str], str] | None = None

    def render(self, target: str, fields: Mapping[str, str], length: int) -> bytes:
        """The head, in this order: Host, what every request has, `fields`, the length.

        Args:
            target: path and query, beginning with `/`.
            fields: what this request has besides.
            length: bytes of the body.

        Raises:
            ProtocolError: a part cannot stand in a head, or a field is set twice or decides on framing.
        """
        return f"{self._before_length(target, fields)}Content-Length: {length}\r\n\r\n".encode("latin-1")

    def _before_length(self, target: str, fields: Mapping[str, str]) -> str:
        """The latest one is kept (3 us a call): the next request mostly differs in nothing but its length."""
        if (latest := self._latest) is not None and latest[0] == target and latest[1] == fields:
            return latest[2]
        if not _TARGET.fullmatch(target):
            raise ProtocolError("its address has characters that cannot be sent")
        before = f"POST {target}{self._start}{_lines(fields, self._taken)}"
        self._latest = target, dict(fields), before
        return before


def _lines(fields: Mapping[str, str], taken: frozenset[str]) -> str:
    lines = ""
    for name, value in fields.items():
        if name.lower() in taken or not _NAME.fullmatch(name):
            raise ProtocolError("a header of its request cannot be set so")
        if not _VALUE.fullmatch(value):
            raise ProtocolError("a header of its request has characters that cannot be sent")
        lines += f"{name}: {value}\r\n"
    return lines


def response_head(version: str, status: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """The head of a response.

    Args:
        version: `1.0` or `1.1`.
        status: the number and its phrase.
        fields: in this order.

    Raises:
        ValueError: one of them holds a line ending, or what latin-1 does not have.
    """
    head = f"HTTP/{version} {status}\r\n" + "".join([f"{name}: {value}\r\n" for name, value in fields])
    if not head.count("\r") == head.count("\n") == len(fields) + 1:
        raise ValueError("a line ending in a header")
    return (head + "\r\n").encode("latin-1")


@lru_cache(maxsize=256)
def spelled(name: str) -> str:
    """A field's name as HTTP/1.1 writes it; names come from us and, checked, from providers."""
    return "-".join(part.capitalize() for part in name.split("-"))
