"""The TokenSource of a provider whose token is in one file of another tool (`tokenFile`).

It stands beside the other two sources, `command` and `adc`. The file is read and never written.
"""

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from gateway.auth.sources import SourceFailed, TokenFileSource
from gateway.auth.tokens.file_formats import read_tokens
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.watch_files import ForeignFile
from gateway.core.clock import Clock
from gateway.core.strict_json import JsonValue


class TokenFileReader:
    """Reads a provider's token from its file. Safe to use from many threads.

    It looks at the file for every call: the other tool may just have renewed a token that was refused.

    Args:
        provider: the token's provider.
        path: the file, as `source.path` resolves.
        source: the file's format.
        clock: decides when to read a file that looks unchanged.
    """

    def __init__(self, provider: str, path: Path, source: TokenFileSource, clock: Clock) -> None:
        self._provider = provider
        self._file = ForeignFile(path, partial(_read_named, provider, source), clock)
        self._lock = threading.Lock()

    def token(self) -> Token:
        """The token in the file now, or in its last complete version.

        Raises:
            SourceFailed: no version had a token.
        """
        with self._lock:
            self._file.look(at_once=True)
            token = self._file.tokens.get(self._provider)
            fault = self._file.last_fault
        if token is None:
            name = self._file.path.name
            raise SourceFailed(f"{name} cannot be used: {fault}." if fault else f"There is no token in {name}.")
        return token


def _read_named(provider: str, source: TokenFileSource, value: JsonValue, written: float) -> Mapping[str, Token]:
    return read_tokens(value, provider, source.format, source.paths, written)
