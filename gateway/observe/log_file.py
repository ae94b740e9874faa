"""The file that log lines go to in place of standard error (`logging.file`), with the three before it.

It is written by the thread of an OutputQueue, so a disk that fails or hangs stops no call: what cannot be written is
lost and counted there. A file that somebody moves or deletes is made anew. `logging.handlers.RotatingFileHandler` is
not used, because it makes files that others may read, and writes no line any more where it cannot rename (on Windows,
while somebody looks at the file).

The workers of a gateway write the same file, each line by one appending write. Its size is asked of the system, since
others make it grow. Whoever finds it too large rotates it under a lock on the file itself, unless another one has done
so meanwhile; the others see that it was moved, and open the new one. A line that is written in that moment stands in
the rotated file.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock, SystemClock
from gateway.files import replace_file

if sys.platform != "win32":
    import fcntl

MAX_BYTES: Final = 10 << 20
"""Of a log file; then it is rotated."""
KEPT: Final = 3
"""Files that are kept beside the one that is written, FILE.1 the youngest."""
RETRY_BYTES: Final = 1 << 20
"""By so much a file grows that cannot be rotated, until that is tried again; at twice MAX_BYTES nothing is written."""
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class LogFile:
    """An output for an OutputQueue. For one thread.

    Args:
        path: the file. It and the rotated ones are readable by the user only.
        on_trouble: is called with the first fault; again after lines could be written in between.
        clock: for the waits until a file that somebody has open can be renamed.
        max_bytes: see MAX_BYTES.
    """

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[OSError], None],
        clock: Clock | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._path = path
        self._on_trouble = on_trouble
        self._clock = clock or SystemClock()
        self._max_bytes = max_bytes
        self._handle: int | None = None
        self._size = 0
        self._rotate_at: float = max_bytes
        self._in_trouble = False
        self._mid_line = False  # of what was written last
        self._torn = False  # a line was begun, and its rest is lost

    def write(self, content: memoryview, /) -> int:
        """Append some of the bytes. Returns their number.

        Raises:
            OSError: they cannot be written now.
        """
        try:
            count = self._append(content)
        except OSError as fault:
            self.close()
            self._torn = self._mid_line
            if not self._in_trouble:
                self._in_trouble = True
                self._on_trouble(fault)
            raise
        self._in_trouble = False
        return count

    def close(self) -> None:
        """Close the file. It is opened again by the next write. Idempotent."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # some network folders tell here that the disk is full
                os.close(handle)

    def _append(self, content: memoryview) -> int:
        handle = self._ready(len(content))
        if self._torn:
            os.write(handle, b"\n")
            self._torn = self._mid_line = False
        count = os.write(handle, content)
        self._mid_line = content[count - 1] != ord("\n")
        return count

    def _ready(self, length: int) -> int:
        """The open file, with room for so many bytes more."""
        if self._handle is not None and self._was_moved(self._handle):
            self.close()
        handle = self._handle if self._handle is not None else self._open()
        if self._is_full(length) and self._may_rotate(handle):
            if sys.platform == "win32":
                self.close()  # it renames no open file
            self._rotate()
            self.close()  # and with it goes the lock
            handle = self._open()
        return handle

    def _is_full(self, length: int) -> bool:
        return bool(self._size) and self._size + length > self._rotate_at and not self._mid_line

    def _may_rotate(self, handle: int) -> bool:
        """Take the lock on the file; whether it is this process that rotates."""
        if sys.platform != "win32":
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False  # another process rotates it: this line goes where it is moved to
            except OSError:
                return True  # a network folder without locks
        return not self._was_moved(handle)

    def _was_moved(self, handle: int) -> bool:
        """Whether the file is another one by now. Else its size is known after this."""
        try:
            found = os.stat(self._path)
            moved = not os.path.samestat(found, os.fstat(handle))
        except OSError:
            return True
        self._size = found.st_size
        return moved

    def _open(self) -> int:
        handle = self._handle = os.open(self._path, _FLAGS, 0o600)
        found = os.fstat(handle)
        regular = stat.S_ISREG(found.st_mode)
        if regular and sys.platform != "win32" and found.st_mode & 0o077:
            with suppress(OSError):  # another user's file, or a file system without modes
                os.fchmod(handle, 0o600)
        if found.st_size < self._max_bytes:
            self._rotate_at = self._max_bytes if regular else float("inf")  # a device is not renamed
        self._size = found.st_size
        return handle

    def _rotate(self) -> None:
        """Rename the files. Where that cannot be, the file goes on for a while."""
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, KEPT + 1))]
        try:
            for newer, older in reversed(list(pairwise(names))):
                with suppress(FileNotFoundError):
                    replace_file(newer, older, self._clock)
        except OSError:
            if self._size >= 2 * self._max_bytes:
                raise OSError(errno.EFBIG, "it cannot be renamed, and is too large") from None
            self._rotate_at = self._size + RETRY_BYTES
