"""A lock between processes, made of a file: one holder at a time.

The lock is a file of its own and never the file that it protects. The protected file is replaced at every write, and a
lock on it would stay with the old one. The operating system frees the lock when its holder ends in any way. The empty
file stays, because deleting it would let two holders in at once. This module knows nothing of tokens.

Some network file systems have no locks. Then only the threads of one process are kept apart, and a line says so once.

Sources: flock(2); _locking in Microsoft's C runtime. Old NFS servers have locks in name only.
"""

import errno
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock

POLL_SECONDS: Final = 0.05
"""Seconds between two tries. Neither system wakes a waiter that also has a deadline."""

_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EINVAL)
"""What network and FUSE file systems without locks answer."""
_LOGGER: Final = logging.getLogger("gateway.auth")

if sys.platform == "win32":
    import msvcrt

    _BUSY: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as fault:
            if fault.errno in _BUSY:
                return False
            raise
        return True

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)  # close() is not enough where a child was forked meanwhile


class LockBusy(TimeoutError):
    """Another thread or process held the lock until the deadline."""


class FileLock:
    """A lock with one holder among all threads of all processes. It is not reentrant.

    Args:
        path: the lock's own file. The first use creates it and its folder, private to the user.
        clock: for waits.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._changed = threading.Condition()
        self._taken = False  # by a thread of this process; only that thread locks the file
        self._pause = threading.Condition()
        self._warned = False

    @contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold the lock for the body of a `with`.

        Args:
            timeout: seconds to wait in all; 0 to try once.

        Raises:
            LockBusy: the lock was not free in time.
            OSError: the file cannot be created or locked.
        """
        deadline = self._clock.monotonic() + timeout
        self._take_turn(deadline)
        try:
            handle = self._open()
            try:
                locked = self._lock(handle, deadline)
                try:
                    yield
                finally:
                    if locked:
                        _unlock(handle)
            finally:
                os.close(handle)
        finally:
            self._end_turn()

    def _take_turn(self, deadline: float) -> None:
        with self._changed:
            while self._taken:
                self._clock.wait(self._changed, self._left(deadline))
            self._taken = True

    def _end_turn(self) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify()

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def _lock(self, handle: int, deadline: float) -> bool:
        """Lock the file; False where its file system has no locks, and only the threads of this process are kept apart.

        A login that cannot be renewed would be worse than two gateways that share it and may both renew it.
        """
        try:
            while not _try_lock(handle):
                seconds = min(POLL_SECONDS, self._left(deadline))
                with self._pause:
                    self._clock.wait(self._pause, seconds)
        except LockBusy:
            raise
        except OSError as fault:
            if fault.errno not in _NO_LOCKS:
                raise
            self._warn(fault)
            return False
        return True

    def _warn(self, fault: OSError) -> None:
        if not self._warned:
            self._warned = True
            why = "%s has no file locks (%s): only one gateway at a time may use the token file there."
            _LOGGER.warning(why, self._path.parent, fault.strerror)

    def _left(self, deadline: float) -> float:
        """The seconds until the deadline; raises LockBusy where none are left."""
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise LockBusy(errno.ETIMEDOUT, f"{self._path.name} is held by another process or thread")
        return left
