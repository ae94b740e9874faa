"""A token and its entry in a token file, as values.

Every part of auth/ passes tokens around, so the type is at the bottom of the folder. It knows no file, no provider and
no clock.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonObject, JsonValue

_ACCESS: Final = ("accessToken", "access_token")
_REFRESH: Final = ("refreshToken", "refresh_token")
_EXPIRY: Final = ("expiresAt", "expires_at", "expiry_date")
_KNOWN: Final = frozenset((*_ACCESS, *_REFRESH, *_EXPIRY))
_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e]+")
_MILLISECONDS: Final = 1e11  # read as seconds, this is the year 5138
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class Token:
    """The result of a login.

    `expires_at` is in seconds since the epoch, None where the expiry is unknown. `extra` keeps the fields that the
    gateway does not interpret. They stay in the file, and they are left out of the repr because they may be secret too.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    expires_at: float | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


def read_token(value: JsonValue) -> Token | None:
    """Read one entry of a token file. Its keys may be in camelCase or snake_case.

    Returns:
        None where there is no token, or one that cannot stand in an HTTP header (spaces, line ends, letters beyond
        ASCII).
    """
    if not isinstance(value, dict):
        return None
    access = _secret(_first(value, _ACCESS))
    if access is None:
        return None
    extra = {name: kept for name, kept in value.items() if name not in _KNOWN}
    return Token(access, _secret(_first(value, _REFRESH)), _seconds(_first(value, _EXPIRY)), extra)


def write_token(token: Token) -> JsonObject:
    """The token's entry in the gateway's own file."""
    entry: JsonObject = {**token.extra, "accessToken": token.access_token.reveal()}
    if token.refresh_token is not None:
        entry["refreshToken"] = token.refresh_token.reveal()
    if token.expires_at is not None:
        entry["expiresAt"] = token.expires_at
    return entry


def _first(entry: JsonObject, names: tuple[str, ...]) -> JsonValue:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _secret(value: JsonValue) -> Secret | None:
    if isinstance(value, str) and _HEADER_TEXT.fullmatch(text := value.strip()):
        return Secret(text)
    return None


def _seconds(value: JsonValue) -> float | None:
    """Seconds since the epoch, from seconds, milliseconds or ISO 8601 (UTC where no zone is given)."""
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            return None
        value = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    seconds = value / 1000 if value > _MILLISECONDS else value
    return float(seconds) if 0 <= seconds <= _LAST_SECOND else None
