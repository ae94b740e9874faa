"""Watches the token files of other tools. It reads them and never writes them.

The other tools renew their tokens, often by writing the file in place. A missing, empty or half-written file therefore
means "not yet", and the last good content stays valid. Watching is one stat a second and no thread, because a token is
only needed when a call needs one. This module does not choose between tokens: that is the AuthManager's task.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from gateway.auth.tokens.file_formats import read_tokens
from gateway.auth.tokens.polled_file import Signature, has_settled, read_whole, signature_of
from gateway.auth.tokens.token import Token
from gateway.config.token_files import WatchFile
from gateway.core.clock import Clock
from gateway.core.strict_json import JsonFault, JsonValue, loads

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a file."""
HASH_EVERY: Final = 30.0
"""Seconds after which a file is read again although its time and size are unchanged: some writers keep both."""
LOOK_AGAIN: Final = (0.05, 0.2, 1.0)
"""Seconds after a file was first unreadable. An in-place write has ended by then; a later fault is reported."""

Parse: TypeAlias = Callable[[JsonValue, float], Mapping[str, Token]]


class ForeignFile:
    """One file of another tool and its last known tokens. Not safe to use from several threads at once.

    Args:
        path: the file.
        parse: makes tokens of its JSON and of the wall seconds at which it was written; raises JsonFault.
        clock: decides when to look again.

    Attributes:
        tokens: by provider, from the last complete read. A fault of the file since then does not change them.
        last_fault: why the last look found nothing to use; None where it did. Another tool may just be writing it.
    """

    def __init__(self, path: Path, parse: Parse, clock: Clock) -> None:
        self.path = path
        self.last_fault: str | None = None
        self.tokens: Mapping[str, Token] = {}
        self._parse = parse
        self._clock = clock
        self._next_look: float | None = None
        self._seen: Signature | None = None
        self._digest = b""
        self._hashed = 0.0
        self._unreadable_since: float | None = None
        self._reason: str | None = None

    def look(self, *, at_once: bool = False) -> None:
        """Read the file if it has changed and LOOK_EVERY seconds have passed, or without that wait if `at_once`."""
        now = self._clock.monotonic()
        if not at_once and self._next_look is not None and now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        try:
            self._look(now)
        except FileNotFoundError:
            self._forget()
            self._settle(None)
            self.last_fault = "there is no such file"
        except (OSError, JsonFault) as fault:
            self._unreadable(fault, now)

    @property
    def problem(self) -> str | None:
        """The file's fault, for people and without content; None where it is fine, missing or being written."""
        return None if self._reason is None else f"{self.path.name} cannot be used: {self._reason}"

    def _look(self, now: float) -> None:
        stats = os.stat(self.path)
        signature = signature_of(stats)
        self.last_fault = self._reason
        if signature == self._seen and now - self._hashed < HASH_EVERY:
            return
        content = read_whole(self.path, stats)
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:
            value = loads(content)
            self._digest = digest
            self._take(value, stats.st_mtime)
        self._hashed = now
        self._seen = signature if has_settled(stats, self._clock.wall()) else None

    def _take(self, value: JsonValue, written: float) -> None:
        """Take the file's new tokens. A complete file without a token is reported at once: waiting would not help."""
        try:
            self.tokens = self._parse(value, written)
        except JsonFault as fault:
            self._settle(str(fault))
        else:
            self._settle(None)

    def _settle(self, reason: str | None) -> None:
        """Note that the file is missing or complete. `reason` is its fault, None where it has none."""
        self._unreadable_since = None
        self._reason = self.last_fault = reason

    def _unreadable(self, fault: OSError | JsonFault, now: float) -> None:
        """Note that the file cannot be read or is no JSON. Most likely another tool is writing it."""
        self._forget()
        since = self._unreadable_since = now if self._unreadable_since is None else self._unreadable_since
        self.last_fault = (fault.strerror or type(fault).__name__) if isinstance(fault, OSError) else str(fault)
        ahead = [since + pause for pause in LOOK_AGAIN if since + pause > now]
        if ahead:
            self._next_look = ahead[0]
        else:
            self._reason = self.last_fault

    def _forget(self) -> None:
        """Make the next look read the file even if it looks unchanged."""
        self._seen, self._digest = None, b""


@dataclass(frozen=True, slots=True)
class WatchedFileStatus:
    """A watched file at one look.

    Attributes:
        path: the file.
        providers: whose tokens were in it when it was last complete.
        fault: why it cannot be used now, for people and without content; None where it can.
    """

    path: Path
    providers: tuple[str, ...]
    fault: str | None


class WatchedFiles:
    """The tokens in the watched files. Safe to use from many threads.

    Args:
        files: the files, each with its entry in the configuration, in the order of `tokens`.
        clock: to look at most once in LOOK_EVERY seconds.
    """

    def __init__(self, files: Iterable[tuple[Path, WatchFile]], clock: Clock) -> None:
        self._files = [ForeignFile(path, partial(_read_watched, entry), clock) for path, entry in files]
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, without their folders."""
        return tuple(file.path.name for file in self._files)

    def tokens(self, provider: str) -> list[Token]:
        """The provider's last known tokens, expired ones included, in the order of the files."""
        with self._lock:
            for file in self._files:
                file.look()
            return [file.tokens[provider] for file in self._files if provider in file.tokens]

    def refresh(self) -> None:
        """Look at all files now, however recent the last look was."""
        with self._lock:
            for file in self._files:
                file.look(at_once=True)

    def status(self) -> list[WatchedFileStatus]:
        """Each file as it is now."""
        with self._lock:
            for file in self._files:
                file.look(at_once=True)
            return [WatchedFileStatus(file.path, tuple(file.tokens), file.last_fault) for file in self._files]

    def problems(self) -> list[str]:
        """The files' faults at the last look, for people and without content. A missing file is no fault."""
        with self._lock:
            return [file.problem for file in self._files if file.problem is not None]


def _read_watched(entry: WatchFile, value: JsonValue, written: float) -> Mapping[str, Token]:
    return read_tokens(value, entry.provider, entry.format, written=written)
