"""Writes small private files: whole or not at all, and on the disk when it returns.

A file is replaced by a new one in one step. Where a file cannot be replaced, because it is mounted by itself into a
container, it is written in place, which its owner has to prepare: a process that is killed midway leaves half of it.
Network folders that cannot flush a file are reported once and used all the same. This module does not know what the
files hold, and it takes no lock.

Sources: rename(2) (EBUSY, EXDEV), fsync(2) (EINVAL, EROFS).
"""

import errno
import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock

REPLACE_TRIES: Final = 10
"""On Windows a file cannot be replaced while a virus scanner or a reader has it open, mostly for milliseconds."""
REPLACE_WAIT: Final = 0.02
"""Seconds after the first failed try. Each further wait is longer by as much; together they take 0.9 seconds."""
_MOUNTED: Final = (errno.EBUSY, errno.EXDEV)
_NO_FLUSH: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_LOGGER: Final = logging.getLogger("gateway.auth")


class CannotReplace(OSError):
    """The file cannot be replaced, only written in place: it is a mount point."""


class FileWriter:
    """Writes files in one folder. Not safe to use from several threads at once.

    Args:
        temporary: the path of a file that is being written; a killed process leaves it.
        clock: for the waits between two tries.
        durable: whether what is written has to be there after a loss of power, which takes the disk milliseconds.
    """

    def __init__(self, temporary: Path, clock: Clock, *, durable: bool = True) -> None:
        self._temporary = temporary
        self._clock = clock
        self._durable = durable
        self._pause = threading.Condition()
        self._warned = False

    def replace(self, target: Path, content: bytes) -> None:
        """Replace a file in one step. It is readable by the user only, and on the disk when this returns.

        Raises:
            CannotReplace: it is mounted by itself.
            OSError: it cannot be written; the file is unchanged.
        """
        temporary = self._temporary
        temporary.unlink(missing_ok=True)  # left by a killed process
        try:
            self._create(temporary, content)
            self._rename(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if self._durable:
            _sync_folder(target.parent)

    def overwrite(self, target: Path, content: bytes) -> None:
        """Write a file in place. Where this fails midway, the file holds half of the content.

        Raises:
            OSError: it cannot be written.
        """
        with target.open("r+b") as file:
            file.write(content)
            file.truncate()
            file.flush()
            self._sync(file.fileno())

    def prove(self, target: Path) -> None:
        """Prove that a file could be written, without changing it: by a new one beside it, which is removed again.

        Raises:
            OSError: it could not.
        """
        with suppress(FileNotFoundError, PermissionError):  # what may not be written may still be replaced
            os.close(os.open(target, os.O_WRONLY))  # but not where it is a read-only mount
        self._temporary.unlink(missing_ok=True)
        try:
            self._create(self._temporary, b"{}")
        finally:
            self._temporary.unlink(missing_ok=True)

    def _create(self, path: Path, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            self._sync(file.fileno())

    def _sync(self, handle: int) -> None:
        """Flush a file to the disk, where its file system can."""
        if not self._durable:
            return
        try:
            os.fsync(handle)
        except OSError as fault:
            if fault.errno not in _NO_FLUSH:
                raise
            if not self._warned:
                self._warned = True
                folder = self._temporary.parent
                _LOGGER.warning(
                    "%s cannot flush files to the disk (%s): a power failure may cost the last login kept there.",
                    folder,
                    fault.strerror,
                )

    def _rename(self, source: Path, target: Path) -> None:
        tried = 1
        while True:
            try:
                return os.replace(source, target)
            except PermissionError:
                if tried == REPLACE_TRIES:
                    raise
            except OSError as fault:
                if fault.errno in _MOUNTED:
                    raise CannotReplace(fault.errno, fault.strerror) from None
                raise
            with self._pause:
                self._clock.wait(self._pause, REPLACE_WAIT * tried)
            tried += 1


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entries too (POSIX; Windows has no such call). Some network file systems refuse it."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
