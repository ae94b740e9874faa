"""The gateway's own token file.

It is small, private and written rarely, and other processes and editors may touch it at any time. So a write replaces
it in one step, and whoever is killed midway leaves the old file. It knows no provider and no network; who needs a
token, and which one is best, is the AuthManager's business.

    {"version": 1, "credentials": {"gemini": {"accessToken": "...", "refreshToken": "...", "expiresAt": 1767225600}}}
"""

import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.auth.token_file import PolledFile, Token, read_token, write_token
from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, as_object, dumps

VERSION: Final = 1
REPLACE_TRIES: Final = 10
"""On Windows a file cannot be replaced while a virus scanner or a reader has it open: for milliseconds, mostly."""
REPLACE_WAIT: Final = 0.02
"""Seconds after the first failed try; each further wait is as much longer, 0.9 seconds in all."""


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
