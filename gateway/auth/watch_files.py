"""Token files of other tools: read, never written.

Their owners renew the tokens, often writing the file in place, so a file that is missing, empty or half-written means
"not yet" and the last good content stays. Looking is a stat a second and no thread, because a token is only of
interest when a call needs one.
"""

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from gateway.auth.token_file import PolledFile, Token, read_token
from gateway.config.schema import WatchFile
from gateway.core.clock import Clock
from gateway.core.jsontext import JsonFault, JsonValue, as_object

LOOK_EVERY: Final = 1.0
"""Seconds."""


def parse_plain(value: JsonValue, provider: str | None) -> dict[str, Token]:
    """The tokens, by provider, in a file's JSON in the plain format.

    Args:
        value: `{provider: {accessToken, refreshToken, expiresAt}}`, the keys in camelCase or snake_case.
        provider: whose the token is where the file is flat, `{accessToken, expiresAt, ...}`.

    Raises:
        JsonFault: there is no token in it.
    """
    entries = as_object(value)
    if provider is not None and (flat := read_token(entries)):
        return {provider: flat}
    tokens = {name: token for name, entry in entries.items() if (token := read_token(entry))}
    if not tokens:
        raise JsonFault("it holds no token in a format known here")
    return tokens


class WatchedFiles:
    """The tokens in the watched files. Safe to use from many threads.

    Args:
        files: the files, each with its entry in the configuration, in the order in which they are asked.
        clock: to look at most once in LOOK_EVERY seconds.
    """

    def __init__(self, files: Iterable[tuple[Path, WatchFile]], clock: Clock) -> None:
        self._files = [PolledFile(path, partial(parse_plain, provider=entry.provider), clock) for path, entry in files]
        self._tokens: list[dict[str, Token]] = [{} for _ in self._files]
        self._clock = clock
        self._next_look: float | None = None
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, without their folders."""
        return tuple(file.path.name for file in self._files)

    def tokens(self, provider: str) -> list[Token]:
        """That provider's tokens as last seen, expired ones included, in the order of the files."""
        with self._lock:
            if self._next_look is None or self._clock.monotonic() >= self._next_look:
                self._look()
            return [tokens[provider] for tokens in self._tokens if provider in tokens]

    def refresh(self) -> None:
        """Look now, whenever the last look was."""
        with self._lock:
            self._look()

    def problems(self) -> list[str]:
        """What is wrong with the files at the last look, for people, without their content; missing ones are not."""
        with self._lock:
            return [file.problem for file in self._files if file.problem is not None]

    def _look(self) -> None:
        self._next_look = self._clock.monotonic() + LOOK_EVERY
        for index, file in enumerate(self._files):
            tokens = file.poll()
            if tokens is not None:
                self._tokens[index] = tokens
