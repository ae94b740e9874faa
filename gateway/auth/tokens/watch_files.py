"""Token files of other tools: read, never written.

Their owners renew the tokens, often writing the file in place, so a file that is missing, empty or half-written means
"not yet" and the last good content stays. Looking is a stat a second and no thread, because a token is only of
interest when a call needs one.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from gateway.auth.sources import SourceFailed, TokenFileSource
from gateway.auth.tokens.file_formats import read_tokens
from gateway.auth.tokens.token import Signature, Token, has_settled, read_whole, signature_of
from gateway.config.schema import WatchFile
from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonValue, loads

LOOK_EVERY: Final = 1.0
"""Seconds."""
HASH_EVERY: Final = 30.0
"""Seconds after which a file is read again although its time and size are as they were: some writers keep both."""
LOOK_AGAIN: Final = (0.05, 0.2, 1.0)
"""Seconds after a file was first found unreadable. An in-place write is over by then; what is wrong later is told."""

Parse: TypeAlias = Callable[[JsonValue, float], Mapping[str, Token]]


class ForeignFile:
    """One file of another tool, and the tokens that it last had. Not safe to use from several threads at once.

    Args:
        path: the file.
        parse: makes tokens of its JSON and the wall seconds at which it was written; raises JsonFault.
        clock: for when to look.

    Attributes:
        tokens: by provider, as last read whole; what is wrong with the file since changes nothing in them.
    """

    def __init__(self, path: Path, parse: Parse, clock: Clock) -> None:
        self.path = path
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
        """See whether it says something new, if it is time to, or in any case where `at_once`."""
        now = self._clock.monotonic()
        if not at_once and self._next_look is not None and now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        try:
            self._look(now)
        except FileNotFoundError:
            self._forget()
            self._is_well(None)
        except (OSError, JsonFault) as fault:
            self._not_yet(fault, now)

    @property
    def problem(self) -> str | None:
        """What is wrong with it, for people, without its content; None where it is well, missing, or being written."""
        return None if self._reason is None else f"{self.path.name} cannot be used: {self._reason}"

    def _look(self, now: float) -> None:
        found = os.stat(self.path)
        signature = signature_of(found)
        if signature == self._seen and now - self._hashed < HASH_EVERY:
            return
        content = read_whole(self.path, found)
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:
            value = loads(content)
            self._digest = digest
            self._take(value, found.st_mtime)
        self._hashed = now
        self._seen = signature if has_settled(found, self._clock.wall()) else None

    def _take(self, value: JsonValue, written: float) -> None:
        """What it says now. Where that is whole and no token, there is nothing to wait for."""
        try:
            self.tokens = self._parse(value, written)
        except JsonFault as fault:
            self._is_well(str(fault))
        else:
            self._is_well(None)

    def _is_well(self, reason: str | None) -> None:
        self._unreadable_since = None
        self._reason = reason

    def _not_yet(self, fault: OSError | JsonFault, now: float) -> None:
        """It cannot be read, or is no JSON: most likely someone is writing it."""
        self._forget()
        since = self._unreadable_since = now if self._unreadable_since is None else self._unreadable_since
        ahead = [since + pause for pause in LOOK_AGAIN if since + pause > now]
        if ahead:
            self._next_look = ahead[0]
        else:
            self._reason = (fault.strerror or type(fault).__name__) if isinstance(fault, OSError) else str(fault)

    def _forget(self) -> None:
        """Read it at the next look, whatever it looks like."""
        self._seen, self._digest = None, b""


class WatchedFiles:
    """The tokens in the watched files. Safe to use from many threads.

    Args:
        files: the files, each with its entry in the configuration, in the order in which they are asked.
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
        """That provider's tokens as last seen, expired ones included, in the order of the files."""
        with self._lock:
            for file in self._files:
                file.look()
            return [file.tokens[provider] for file in self._files if provider in file.tokens]

    def refresh(self) -> None:
        """Look now, whenever the last look was."""
        with self._lock:
            for file in self._files:
                file.look(at_once=True)

    def problems(self) -> list[str]:
        """What is wrong with the files at the last look, for people, without their content; missing ones are not."""
        with self._lock:
            return [file.problem for file in self._files if file.problem is not None]


class FileTokens:
    """The TokenSource of a provider whose token stands in one file of another tool. Safe to use from many threads.

    It looks each time it is asked: a token that was just refused may have been renewed by its owner meanwhile.

    Args:
        provider: whose token it is.
        path: the file, as `source.path` resolves.
        source: how to read it.
        clock: for when to read it although it looks as it did.
    """

    def __init__(self, provider: str, path: Path, source: TokenFileSource, clock: Clock) -> None:
        self._provider = provider
        self._file = ForeignFile(path, partial(_read_named, provider, source), clock)
        self._lock = threading.Lock()

    def token(self) -> Token:
        """The token that the file has now, or had when it was last whole.

        Raises:
            SourceFailed: it has had none.
        """
        with self._lock:
            self._file.look(at_once=True)
            token = self._file.tokens.get(self._provider)
            problem = self._file.problem
        if token is None:
            raise SourceFailed(f"{problem or f'There is no token in {self._file.path.name}'}.")
        return token


def _read_watched(entry: WatchFile, value: JsonValue, written: float) -> Mapping[str, Token]:
    return read_tokens(value, entry.provider, entry.format, written=written)


def _read_named(provider: str, source: TokenFileSource, value: JsonValue, written: float) -> Mapping[str, Token]:
    return read_tokens(value, provider, source.format, source.paths, written)
