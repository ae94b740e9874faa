"""One request on its way: what is known of it, what it holds, and what the log will say of it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from gateway.core.answer import Usage
from gateway.core.clock import Clock
from gateway.core.errors import CallerLeft, DeadlineExceeded, GatewayError
from gateway.dispatch.caller import Caller
from gateway.providers.base import Cancellable
from gateway.routing.router import Target

logger = logging.getLogger(__name__)

MAX_TRIES: Final = 6
"""Requests to providers on behalf of one call. More helps nobody: clients try again by themselves."""
MOST_BESIDE: Final = 64
"""Threads. Past it a slow target is waited for, as if no other stood ready."""
HEARTBEAT_SECONDS: Final = 15.0
"""Seconds of silence after which a caller that waits for a stream is told that it still waits."""
DRAINING_RETRY: Final = 5.0
"""Seconds after which a gateway that was told to stop may be there again."""


def no_op() -> None:
    """What is done at the end of a call that holds nothing."""


class Hedged(Protocol):
    """What may ask a second target beside a slow one."""

    def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
        """Do so, if it is time; `spawn` runs something in a thread of its own, or says that there is none."""


class Call:
    """A request from the moment it is read until its last byte is written.

    Args:
        request_id: shown to the caller and in the log.
        clock: for its deadline and its durations.
        timeout: seconds until the deadline.
        caller: who waits for the answer.
        endpoint: the name of the route that it came by.
        release: is called once, when the call is over.
    """

    # what most calls never set stands here, where making a call costs nothing for it
    model = ""
    streamed = False
    target: Target | None = None
    queued = 0.0
    first_content: float | None = None
    usage: Usage | None = None
    dropped: tuple[str, ...] = ()
    skipped_events = 0
    race: Hedged | None = None
    _tries = 0
    _asking = 0
    _in_line = 0
    _ended: GatewayError | None = None

    def __init__(  # noqa: PLR0913 - what a call is made of, by keyword
        self,
        request_id: str,
        clock: Clock,
        *,
        timeout: float,
        caller: Caller,
        endpoint: str = "chat",
        release: Callable[[], None] = no_op,
    ) -> None:
        self.request_id = request_id
        self.caller = caller
        self.endpoint = endpoint
        self._release = release
        self.started = clock.monotonic()
        self.deadline = self.started + timeout
        self.attempts: list[tuple[Target, str]] = []
        self.broke: list[Target] = []
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: list[Cancellable] = []

    def age(self) -> float:
        """Seconds since it came."""
        return self._clock.monotonic() - self.started

    def remaining(self) -> float:
        """Seconds until its deadline."""
        return self.deadline - self._clock.monotonic()

    def enter(self, run: Cancellable) -> None:
        """`run` works on it; ends that at once if the call was ended meanwhile."""
        with self._lock:
            self._runs.append(run)
            ended = self._ended is not None
        if ended:
            run.cancel()

    def forget(self) -> None:
        """It has ended: what its runs held is theirs no more, and is free at once."""
        with self._lock:
            self._runs.clear()
            release, self._release = self._release, no_op
        release()

    def end(self, why: GatewayError) -> None:
        """End it from another thread: what it waits for is cut, and `check` raises `why`."""
        with self._lock:
            if self._ended is None:
                self._ended = why
            runs = list(self._runs)
        for run in runs:
            run.cancel()

    @property
    def has_tries(self) -> bool:
        """Whether a provider may be asked once more on its behalf."""
        return self._tries < MAX_TRIES

    def take_try(self) -> bool:
        """Count one more request to a provider; False where it has had its share."""
        with self._lock:
            if self._tries >= MAX_TRIES:
                return False
            self._tries += 1
            self._asking += 1
            return True

    def tried(self) -> None:
        """A request that `take_try` counted has its answer, or none."""
        with self._lock:
            self._asking -= 1

    @contextmanager
    def in_line(self) -> Iterator[None]:
        """While one of its runs waits for a rate limit."""
        with self._lock:
            self._in_line += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_line -= 1

    @property
    def in_queue(self) -> bool:
        """Whether it only waits for a rate limit: nobody is asked on its behalf, and nothing has been said."""
        return bool(self._in_line) and not self._asking and self.first_content is None

    def over(self) -> GatewayError | None:
        """Why going on makes no sense (CallerLeft, Draining, DeadlineExceeded), if it does not."""
        if self._ended is not None:
            return self._ended
        if self.caller.left:
            return CallerLeft("The caller closed its side of the connection.")
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
