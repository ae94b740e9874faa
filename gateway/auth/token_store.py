"""Tokens on disk: the gateway's own file, and the reading that files of other tools share with it.

The file is small, private and written rarely, and other processes and editors may touch it at any time. So a read
takes the file whole or not at all, and a write replaces it in one step: whoever is killed midway leaves the old file.
It knows no provider and no network; who needs a token, and which one is best, is the AuthManager's business.

    {"version": 1, "credentials": {"gemini": {"accessToken": "...", "refreshToken": "...", "expiresAt": 1767225600}}}
"""

import errno
import os
import re
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, as_object, dumps, loads
from gateway.core.secrets import Secret

MAX_FILE: Final = 1 << 20
"""Bytes. A token file has a few KB; what is larger is something else."""
VERSION: Final = 1
REPLACE_TRIES: Final = 10
"""On Windows a file cannot be replaced while a virus scanner or a reader has it open: for milliseconds, mostly."""
REPLACE_WAIT: Final = 0.02
"""Seconds after the first failed try; each further wait is as much longer, 0.9 seconds in all."""

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
            signature = (found.st_mtime_ns, found.st_size, found.st_ino)
            if signature == self._seen:
                return None
            self._seen = None
            value = self._parse(loads(self._content(found.st_mode)))
        except (OSError, JsonFault) as fault:
            self._seen = None
            self.missing = isinstance(fault, FileNotFoundError)
            self.fault = None if self.missing else fault
            return None
        self.fault = None
        if abs(self._clock.wall() - found.st_mtime) > _SETTLED:  # else a second write could bear the same time
            self._seen = signature
        return value

    def forget(self) -> None:
        """Read it at the next poll, whatever it looks like."""
        self._seen = None

    def _content(self, mode: int) -> bytes:
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")  # opening a pipe would wait for its writer
        with open(self.path, "rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise JsonFault(f"it is over {MAX_FILE} bytes")
        return content

    @property
    def problem(self) -> str | None:
        """The fault for people: the file's name and the reason, nothing of its content."""
        if self.fault is None:
            return None
        reason = self.fault.strerror if isinstance(self.fault, OSError) else self.fault
        return f"{self.path.name} cannot be used: {reason}"


@dataclass(frozen=True, slots=True)
class _Stored:
    """The file as it is, and the tokens in it."""

    document: JsonObject = field(default_factory=dict, repr=False)
    tokens: Mapping[str, Token] = field(default_factory=dict)

    @property
    def credentials(self) -> JsonObject:
        return as_object(self.document.get("credentials", {}))


def _parse_store(value: JsonValue) -> _Stored:
    document = as_object(value)
    if document.get("version", VERSION) != VERSION:
        raise JsonFault(f"its version is not {VERSION}")
    entries = as_object(document.get("credentials", {}))
    tokens = {name: token for name, entry in entries.items() if (token := read_token(entry))}
    return _Stored(document, tokens)


class TokenStore:
    """The gateway's own token file. Safe to use from many threads; readers never wait for a writer's disk.

    Args:
        path: the file; it and its folder come into being at the first write, private to the user.
        clock: for waits and for the name of a file that is moved aside.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._file = PolledFile(path, _parse_store, clock)
        self._stored = _Stored()
        self._lock = threading.Lock()  # over the two above
        self._writing = threading.Lock()  # one writer at a time, from its read to its replace
        self._pause = threading.Condition()

    def get(self, name: str) -> Token | None:
        """The token of that credential, as the file has it now; as it was last known while the file is unusable."""
        with self._lock:
            self._refresh()
            return self._stored.tokens.get(name)

    @property
    def problem(self) -> str | None:
        """What is wrong with the file, for people, without its content; None where all is well."""
        with self._lock:
            self._refresh()
            if self._file.fault or self._file.missing:
                return self._file.problem
            if len(self._stored.tokens) < len(self._stored.credentials):
                return f"{self.path.name} has an entry without a usable accessToken"
        if _others_may_read(self.path):
            return f"{self.path.name} can be read by other users of this machine until the next write or a chmod 600"
        return None

    def put(self, name: str, token: Token) -> None:
        """Keep a token; the other credentials, and all fields that are not ours, stay as the file has them.

        Raises:
            OSError: the file cannot be read or written; it is as it was then.
        """

        def keep(credentials: JsonObject) -> bool:
            credentials[name] = write_token(token)
            return True

        self._change(keep)

    def remove(self, name: str) -> bool:
        """Forget a credential; False where there was none.

        Raises:
            OSError: as for `put`.
        """

        def forget(credentials: JsonObject) -> bool:
            there = name in credentials
            credentials.pop(name, None)
            return there

        return self._change(forget)

    def _refresh(self) -> None:
        stored = self._file.poll()
        if self._file.missing:
            stored = _Stored()
        if stored is not None:
            self._stored = stored

    def _change(self, edit: Callable[[JsonObject], bool]) -> bool:
        """Let `edit` change the credentials that the file has now, and write them if it says so."""
        with self._writing:
            with self._lock:
                self._refresh()
                stored, fault = self._stored, self._file.fault
            if isinstance(fault, OSError):
                raise fault  # there may be tokens in it that we have never seen
            credentials = dict(stored.credentials)
            if not edit(credentials):
                return False
            document: JsonObject = {**stored.document, "version": VERSION, "credentials": credentials}
            self._write(dumps(document), corrupt=fault is not None)
            with self._lock:
                self._stored = _parse_store(document)
                self._file.forget()
            return True

    def _write(self, content: bytes, *, corrupt: bool) -> None:
        target = Path(os.path.realpath(self.path))  # a link stays a link
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = _write_beside(target, content)
        try:
            if corrupt:
                with self._lock:  # between the two steps there is no file, and no reader is to see that
                    self._move_aside(target)
                    self._replace(temporary, target)
            else:
                self._replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def _move_aside(self, target: Path) -> None:
        """What could not be read is not ours to destroy: someone may still want to pick a token out of it."""
        when = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        with suppress(OSError):
            target.chmod(0o600)
        self._replace(target, target.with_name(f"{target.name}.corrupt-{when}"))

    def _replace(self, source: Path, target: Path) -> None:
        for tried in range(1, REPLACE_TRIES):
            try:
                return os.replace(source, target)
            except PermissionError:
                with self._pause:
                    self._clock.wait(self._pause, REPLACE_WAIT * tried)
        return os.replace(source, target)


def _write_beside(target: Path, content: bytes) -> Path:
    """A file in the target's folder, readable by the user only, whose content is on the disk when this returns."""
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too (POSIX; Windows has no such call). Some network file systems refuse it."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _others_may_read(path: Path) -> bool:
    if sys.platform == "win32":  # the mode says nothing there; the profile folder's access list protects the file
        return False
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


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
