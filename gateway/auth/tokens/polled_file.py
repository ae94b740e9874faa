"""Reads a JSON file that other programs may write at any time.

The gateway's token store and the watched files share these rules. A file is polled and read as a whole. Other programs
write in place, so an empty or half-written file means "not yet" and never "gone". This module does not know what the
JSON holds.
"""

import codecs
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from gateway.core.clock import Clock
from gateway.core.strict_json import JsonFault, JsonValue, loads

MAX_FILE: Final = 1 << 20
"""Bytes. A token file has a few KB; a larger file is something else."""

_SETTLED_SECONDS: Final = 2.0  # the coarsest file times in use (FAT)

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

T = TypeVar("T")
Signature = tuple[int, int, int]
"""Modification time, size and inode: they change when the file changes."""


def signature_of(stats: os.stat_result) -> Signature:
    """The signature by which a changed file is recognized without reading it."""
    return stats.st_mtime_ns, stats.st_size, stats.st_ino


def has_settled(stats: os.stat_result, now: float) -> bool:
    """Whether a further write would get another file time than the last one; `now` in wall seconds."""
    return abs(now - stats.st_mtime) > _SETTLED_SECONDS


def read_whole(path: Path, stats: os.stat_result) -> bytes:
    """Read a token file.

    Raises:
        OSError: the file cannot be read, or is no regular file: opening a pipe would wait for its writer.
        JsonFault: the file is larger than any token file, or it is UTF-16, which PowerShell's `>` writes.
    """
    if not stat.S_ISREG(stats.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    with open(path, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise JsonFault(f"it is over {MAX_FILE} bytes")
    if content.startswith(_UTF16):
        raise JsonFault("it is UTF-16 text; save it as UTF-8")
    return content


class PolledFile(Generic[T]):
    """A JSON file that is read when it has changed.

    Args:
        path: the file.
        parse: makes a T of its JSON; raises JsonFault with a message that quotes no content.
        clock: wall time, to recognize a file that was written just now.

    Attributes:
        missing: the file does not exist.
        fault: why the file cannot be used; None where it can be used or is missing.
    """

    def __init__(self, path: Path, parse: Callable[[JsonValue], T], clock: Clock) -> None:
        self.path = path
        self.missing = False
        self.fault: OSError | JsonFault | None = None
        self._parse = parse
        self._clock = clock
        self._seen: Signature | None = None

    def poll(self) -> T | None:
        """The parsed content if the file may have changed; None where it is unchanged, missing or unusable (yet)."""
        try:
            stats = os.stat(self.path)
            self.missing = False
            signature = signature_of(stats)
            if signature == self._seen:
                return None
            self._seen = None
            value = self._parse(loads(read_whole(self.path, stats)))
        except (OSError, JsonFault) as fault:
            self._seen = None
            self.missing = isinstance(fault, FileNotFoundError)
            self.fault = None if self.missing else fault
            return None
        self.fault = None
        self._seen = signature if has_settled(stats, self._clock.wall()) else None
        return value

    def forget(self) -> None:
        """Make the next poll read the file even if it looks unchanged."""
        self._seen = None

    @property
    def problem(self) -> str | None:
        """The fault for people: the file's name and the reason, without any content."""
        if self.fault is None:
            return None
        fault = self.fault
        reason = (fault.strerror or type(fault).__name__) if isinstance(fault, OSError) else fault
        return f"{self.path.name} cannot be used: {reason}"
