"""The running calls, and one thread that watches all of them.

A thread that waits for a silent provider cannot notice that its caller has left, and a provider that sends a byte now
and then never seems silent. So one thread looks at every call a few times a second. It decides nothing about targets:
it ends calls, sends heartbeats, and starts threads for hedged requests.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import Draining
from gateway.dispatch.call import DRAINING_RETRY, Call

MAX_HEDGES: Final = 64
"""Threads for hedged requests. Above it calls wait for a slow target, as if no other target were ready."""
HEARTBEAT_SECONDS: Final = 15.0
"""Seconds without a write after which a caller that waits for a stream gets a heartbeat."""

STOP_SECONDS: Final = 5.0
"""How long a thread that was told to end is waited for; a stop has a limit in every part."""

logger = logging.getLogger(__name__)


class CallWatchdog:
    """Watches the running calls.

    It ends calls whose caller has left or whose deadline has passed, has a second target asked while the first one is
    slow, and sends heartbeats to callers that wait for a stream.

    Args:
        clock: for heartbeats.
        max_hedges: the number of threads for hedged requests.
    """

    INTERVAL = 0.25

    def __init__(self, clock: Clock, max_hedges: int = MAX_HEDGES) -> None:
        self._clock = clock
        self._max_hedges = max_hedges
        self._hedges: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._running: set[Call] = set()
        self._draining = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._running)

    def counts(self) -> tuple[int, int]:
        """The running calls, and how many of them are streams that have begun."""
        running = self._list()
        return len(running), sum(call.stream is not None for call in running)

    def add(self, call: Call) -> None:
        """Watch a call."""
        with self._lock:
            self._running.add(call)

    def remove(self, call: Call) -> None:
        """The call has ended. Idempotent."""
        with self._lock:
            self._running.discard(call)
        call.finish()

    def cancel_queued(self) -> None:
        """End the calls that wait for a rate limit, now and later: the gateway stops, and no target was asked yet."""
        self._draining = True
        for call in self._list():
            if call.in_queue:
                call.end(Draining("The gateway is shutting down.", retry_after=DRAINING_RETRY))

    def end_all(self) -> int:
        """End every running call because the gateway stops. Returns the number of calls."""
        running = self._list()
        for call in running:
            why = "The gateway was stopped before the answer was complete."
            call.end(Draining(why, retry_after=DRAINING_RETRY))
        return len(running)

    def close(self) -> None:
        """End all threads and calls. Idempotent."""
        self._closing.set()
        self._thread.join(STOP_SECONDS)
        self.end_all()
        with self._lock:
            hedges = list(self._hedges)
        for thread in hedges:
            thread.join(STOP_SECONDS)

    def _list(self) -> list[Call]:
        with self._lock:
            return list(self._running)

    def _watch(self) -> None:
        while not self._closing.wait(self.INTERVAL):
            if self._draining:
                self.cancel_queued()  # also calls that joined a queue since
            for call in self._list():
                self._check(call)

    def _check(self, call: Call) -> None:
        try:
            if (reason := call.reason_to_stop()) is not None:
                call.end(reason)
                return
            if (hedging := call.hedging) is not None:
                hedging.hedge(self._spawn)
            if call.streamed and self._clock.monotonic() - call.caller.last_write >= HEARTBEAT_SECONDS:
                call.send_heartbeat()
        except Exception:
            # whatever it is, the other calls must still be watched
            logger.exception("request %s could not be looked after", call.request_id)

    def _spawn(self, work: Callable[[], None]) -> bool:
        """Run `work` in a thread of its own. Returns False if no thread is free."""
        thread = threading.Thread(target=self._run, args=(work,), name="hedged", daemon=True)
        with self._lock:
            if len(self._hedges) >= self._max_hedges:
                return False
            self._hedges.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._hedges.discard(thread)
            return False
        return True

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._hedges.discard(threading.current_thread())
