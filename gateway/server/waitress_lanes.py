"""Two sets of threads, so that a health check never waits behind model calls.

A model call holds a thread for as long as the provider talks; everything else answers in milliseconds. On one set of
threads, a few dozen slow calls would make /health and /v1/models wait for minutes. So model calls have most threads and
a bounded queue, and the rest has a few threads of its own. Knows only that there are calls and whether one is for a
model; built on waitress's thread pool.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol, cast

from waitress.task import Task, ThreadedTaskDispatcher

from gateway.core.clock import Clock

MOST_RESERVED: Final = 4
WAITING_PER_THREAD: Final = 4
"""Model calls that may wait, for each thread of the server; the next one is told at once."""


class Call(Protocol):
    """What waitress hands over: a channel whose first request is ready."""

    overloaded: bool
    """Set here: no thread can be had for this model call, so it is to be refused at once."""

    @property
    def is_model_call(self) -> bool:
        """Whether the first request may take as long as a provider does."""

    def service(self) -> None:
        """Answer the first request."""

    def cancel(self) -> None:
        """Give every request up."""


class Lanes:
    """waitress's task dispatcher, with a lane for model calls and one for everything else.

    Args:
        clock: for the deadline of a shutdown.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._models = _Threads("gateway-model")
        self._others = _Threads("gateway-other")
        self._lock = threading.Lock()
        self._capacity = 0
        self._admitted = 0
        self._running = 0

    @property
    def running(self) -> int:
        """Model calls that have a thread."""
        return self._running

    @property
    def waiting(self) -> int:
        """Model calls that wait for one."""
        with self._lock:
            return self._admitted - self._running

    def set_thread_count(self, count: int) -> None:
        """Start the threads.

        Args:
            count: of both lanes together; at least 2.
        """
        reserved = max(1, min(MOST_RESERVED, count // 8))
        with self._lock:
            self._capacity = count - reserved + WAITING_PER_THREAD * count
        self._models.set_thread_count(count - reserved)
        self._others.set_thread_count(reserved)

    def add_task(self, task: Call) -> None:
        """Have `task` served as soon as its lane has a thread; at once and marked, where too many wait already."""
        model_call = task.is_model_call
        with self._lock:
            admitted = model_call and self._admitted < self._capacity
            self._admitted += admitted
        task.overloaded = model_call and not admitted
        if admitted:
            self._models.add_task(cast(Task, _ModelCall(task, self._started, self._left)))
        else:
            self._others.add_task(cast(Task, task))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5.0) -> bool:
        """End the threads and, by default, give up what waits.

        Args:
            cancel_pending: whether to cancel what has no thread yet.
            timeout: seconds that running calls get to end.

        Returns:
            Whether every thread has ended.
        """
        deadline = self._clock.monotonic() + timeout
        lanes = (self._models, self._others)
        for lane in lanes:
            lane.set_thread_count(0)
        ended = [lane.join(lambda: deadline - self._clock.monotonic()) for lane in lanes]
        if cancel_pending:
            for lane in lanes:
                lane.cancel_pending()
        return all(ended)

    def _started(self) -> None:
        with self._lock:
            self._running += 1

    def _left(self, had_started: bool) -> None:
        with self._lock:
            self._admitted -= 1
            self._running -= had_started


class _ModelCall:
    """A model call that is counted for as long as it waits and runs."""

    def __init__(self, call: Call, started: Callable[[], None], left: Callable[[bool], None]) -> None:
        self._call = call
        self._started = started
        self._left = left

    def service(self) -> None:
        self._started()
        try:
            self._call.service()
        finally:
            self._left(True)

    def cancel(self) -> None:
        self._left(False)
        self._call.cancel()


class _Threads(ThreadedTaskDispatcher):
    """waitress's pool with named threads that can be joined, and without its warning for every call that waits."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._started: list[threading.Thread] = []

    def start_new_thread(self, target: Callable[[int], object], thread_no: int) -> None:
        thread = threading.Thread(target=target, name=f"{self._name}-{thread_no}", args=(thread_no,), daemon=True)
        self._started.append(thread)
        thread.start()

    def add_task(self, task: Task) -> None:
        with self.lock:
            self.queue.append(task)
            self.queue_cv.notify()

    def join(self, seconds_left: Callable[[], float]) -> bool:
        """Wait for threads that were told to end, while `seconds_left`; whether all have."""
        for thread in self._started:
            thread.join(max(0.0, seconds_left()))
        return not any(thread.is_alive() for thread in self._started)

    def cancel_pending(self) -> None:
        with self.lock:
            pending = [*self.queue]
            self.queue.clear()
        for task in pending:
            cast(Call, task).cancel()
