"""What a gateway asks of the system for its process: signals, descriptors, memory, the garbage collector."""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol

from gateway.core.no_op import no_op

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""
MMAP_THRESHOLD: Final = 256 * 1024
"""Bytes from which on a block is the system's own, and goes back to it when it is freed."""
DESCRIPTORS: Final = 4096
"""Two for each connection that the server takes, and plenty for the rest."""
STOP_SECONDS: Final = 3.5
"""What the whole stop gets beyond the drain. With FLUSH_SECONDS for each output it stays below five."""
SIGNAL_SECONDS: Final = 0.05
"""Between two looks for a second signal: on Windows a thread that waits for another one does not see signals."""


class Supervisor(Protocol):
    """Asks a gateway to stop, beside signals, and hears how far it is: the manager of a service, for example."""

    def serving(self, port: int, stop: Callable[[], None]) -> None:
        """The gateway serves.

        Args:
            port: where.
            stop: asks it to drain, from any thread, however often; unlike a second signal, no call ends it at once.
        """

    def stopping(self, seconds: float) -> None:
        """It drains, whoever has asked; `run` returns within so many seconds."""


class StopSignals:
    """SIGINT, SIGTERM, and CTRL_BREAK on Windows: the first asks to drain, a second one leaves at once.

    SIGHUP asks to drain where standard input is a terminal, because that terminal has closed; it never counts as the
    second signal, because shell and kernel both send it. One that was started to ignore it goes on ignoring it. Without
    a terminal (under nohup or a supervisor) SIGHUP asks to read the configuration again.

    A wake-up socket carries a signal to the waiting main thread (signal.set_wakeup_fd), which a lock would not on
    Windows.

    Of a worker SIGTERM alone does so: a terminal sends SIGINT and SIGHUP to its parent as well, which tells it.

    Args:
        terminal: whether standard input is a terminal.
        worker: whether the process is one of several that a parent has started.
        at_once: is called where a second signal ends the process, in the signal handler.
    """

    def __init__(self, *, terminal: bool = False, worker: bool = False, at_once: Callable[[], None] = no_op) -> None:
        self._terminal = terminal
        self._worker = worker
        self._at_once = at_once
        self._count = 0
        self._hangups = 0
        self._woken = False
        self._installed = False
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def install(self) -> None:
        """Take the signals over. Does nothing on a thread that gets none: a Windows service serves on such a one."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._installed = True
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        names = ["SIGTERM"] if self._worker else ["SIGINT", "SIGTERM", "SIGBREAK"]
        if self._worker:
            signal.signal(signal.SIGINT, self._not_ours)
        for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
            signal.signal(number, self._arrived)
        if sys.platform != "win32" and not (self._terminal and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN):
            signal.signal(signal.SIGHUP, self._not_ours if self._worker else self._hung_up)

    def wait(self, on_hangup: Callable[[], None]) -> None:
        """Return when the first has come, or `wake` was called.

        Args:
            on_hangup: is called for a SIGHUP that does not ask to stop; here, on the main thread.
        """
        reported = 0
        while not (self._count or self._woken):
            self._reader.recv(64)
            if self._hangups > reported and not self._woken:
                reported = self._hangups
                on_hangup()

    def close(self) -> None:
        """Give the wake-up socket back. A second signal still leaves at once. Idempotent."""
        if self._installed:
            self._installed = False
            signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def wake(self) -> None:
        """Have `wait` return without a signal, now or as soon as it is called. Any thread."""
        self._woken = True
        with contextlib.suppress(OSError):  # full, so it wakes anyway
            self._writer.send(b"\0")

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            self._at_once()
            os._exit(1)

    def _not_ours(self, number: int, frame: FrameType | None) -> None:
        """A handler, where programs that the process starts are not to ignore the signal as well."""

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        if self._terminal:
            self._woken = True
        else:
            self._hangups += 1


def raise_descriptor_limit() -> None:
    """Let the process have as many sockets as it serves connections: with a stream each of them has a second one, to
    the provider. Systems begin with 256 or 1024 for both, and let a process have more where it asks."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit_malloc() -> None:
    """Have glibc give memory back. It makes an arena for each thread and hands little of them back: after some rounds
    of 30 answers of 5 MB at once, 64 threads held 657 MB; with two arenas 284 MB (2026-11-23, Linux x86_64). And it
    raises its threshold for blocks of their own with every large one that is freed, up to 32 MiB, so that later ones
    stay in the arenas: set by us it stays where it is."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):  # no ctypes, or another C library
            import ctypes  # noqa: PLC0415 - here only, and some Pythons are built without it

            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, 2)
            libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def freeze_startup_objects() -> None:
    """Have the garbage collector not look at what the start has made, which stays.

    While it looks at everything, every stream stands still: with 1,000 streams for 72 ms, without the start's objects
    for 43 ms (2026-11-25, Linux x86_64, Python 3.11). It looks as often as before: where it waited five times as long,
    failed calls, whose tracebacks hold circles, took 17 MB more.
    """
    gc.freeze()
    gc.enable()
