"""The gateway's own token file.

The file is small, private and rarely written, and other processes and editors may change it at any time. A change
therefore takes a lock that all processes share, reads the file again, and replaces it in one step; a process that is
killed midway leaves the old file. A copy beside it replaces a file that another program has broken. The copy has the
same state and not the one before, whose refresh tokens may be spent. The store knows no provider and no network: the
AuthManager chooses which token a call uses.

    {"version": 1, "credentials": {"gemini": {"accessToken": "...", "refreshToken": "...", "expiresAt": 1767225600}}}
"""

import logging
import os
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.auth.tokens.file_lock import FileLock, LockBusy
from gateway.auth.tokens.file_writer import CannotReplace, FileWriter
from gateway.auth.tokens.held_store import Edit, HeldStore
from gateway.auth.tokens.polled_file import PolledFile
from gateway.auth.tokens.token import Token, read_token
from gateway.core.clock import Clock
from gateway.core.records import is_account
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, dumps

VERSION: Final = 1
LOCK_SECONDS: Final = 35.0
"""Seconds that a change waits for the lock. A renewal holds it for its request, 30 seconds at most, and for a write."""

_LOGGER: Final = logging.getLogger("gateway.auth")


@dataclass(frozen=True, slots=True)
class _Stored:
    """The file's document and the tokens in it."""

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


def cannot_write(file: Path | str, fault: OSError) -> str:
    """Why a token cannot be written, for people, and what to do about it; two sentences.

    Args:
        file: its path, or only its name in a message to callers.
        fault: of the write.
    """
    why = fault.strerror or type(fault).__name__
    if isinstance(fault, LockBusy):
        return f"{file} cannot be written: {why}. End that process, or wait for it."
    return f"{file} cannot be written: {why}. Make it writable, or set auth.tokenStorePath to another place."


class TokenStore:
    """The gateway's own token file. Safe to use from many threads and processes; readers never wait for a writer.

    Args:
        path: the file. The first write creates it and its folder, private to the user. Beside it are `<path>.lock`,
            `<path>.NAME@account.lock`, `<path>.bak` and a file that was found broken, `<path>.corrupt-<time>`.
        clock: for waits and for the name of a broken file.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._file = PolledFile(path, _parse_store, clock)
        self._stored = _Stored()
        self._known = False  # whether `_stored` was ever read
        self._restored = False  # whether `_stored` is from the copy
        self._lock = threading.Lock()  # guards the four above, and `_logins`
        self._changing = FileLock(_beside(_target(path), "lock"), clock)
        self._held = HeldStore(self._reread, self._change)
        self._alone = HeldStore(self._reread, self._change_alone)  # while the lock of one account is held
        self._logins: dict[str, FileLock] = {}  # the accounts' locks, in the order account, file
        self._writer = FileWriter(_beside(_target(path), "tmp"), clock)  # needs the file lock
        self._mounted = False  # whether the file was found to be mounted by itself

    def get(self, name: str) -> Token | None:
        """The credential's token in the file now; while the file is unusable, the one that was last read."""
        with self._lock:
            self._refresh()
            return self._stored.tokens.get(name)

    @property
    def problem(self) -> str | None:
        """What is wrong with the file, for people and without its content; None where nothing is."""
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
        """Lock the file against changes by other threads and processes for the body of a `with`.

        Args:
            timeout: seconds to wait for the lock; 0 to try once.

        Raises:
            LockBusy: another thread or process held the lock for that long.
            OSError: the file cannot be locked.
        """
        with self._changing.held(timeout):
            yield self._held

    @contextmanager
    def login(self, name: str, timeout: float = LOCK_SECONDS) -> Iterator[HeldStore]:
        """Lock one login against changes by other threads and processes for the body of a `with`, which may take as
        long as a request. An account has a lock of its own, so that the renewal of one never waits for another's; any
        other login has the file's.

        Args:
            name: the credential's.
            timeout: seconds to wait for the lock; 0 to try once.

        Raises:
            LockBusy: another thread or process held the lock for that long.
            OSError: the file cannot be locked.
        """
        if not is_account(name):
            with self.exclusive(timeout) as held:
                yield held
            return
        with self._lock:
            lock = self._logins.setdefault(name, FileLock(_beside(_target(self.path), f"{name}.lock"), self._clock))
        with lock.held(timeout):
            yield self._alone

    def _change_alone(self, edit: Edit) -> bool:
        with self.exclusive():
            return self._change(edit)

    def put(self, name: str, token: Token) -> None:
        """Store a token. The other credentials, and all fields that the gateway does not know, stay unchanged.

        Raises:
            OSError: the file cannot be locked, read or written; it is unchanged then.
        """
        with self.login(name) as held:
            held.put(name, token)

    def remove(self, name: str) -> bool:
        """Delete a credential; False where there was none.

        Raises:
            OSError: as for `put`.
        """
        with self.login(name) as held:
            return held.remove(name)

    def check_writable(self, timeout: float) -> None:
        """Prove that a token could be stored now: by the lock, and by writing the file again as it is.

        Args:
            timeout: seconds to wait for the lock.

        Raises:
            LockBusy: another thread or process held the lock for that long.
            OSError: the file cannot be locked, read or written.
        """
        with self.exclusive(timeout):
            self._writer.prove(_target(self.path))
            with self._lock:
                self._file.forget()
                self._refresh()
                fault, missing = self._file.fault, self._file.missing
            if isinstance(fault, OSError):
                raise fault
            if fault is None and not missing:
                self._write(_target(self.path).read_bytes(), corrupt=False)

    def write_fault(self) -> OSError | None:
        """Why no token can be stored now; None where one could be, or where another process is writing."""
        try:
            with self.exclusive(0.0):
                self._writer.prove(_target(self.path))
        except LockBusy:
            return None
        except OSError as fault:
            return fault
        return None

    def _reread(self) -> Mapping[str, Token]:
        with self._lock:
            self._file.forget()
            self._refresh()
            return self._stored.tokens

    def _refresh(self) -> None:
        stored = self._file.poll()
        self._restored = self._restored and stored is None
        if self._file.missing:
            stored = _Stored()  # the file was deleted, and its tokens with it
        elif not self._known and isinstance(self._file.fault, JsonFault):
            stored = PolledFile(_beside(_target(self.path), "bak"), _parse_store, self._clock).poll()
            self._restored = stored is not None
        if stored is not None:
            self._stored, self._known = stored, True

    def _change(self, edit: Edit) -> bool:
        """Apply `edit` to the credentials in the file now, and write them if it asks for that. Needs the file lock."""
        with self._lock:
            self._file.forget()
            self._refresh()
            stored, fault = self._stored, self._file.fault
        if isinstance(fault, OSError):
            raise fault  # a write would lose tokens in it that were never read
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
        try:
            self._writer.replace(target, content)
        except CannotReplace as fault:
            self._write_in_place(target, content, fault)
            return
        try:
            self._writer.replace(_beside(target, "bak"), content)
        except OSError:  # the file itself is written; no copy is better than one with removed tokens
            with suppress(OSError):
                _beside(target, "bak").unlink(missing_ok=True)

    def _write_in_place(self, target: Path, content: bytes, fault: CannotReplace) -> None:
        """Write a file that is mounted by itself. The copy comes first: who meets half of the file reads that."""
        if not self._mounted:
            self._mounted = True
            why = "%s cannot be replaced (%s) and is written in place: mount its folder instead of the file."
            _LOGGER.warning(why, self.path, fault.strerror)
        self._writer.replace(_beside(target, "bak"), content)
        self._writer.overwrite(target, content)

    def _keep_aside(self, target: Path) -> None:
        """Keep an unreadable file under another name: its user may still want a token from it."""
        when = datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        self._writer.replace(_beside(target, f"corrupt-{when}"), target.read_bytes())


def _target(path: Path) -> Path:
    """The file that a symbolic link points to, or the path itself."""
    return Path(os.path.realpath(path))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _others_may_read(path: Path) -> bool:
    if sys.platform == "win32":  # its mode means nothing; the profile folder's access list protects the file
        return False
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
