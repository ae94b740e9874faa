"""A lock on a file, so that of several processes one at a time changes what the file stands for.

The lock is a file of its own and never the file that it protects: that one is replaced at every write, and a lock on it
would stay with the old one. The operating system holds it and frees it when its holder ends, however that ends, so it
is never left over; the empty file stays, because to delete it would let two in at once.

Sources: flock(2); _locking in Microsoft's C runtime. Old NFS servers have locks in name only.
"""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock

POLL_SECONDS: Final = 0.05
"""Between two tries. Neither system wakes a waiter that also wants to give up in time."""

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
        fcntl.flock(handle, fcntl.LOCK_UN)  # closing is not enough where a child has just been forked off


class LockBusy(TimeoutError):
    """Someone else has it, and did not let go in time."""


class FileLock:
    """One holder at a time among all threads of all processes. Not to be taken again by its holder.

    Args:
        path: the lock's own file; it and its folder come into being at the first use, private to the user.
        clock: for waits.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._changed = threading.Condition()
        self._taken = False  # by a thread of this process, which asks the file only in its turn
        self._pause = threading.Condition()

    @contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold it for the body of a `with`.

        Args:
            timeout: seconds to wait for it in all; 0 to try once.

        Raises:
            LockBusy: it was not free in time.
            OSError: there can be no such file here, or no locks.
        """
        deadline = self._clock.monotonic() + timeout
        self._take_turn(deadline)
        try:
            handle = self._open()
            try:
                self._lock(handle, deadline)
                try:
                    yield
                finally:
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

    def _lock(self, handle: int, deadline: float) -> None:
        while not _try_lock(handle):
            seconds = min(POLL_SECONDS, self._left(deadline))
            with self._pause:
                self._clock.wait(self._pause, seconds)

    def _left(self, deadline: float) -> float:
        """Seconds until then, which are more than none."""
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise LockBusy(errno.ETIMEDOUT, f"{self._path.name} is held by another process or thread")
        return left
