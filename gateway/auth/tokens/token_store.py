"""The gateway's own token file.

It is small, private and written rarely, and other processes and editors may touch it at any time. So every change is
made under a lock that all processes share, on what the file says then; a write replaces the file in one step, and
whoever is killed midway leaves the old one. A copy beside it, of the same state and not of the one before (whose
refresh tokens may be spent), stands in for a file that someone else has broken. It knows no provider and no network;
who needs a token, and which one is best, is the AuthManager's business.

    {"version": 1, "credentials": {"gemini": {"accessToken": "...", "refreshToken": "...", "expiresAt": 1767225600}}}
"""

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.auth.tokens.file_lock import FileLock
from gateway.auth.tokens.token import PolledFile, Token, read_token, write_token
from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, as_object, dumps

VERSION: Final = 1
REPLACE_TRIES: Final = 10
"""On Windows a file cannot be replaced while a virus scanner or a reader has it open: for milliseconds, mostly."""
REPLACE_WAIT: Final = 0.02
"""Seconds after the first failed try; each further wait is as much longer, 0.9 seconds in all."""
LOCK_SECONDS: Final = 35.0
"""How long a change waits for its turn: a renewal holds the lock while it asks, 30 seconds at most, and then writes."""

Edit = Callable[[JsonObject], bool]


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


class HeldStore:
    """The store in the hands of the only one who may change it now. For the body of `TokenStore.exclusive`."""

    def __init__(self, read: Callable[[], Mapping[str, Token]], change: Callable[[Edit], bool]) -> None:
        self._read = read
        self._change = change

    def get(self, name: str) -> Token | None:
        """The token of that credential, read from the file anew."""
        return self._read().get(name)

    def put(self, name: str, token: Token) -> None:
        """As `TokenStore.put`."""

        def keep(credentials: JsonObject) -> bool:
            credentials[name] = write_token(token)
            return True

        self._change(keep)

    def remove(self, name: str) -> bool:
        """As `TokenStore.remove`."""

        def forget(credentials: JsonObject) -> bool:
            there = name in credentials
            credentials.pop(name, None)
            return there

        return self._change(forget)


class TokenStore:
    """The gateway's own token file. Safe to use from many threads and processes; readers never wait for a writer.

    Args:
        path: the file; it and its folder come into being at the first write, private to the user. Beside it stand
            `<path>.lock`, `<path>.bak` and what was found broken, `<path>.corrupt-<time>`.
        clock: for waits and for the name of a file that is kept aside.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._file = PolledFile(path, _parse_store, clock)
        self._stored = _Stored()
        self._known = False  # whether that was ever read
        self._restored = False  # whether it is from the copy
        self._lock = threading.Lock()  # over all these
        self._changing = FileLock(_beside(_target(path), "lock"), clock)
        self._held = HeldStore(self._reread, self._change)
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
                instead = f"; {_beside(self.path, 'bak').name} is used" if self._restored else ""
                return self._file.problem and self._file.problem + instead
            if len(self._stored.tokens) < len(self._stored.credentials):
                return f"{self.path.name} has an entry without a usable accessToken"
        if _others_may_read(self.path):
            return f"{self.path.name} can be read by other users of this machine until the next write or a chmod 600"
        return None

    @contextmanager
    def exclusive(self, timeout: float = LOCK_SECONDS) -> Iterator[HeldStore]:
        """Keep everyone else, in this process and in others, from changing the file for the body of a `with`.

        Args:
            timeout: seconds to wait for that; 0 to try once.

        Raises:
            LockBusy: someone else has it, and did not let go in time.
            OSError: no lock can be had here.
        """
        with self._changing.held(timeout):
            yield self._held

    def put(self, name: str, token: Token) -> None:
        """Keep a token; the other credentials, and all fields that are not ours, stay as the file has them.

        Raises:
            OSError: the file cannot be locked, read or written; it is as it was then.
        """
        with self.exclusive() as held:
            held.put(name, token)

    def remove(self, name: str) -> bool:
        """Forget a credential; False where there was none.

        Raises:
            OSError: as for `put`.
        """
        with self.exclusive() as held:
            return held.remove(name)

    def _reread(self) -> Mapping[str, Token]:
        with self._lock:
            self._file.forget()
            self._refresh()
            return self._stored.tokens

    def _refresh(self) -> None:
        stored = self._file.poll()
        self._restored = self._restored and stored is None
        if self._file.missing:
            stored = _Stored()  # it was deleted, and what it held with it
        elif not self._known and isinstance(self._file.fault, JsonFault):
            stored = PolledFile(_beside(_target(self.path), "bak"), _parse_store, self._clock).poll()
            self._restored = stored is not None
        if stored is not None:
            self._stored, self._known = stored, True

    def _change(self, edit: Edit) -> bool:
        """Let `edit` change the credentials that the file has now, and write them if it says so. Under the lock."""
        with self._lock:
            self._file.forget()
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
            self._stored, self._known = _parse_store(document), True
            self._file.forget()
        return True

    def _write(self, content: bytes, *, corrupt: bool) -> None:
        target = _target(self.path)  # a link stays a link
        if corrupt:
            self._keep_aside(target)
        self._put_file(target, content)
        try:
            self._put_file(_beside(target, "bak"), content)
        except OSError:  # the file itself is written; no copy is better than one with tokens that were taken out
            with suppress(OSError):
                _beside(target, "bak").unlink(missing_ok=True)

    def _keep_aside(self, target: Path) -> None:
        """What could not be read is not ours to destroy: someone may still want to pick a token out of it."""
        when = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        self._put_file(_beside(target, f"corrupt-{when}"), target.read_bytes())

    def _put_file(self, target: Path, content: bytes) -> None:
        """Put a file there in one step, readable by the user only, and on the disk when this returns."""
        temporary = _beside(_target(self.path), "tmp")
        temporary.unlink(missing_ok=True)  # of someone who was killed: we have the lock, so it is nobody's
        try:
            _write_new(temporary, content)
            self._replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def _replace(self, source: Path, target: Path) -> None:
        for tried in range(1, REPLACE_TRIES):
            try:
                return os.replace(source, target)
            except PermissionError:
                with self._pause:
                    self._clock.wait(self._pause, REPLACE_WAIT * tried)
        return os.replace(source, target)


def _target(path: Path) -> Path:
    """The file itself, where the path is a link."""
    return Path(os.path.realpath(path))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _write_new(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
