"""A token in a file: what one looks like, in our own file and in other tools', and how such a file is read.

Reading is by polling and takes a file whole or not at all: others write in place, so a file that is empty or half
written is "not yet", never "gone".
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, loads
from gateway.core.secrets import Secret

MAX_FILE: Final = 1 << 20
"""Bytes. A token file has a few KB; what is larger is something else."""

_ACCESS: Final = ("accessToken", "access_token")
_REFRESH: Final = ("refreshToken", "refresh_token")
_EXPIRY: Final = ("expiresAt", "expires_at", "expiry_date")
_KNOWN: Final = frozenset((*_ACCESS, *_REFRESH, *_EXPIRY))
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
_MILLISECONDS: Final = 1e11  # as seconds that is the year 5138
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_SETTLED: Final = 2.0  # seconds: the coarsest file times in use (FAT)

T = TypeVar("T")
Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gave.

    `expires_at` is in seconds since the epoch, None where it was not told. `extra` has the fields that are not ours
    to understand; they stay in the file, and out of the repr because they may be secret too.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    expires_at: float | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


def read_token(value: JsonValue) -> Token | None:
    """A token from one entry of a token file, with keys in camelCase or snake_case; None where there is none.

    A token that could not stand in an HTTP header (spaces, line ends, letters beyond ASCII) is none.
    """
    if not isinstance(value, dict):
        return None
    access = _secret(_first(value, _ACCESS))
    if access is None:
        return None
    extra = {name: kept for name, kept in value.items() if name not in _KNOWN}
    return Token(access, _secret(_first(value, _REFRESH)), _seconds(_first(value, _EXPIRY)), extra)


def write_token(token: Token) -> JsonObject:
    """The entry for the gateway's own file."""
    entry: JsonObject = {**token.extra, "accessToken": token.access_token.reveal()}
    if token.refresh_token is not None:
        entry["refreshToken"] = token.refresh_token.reveal()
    if token.expires_at is not None:
        entry["expiresAt"] = token.expires_at
    return entry


def signature_of(found: os.stat_result) -> Signature:
    """What tells a file from what it was, without reading it."""
    return found.st_mtime_ns, found.st_size, found.st_ino


def has_settled(found: os.stat_result, now: float) -> bool:
    """Whether a further write would bear another time than the last one; `now` in wall seconds."""
    return abs(now - found.st_mtime) > _SETTLED


def read_whole(path: Path, found: os.stat_result) -> bytes:
    """The content of a token file.

    Raises:
        OSError: it cannot be read, or is no regular file: opening a pipe would wait for its writer.
        JsonFault: it is larger than any token file.
    """
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    with open(path, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise JsonFault(f"it is over {MAX_FILE} bytes")
    return content


class PolledFile(Generic[T]):
    """A JSON file that others may write at any time, also in place: read when it has changed, whole or not at all.

    Args:
        path: the file.
        parse: makes a T of its JSON; raises JsonFault, whose message quotes no content.
        clock: to tell a file that has just been written.

    Attributes:
        missing: there is no such file.
        fault: why it cannot be used; None where it can, or is missing.
    """

    def __init__(self, path: Path, parse: Callable[[JsonValue], T], clock: Clock) -> None:
        self.path = path
        self.missing = False
        self.fault: OSError | JsonFault | None = None
        self._parse = parse
        self._clock = clock
        self._seen: Signature | None = None

    def poll(self) -> T | None:
        """What it says, if that may be new; None where it is as it was, missing, or not to be used (yet)."""
        try:
            found = os.stat(self.path)
            self.missing = False
            signature = signature_of(found)
            if signature == self._seen:
                return None
            self._seen = None
            value = self._parse(loads(read_whole(self.path, found)))
        except (OSError, JsonFault) as fault:
            self._seen = None
            self.missing = isinstance(fault, FileNotFoundError)
            self.fault = None if self.missing else fault
            return None
        self.fault = None
        self._seen = signature if has_settled(found, self._clock.wall()) else None
        return value

    def forget(self) -> None:
        """Read it at the next poll, whatever it looks like."""
        self._seen = None

    @property
    def problem(self) -> str | None:
        """The fault for people: the file's name and the reason, nothing of its content."""
        if self.fault is None:
            return None
        reason = self.fault.strerror if isinstance(self.fault, OSError) else self.fault
        return f"{self.path.name} cannot be used: {reason}"


def _first(entry: JsonObject, names: tuple[str, ...]) -> JsonValue:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _secret(value: JsonValue) -> Secret | None:
    if isinstance(value, str) and _SENDABLE.fullmatch(text := value.strip()):
        return Secret(text)
    return None


def _seconds(value: JsonValue) -> float | None:
    """Seconds since the epoch, from seconds, milliseconds or ISO 8601 (UTC unless it says otherwise)."""
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
