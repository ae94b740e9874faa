"""Two pools of threads, so that a health check never waits behind model calls.

A model call holds a thread for as long as the provider answers; everything else takes milliseconds. On one pool a few
dozen slow calls would make /health and /v1/models wait for minutes. So model calls have most threads and a bounded
queue with a time limit, and the rest has a few threads of its own. The pools know only that there are calls, and which
of them are model calls. A call that waits in the queue is owned by whoever takes it out.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.core.clock import Clock
from gateway.httpd.interfaces import Call
from gateway.httpd.worker_threads import WorkerThreads

MOST_RESERVED: Final = 4
WAITING_PER_THREAD: Final = 4
"""Model calls that may wait, for each thread of the server; the next one is told at once."""
KEEP_WAIT_SECONDS: Final = 0.005
"""For which a thread that has answered a model call waits for the next one on the same connection, where others are
free. Without it a short answer takes twice the time: the call goes from one thread to another four times."""
KEEP_TURN_SECONDS: Final = 0.05
"""For which one caller is kept in this way; then its requests come through the loop again, like everybody's."""
KEEP_SHARE: Final = 0.75
"""The part of the model threads up to which a thread may wait so: the rest stays free for other callers."""
LONGEST_WAIT: Final = 5.0
"""Seconds that a model call waits for a thread; then it is told. A client's own second try finds the thread as well,
and its people know by then."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    call: Call
    deadline: float


class ThreadPools:
    """A pool for model calls and one for everything else.

    Attributes:
        clock: the time.

    Args:
        clock: for how long calls wait, and for the deadline of a shutdown.
        most_calls: model calls that may run and wait together, however many threads there are.
    """

    def __init__(self, clock: Clock, most_calls: int) -> None:
        self.clock = clock
        self._most_calls = most_calls
        self._models = WorkerThreads("gateway-model")
        self._others = WorkerThreads("gateway-other")
        self._lock = threading.Lock()
        self._threads = 0
        self._most_waiting = 0
        self._running = 0
        self._line: deque[_Waiting] = deque()

    @property
    def running(self) -> int:
        """Model calls that have a thread."""
        return self._running

    @property
    def others_running(self) -> int:
        """Other requests that have a thread."""
        return self._others.busy_count

    @property
    def waiting(self) -> int:
        """Model calls that wait for one."""
        return len(self._line)

    @property
    def next_deadline(self) -> float | None:
        """When `enforce_timeouts` is due next, in seconds on the clock; None while no call waits."""
        with self._lock:
            return self._line[0].deadline if self._line else None

    def set_thread_count(self, count: int) -> None:
        """Say how many threads there may be.

        Args:
            count: of both pools together; at least 2.
        """
        reserved = max(1, min(MOST_RESERVED, count // 8))
        with self._lock:
            self._threads = count - reserved
            self._most_waiting = max(0, min(WAITING_PER_THREAD * count, self._most_calls - self._threads))
        self._models.allow(count - reserved)
        self._others.allow(reserved)

    def add_task(self, task: Call) -> None:
        """Have `task` served as soon as its pool has a thread; at once and marked, where too many wait already."""
        task.overloaded = False
        if not task.is_model_call:
            self._others.add(_OtherCall(task))
            return
        if task.is_crowded:
            self._refuse(task)
            return
        with self._lock:
            has_thread = self._running < self._threads
            waits = not has_thread and len(self._line) < self._most_waiting
            self._running += has_thread
            if waits:
                self._line.append(_Waiting(task, self.clock.monotonic() + LONGEST_WAIT))
        if has_thread:
            self._run(task)
        elif not waits:
            self._refuse(task)

    def enforce_timeouts(self, now: float) -> None:
        """Refuse the calls that have waited for too long, and give up those whose callers have left.

        Args:
            now: seconds on the clock.
        """
        with self._lock:
            given_up = [each.call for each in self._line if each.call.left]
            late = [each.call for each in self._line if each.deadline <= now and not each.call.left]
            gone = {id(call) for call in (*given_up, *late)}
            self._line = deque(each for each in self._line if id(each.call) not in gone)
        for call in given_up:
            call.cancel()
        for call in late:
            self._refuse(call)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5.0) -> bool:
        """End the threads and, by default, give up what waits.

        Args:
            cancel_pending: whether to cancel what has no thread yet.
            timeout: seconds that running calls get to end.

        Returns:
            Whether every thread has ended.
        """
        deadline = self.clock.monotonic() + timeout
        pools = (self._models, self._others)
        if cancel_pending:
            self._cancel_line()  # first, or who ends would hand its thread on
        for pool in pools:
            pool.close()
        ended = [pool.join(lambda: deadline - self.clock.monotonic()) for pool in pools]
        if cancel_pending:
            for pool in pools:
                pool.cancel_waiting()
        return all(ended)

    def _run(self, call: Call) -> None:
        """Have it served; a thread is free for it."""
        self._models.add(_ModelCall(call, self))

    def _refuse(self, call: Call) -> None:
        call.overloaded = True
        self._others.add(_OtherCall(call))

    def may_keep(self, until: float) -> bool:
        """Whether a thread that has served a call may wait for the next one of the same caller.

        Args:
            until: when the caller's turn ends, in seconds on the clock.
        """
        is_room = not self._line and self._running <= self._threads * KEEP_SHARE
        return is_room and self.clock.monotonic() < until

    def ended(self) -> None:
        """A thread is free again: for the first in the line whose caller still waits."""
        given_up: list[Call] = []
        following: Call | None = None
        with self._lock:
            while self._line and following is None:
                call = self._line.popleft().call
                if call.left:
                    given_up.append(call)
                else:
                    following = call
            self._running -= following is None
        if following is not None:
            self._run(following)
        for call in given_up:
            call.cancel()

    def _cancel_line(self) -> None:
        with self._lock:
            waiting = [each.call for each in self._line]
            self._line.clear()
        for call in waiting:
            call.cancel()


class _OtherCall:
    """A request that takes no time to speak of."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def service(self) -> None:
        if self._call.service():
            self._call.give_back()

    def cancel(self) -> None:
        self._call.cancel()


class _ModelCall:
    """A model call that has a thread, from now until it has ended."""

    def __init__(self, call: Call, pools: ThreadPools) -> None:
        self._call = call
        self._pools = pools

    def service(self) -> None:
        call, pools = self._call, self._pools
        until = pools.clock.monotonic() + KEEP_TURN_SECONDS
        try:
            while call.service():
                if not pools.may_keep(until):
                    call.give_back()
                    return
                if not call.wait_for_next_request(KEEP_WAIT_SECONDS):
                    return
        finally:
            pools.ended()

    def cancel(self) -> None:
        self._pools.ended()
        self._call.cancel()
