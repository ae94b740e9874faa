"""One request on its way: what is known of it, what it holds, and what the log will say of it."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from gateway.core.chat import Usage
from gateway.core.clock import Clock
from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError
from gateway.providers.base import Cuttable
from gateway.routing.router import Target

logger = logging.getLogger(__name__)

DRAINING_RETRY: Final = 5.0
"""Seconds after which a gateway that was told to stop may be there again."""


class Call:
    """A request from the moment it is read until its last byte is written.

    Args:
        request_id: shown to the caller and in the log.
        clock: for its deadline and its durations.
        timeout: seconds until the deadline.
        left: whether the caller has hung up.
    """

    def __init__(self, request_id: str, clock: Clock, *, timeout: float, left: Callable[[], bool]) -> None:
        self.request_id = request_id
        self.left = left
        self.started = clock.monotonic()
        self.deadline = self.started + timeout
        self.model = ""
        self.streamed = False
        self.target: Target | None = None
        self.attempts: list[tuple[Target, str]] = []
        self.in_queue = False
        self.queued = 0.0
        self.first_content: float | None = None
        self.usage: Usage | None = None
        self.dropped: tuple[str, ...] = ()
        self.skipped_events = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Cuttable | None = None
        self._ended: GatewayError | None = None

    def age(self) -> float:
        """Seconds since it came."""
        return self._clock.monotonic() - self.started

    def remaining(self) -> float:
        """Seconds until its deadline."""
        return self.deadline - self._clock.monotonic()

    def hold(self, held: Cuttable) -> None:
        """`held` is what it now waits for; ends it at once if the call was ended meanwhile."""
        with self._lock:
            self._held = held
            ended = self._ended is not None
        if ended:
            held.cut()

    def end(self, why: GatewayError) -> None:
        """End it from another thread: what it waits for is cut, and `check` raises `why`."""
        with self._lock:
            if self._ended is None:
                self._ended = why
            held = self._held
        if held is not None:
            held.cut()

    def over(self) -> GatewayError | None:
        """Why going on makes no sense (CallerLeft, Draining, DeadlineExceeded), if it does not."""
        if self._ended is not None:
            return self._ended
        if self.left():
            return CallerLeft("The caller has left.")
        if self.remaining() <= 0:
            return DeadlineExceeded("No answer within gateway.requestTimeoutSeconds.")
        return None

    def check(self) -> None:
        """Raises what `over` gives."""
        if (why := self.over()) is not None:
            raise why

    @property
    def ended(self) -> GatewayError | None:
        """Why it was ended from outside, if it was."""
        return self._ended


class Calls:
    """The calls that are running, and the thread that looks after them.

    A thread that waits for a silent provider cannot notice that its caller has left, and a provider that sends a byte
    now and then never seems silent. So one thread looks at all calls a few times a second, and ends those whose caller
    is gone or whose time is over.
    """

    INTERVAL = 0.25

    def __init__(self) -> None:
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

    def end_queued(self) -> None:
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

    def _list(self) -> list[Call]:
        with self._lock:
            return list(self._running)

    def _watch(self) -> None:
        while not self._closing.wait(self.INTERVAL):
            if self._draining:
                self.end_queued()  # also those that have come to a queue since
            for call in self._list():
                self._look_after(call)

    def _look_after(self, call: Call) -> None:
        try:
            if (why := call.over()) is not None:
                call.end(why)
        except Exception:
            # whatever it is, the other calls still need looking after
            logger.exception("request %s could not be ended", call.request_id)
