"""The running calls, and the thread that looks at all of them."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import Draining
from gateway.dispatch.call import DRAINING_RETRY, Call

MOST_BESIDE: Final = 64
"""Threads. Past it a slow target is waited for, as if no other stood ready."""
HEARTBEAT_SECONDS: Final = 15.0
"""Seconds of silence after which a caller that waits for a stream is told that it still waits."""

logger = logging.getLogger(__name__)


class CallWatchdog:
    """The calls that are running, and the thread that looks after them.

    A thread that waits for a silent provider cannot notice that its caller has left, and a provider that sends a byte
    now and then never seems silent. So one thread looks at all calls a few times a second: it ends those whose caller
    is gone or whose time is over, has a second target asked beside a slow one, and lets callers hear that they still
    wait.

    Args:
        clock: for their silence.
        most_beside: threads for targets that are asked beside others.
    """

    INTERVAL = 0.25

    def __init__(self, clock: Clock, most_beside: int = MOST_BESIDE) -> None:
        self._clock = clock
        self._most_beside = most_beside
        self._beside: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._running: set[Call] = set()
        self._draining = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="callers", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, call: Call) -> None:
        """It runs from here on."""
        with self._lock:
            self._running.add(call)

    def remove(self, call: Call) -> None:
        """It has ended. Idempotent."""
        with self._lock:
            self._running.discard(call)
        call.forget()

    def cancel_queued(self) -> None:
        """End the calls that wait for a rate limit, now and later: the gateway stops, and nobody has been asked yet."""
        self._draining = True
        for call in self._list():
            if call.in_queue:
                call.end(Draining("The gateway is shutting down.", retry_after=DRAINING_RETRY))

    def end_all(self) -> int:
        """End every running call because the gateway stops; how many there were."""
        running = self._list()
        for call in running:
            why = "The gateway was stopped before the answer was complete."
            call.end(Draining(why, retry_after=DRAINING_RETRY))
        return len(running)

    def close(self) -> None:
        """End the thread. Idempotent."""
        self._closing.set()
        self._thread.join()
        self.end_all()
        with self._lock:
            beside = list(self._beside)
        for thread in beside:
            thread.join()

    def _list(self) -> list[Call]:
        with self._lock:
            return list(self._running)

    def _watch(self) -> None:
        while not self._closing.wait(self.INTERVAL):
            if self._draining:
                self.cancel_queued()  # also those that have come to a queue since
            for call in self._list():
                self._look_after(call)

    def _look_after(self, call: Call) -> None:
        try:
            if (why := call.over()) is not None:
                call.end(why)
                return
            if (race := call.race) is not None:
                race.hedge(self._spawn)
            if call.streamed and self._clock.monotonic() - call.caller.last_write >= HEARTBEAT_SECONDS:
                call.caller.heartbeat()
        except Exception:
            # whatever it is, the other calls still need looking after
            logger.exception("request %s could not be looked after", call.request_id)

    def _spawn(self, work: Callable[[], None]) -> bool:
        thread = threading.Thread(target=self._run, args=(work,), name="beside", daemon=True)
        with self._lock:
            if len(self._beside) >= self._most_beside:
                return False
            self._beside.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._beside.discard(thread)
            return False
        return True

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._beside.discard(threading.current_thread())
