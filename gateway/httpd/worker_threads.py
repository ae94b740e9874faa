"""Threads that serve calls: started when one is needed, and the one that has idled least goes first.

waitress starts all its threads at the start and lets them take turns, so that each call finds a thread whose memory
the processor has forgotten, and a gateway that serves one caller holds a hundred threads. Here the thread that has just
served serves again. Threads stay until the end: a burst that came once comes again.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger(__name__)


class Work(Protocol):
    """What a thread is for."""

    def service(self) -> None:
        """Do it; on one of the threads."""

    def cancel(self) -> None:
        """It will not be done."""


class WorkerThreads:
    """A set of threads.

    Args:
        name: of the threads, with a number.
        most: threads at most.
    """

    def __init__(self, name: str, most: int = 0) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle: list[_Worker] = []
        self._waiting: deque[Work] = deque()
        self._closing = False

    @property
    def idle_count(self) -> int:
        """Threads that wait for something to do."""
        return len(self._idle)

    @property
    def busy_count(self) -> int:
        """Threads that do something, or are about to end."""
        return len(self._threads) - len(self._idle)

    def allow(self, most: int) -> None:
        """Set how many threads there may be; the first is started at once, to tell a system that gives none. Those that
        are more than that stay."""
        with self._lock:
            self._most = most
            if not self._threads:
                self._start(None)

    def add(self, work: Work) -> None:
        """Have it done, by an idle thread, a new one, or the next that is free. Any thread."""
        with self._lock:
            if self._idle:
                self._idle.pop().give(work)
            elif len(self._threads) >= self._most or self._closing or not self._could_start(work):
                self._waiting.append(work)

    def close(self) -> None:
        """Let the threads end behind what they do now."""
        with self._lock:
            self._closing = True
            for each in self._idle:
                each.give(None)
            self._idle.clear()

    def join(self, seconds_left: Callable[[], float]) -> bool:
        """Wait for threads that were told to end, while `seconds_left`; whether all have."""
        for thread in self._threads:
            thread.join(max(0.0, seconds_left()))
        return not any(thread.is_alive() for thread in self._threads)

    def cancel_waiting(self) -> None:
        """Cancel what no thread has begun."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for each in waiting:
            each.cancel()

    def _could_start(self, work: Work) -> bool:
        try:
            self._start(work)
        except RuntimeError:  # the system has no more threads: those that are there have to do
            logger.warning("The system gives no more threads: %d serve.", len(self._threads))
            return False
        return True

    def _start(self, work: Work | None) -> None:
        """Under the lock. Raises RuntimeError: the system has no more threads."""
        worker = _Worker()
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._run, args=(worker, work), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self, worker: "_Worker", work: Work | None) -> None:
        while True:
            if work is not None:
                _serve(work)
            with self._lock:
                if self._waiting:
                    work = self._waiting.popleft()
                    continue
                if self._closing:
                    return
                self._idle.append(worker)
            work = worker.take()
            if work is None:
                return


class _Worker:
    """A thread that idles, and what it is given."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._given = threading.Lock()  # free while something is given
        self._given.acquire()

    def give(self, work: Work | None) -> None:
        """Wake it, for `work` or for its end."""
        self._work = work
        self._given.release()

    def take(self) -> Work | None:
        """Wait for the next."""
        self._given.acquire()
        work, self._work = self._work, None  # or the last call would stay for as long as the thread idles
        return work


def _serve(work: Work) -> None:
    try:
        work.service()
    except BaseException:  # the thread goes on, for whoever comes next
        logger.exception("A thread met a fault of the gateway.")
