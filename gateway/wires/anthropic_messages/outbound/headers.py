"""The headers of a request that belong to the wire: the API's version and the beta features.

Source: https://platform.claude.com/docs/en/api/versioning and https://platform.claude.com/docs/en/api/beta-headers
(2026-11).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Prompt
from gateway.core.source import Source
from gateway.wires.anthropic_messages import VENDOR

VERSION: Final = "anthropic-version"
BETA: Final = "anthropic-beta"
STABLE: Final = "2023-06-01"
"""The version of the API that this wire is written for."""
MOST: Final = 64
"""Beta features of one request. Claude Code names eight."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FIELD: Final = f"extra_body.{VENDOR}.betas"


def of_source(source: Source) -> Mapping[str, str]:
    """The headers of a caller of this wire: its version, and its beta features as far as they are tokens."""
    version = source.headers.get(VERSION, "").strip()
    given = (one.strip() for one in source.headers.get(BETA, "").split(","))
    return _headers(version if _DATE.fullmatch(version) else STABLE, given)


def of_prompt(prompt: Prompt) -> Mapping[str, str]:
    """The headers for a caller of another wire, who may name beta features in `extra_body`.

    Raises:
        InvalidRequest: `betas` is no array of names.
    """
    ours = prompt.extra.get(VENDOR)
    value = ours.get("betas") if isinstance(ours, dict) else None
    names = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    if value is not None and (value != names or not all(map(_TOKEN.fullmatch, names))):
        raise InvalidRequest(f"{_FIELD} must be an array of names of beta features.", param=_FIELD)
    return _headers(STABLE, names)


def _headers(version: str, betas: Iterable[str]) -> Mapping[str, str]:
    tokens = list(dict.fromkeys(one for one in betas if _TOKEN.fullmatch(one)))[:MOST]
    return {VERSION: version, **({BETA: ",".join(tokens)} if tokens else {})}
