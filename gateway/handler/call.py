"""One request on its way: what is known of it, what it holds, and what the log will say of it."""

import threading
from collections.abc import Callable

from gateway.core.chat import Usage
from gateway.core.clock import Clock
from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError
from gateway.providers.base import Cuttable
from gateway.routing.router import Target


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

    def check(self) -> None:
        """Raises CallerLeft, Draining or DeadlineExceeded where going on makes no sense."""
        if self._ended is not None:
            raise self._ended
        if self.left():
            raise CallerLeft("The caller has left.")
        if self.remaining() <= 0:
            raise DeadlineExceeded("No answer within gateway.requestTimeoutSeconds.")

    @property
    def ended(self) -> GatewayError | None:
        """Why it was ended from outside, if it was."""
        return self._ended


class Calls:
    """The calls that are running, and the thread that looks after them.

    A thread that waits for a silent provider cannot notice that its caller has left. So one thread looks at all of
    them a few times a second, and ends those whose caller is gone.
    """

    INTERVAL = 0.25

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Call] = set()
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

    def end_all(self) -> int:
        """End every running call because the gateway stops; how many there were."""
        running = self._list()
        for call in running:
            call.end(Draining("The gateway was stopped before the answer was complete."))
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
            for call in self._list():
                if call.left():
                    call.end(CallerLeft("The caller has left."))
