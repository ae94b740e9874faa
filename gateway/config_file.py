"""The configuration file of a running gateway: read again as at the start, and looked at for changes.

A change is recognized by time, size and inode, once a second, and counts when the file has stood still: that works for
editors that replace a file, for mounts, for network shares and on Windows, where notifications of the system do not.
This module decides nothing about what it reads.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.auth.tokens.polled_file import Signature, has_settled, signature_of
from gateway.config.faults import ConfigError, Fault
from gateway.config.loader import Loaded, load_text, read
from gateway.config.overrides import NOTHING, Overrides
from gateway.core.clock import Clock
from gateway.providers import catalog

LOOK_SECONDS: Final = 1.0
"""Between two looks at the file."""
STILL_SECONDS: Final = 0.3
"""For which a changed file must have stood still: editors and copies write in several pieces."""
HASH_SECONDS: Final = 30.0
"""After which a file is read although its time and size are unchanged: some writers keep both."""

GONE: Final[Signature] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file that the gateway was started with, read as it was at the start.

    Attributes:
        path: absolute.
        environ: the process's environment, for `${NAME}` and keys.
        overrides: what the command line and the environment say over the file.
    """

    path: Path
    environ: Mapping[str, str]
    overrides: Overrides = NOTHING

    def read(self) -> bytes:
        """Its bytes. Raises ConfigError: it cannot be read, or says nothing, which a file that is cut off does too."""
        text = read(self.path)
        lines = (line.strip() for line in text.splitlines())
        if all(not line or line.startswith(b"#") for line in lines):
            raise ConfigError([Fault("", 0, 0, "is empty", str(self.path))])
        return text

    def parse(self, text: bytes) -> Loaded:
        """The configuration in these bytes. Raises ConfigError."""
        checks = [catalog.check(self.environ)]
        return load_text(text, self.path, env=self.environ, checks=checks, overrides=self.overrides)


class FileWatch:
    """Tells when a file may have changed and has stood still since. For one thread.

    Args:
        path: the file.
        clock: the time.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._known: Signature | None = None  # None: its content is to be looked at
        self._known_at = clock.monotonic()
        self._changing: tuple[Signature, float] | None = None

    def look(self) -> float:
        """Look at the file. Returns the seconds until the next look; 0 where its content is to be read now."""
        now, found = self._clock.monotonic(), self.signature()
        if found == self._known and now - self._known_at < HASH_SECONDS:
            self._changing = None
            return LOOK_SECONDS
        if self._changing is None or self._changing[0] != found:
            self._changing = (found, now)
        return max(0.0, self._changing[1] + STILL_SECONDS - now)

    def note(self, signature: Signature) -> None:
        """Its content was read; it had this signature before and after."""
        self._changing = None
        self._known_at = self._clock.monotonic()
        try:
            settled = has_settled(os.stat(self._path), self._clock.wall())
        except OSError:
            settled = signature == GONE
        self._known = signature if settled else None

    def signature(self) -> Signature:
        """By which a change is recognized without reading; GONE where there is no file."""
        try:
            return signature_of(os.stat(self._path))
        except OSError:
            return GONE

    def moving(self) -> float:
        """Seconds until the last change is STILL_SECONDS old; 0 where it is, or where the file has another clock."""
        try:
            age = self._clock.wall() - os.stat(self._path).st_mtime
        except OSError:
            return 0.0
        return STILL_SECONDS - age if 0 <= age < STILL_SECONDS else 0.0
