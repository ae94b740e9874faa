"""Who may call a provider now, who waits for its turn, and who is told at once that waiting is no use.

Waiting belongs here and not to the handler, because only who holds the line knows its order and when a slot comes
free. Callers stand in one line per provider, first come, first served. Each waits on a condition of its own over the
shared lock, so that a slot wakes one thread and not hundreds: the first in line sleeps until its slot is due, takes it
and wakes the next one. Everything is decided under the lock; the caller's `left` is asked outside it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config import schema
from gateway.core.clock import Clock
from gateway.core.durations import in_words, plural
from gateway.core.errors import CallerLeft, DeadlineExceeded, Limited
from gateway.limits.window import SlidingWindow

MINUTE: Final = 60.0
LOOK: Final = 0.25
"""Seconds between two looks at whether a waiting caller is still there."""


@dataclass(frozen=True, slots=True)
class LimitStanding:
    """How a limit stands.

    Attributes:
        requests: calls allowed in any window of `seconds`.
        used: of them, by now.
        waiting: callers in line.
        wait: seconds until a caller that came now would get a slot.
    """

    requests: int
    seconds: float
    used: int
    waiting: int
    wait: float


class RateLimiter:
    """One provider's limit and the line before it.

    Args:
        name: the provider, for messages.
        limit: calls allowed in any `window`.
        max_queue: callers that may wait.
        max_wait: seconds; a wait known to be longer is refused at once.
        clock: the time.
        window: seconds.
    """

    def __init__(  # noqa: PLR0913 - the setting's values, by keyword
        self, name: str, limit: int, *, max_queue: int, max_wait: float, clock: Clock, window: float = MINUTE
    ) -> None:
        self.name = name
        self._window = SlidingWindow(limit, window)
        self._max_queue = max_queue
        self._max_wait = max_wait
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[threading.Condition] = deque()

    def __repr__(self) -> str:
        now = self.standing()
        room = f"{now.used}/{now.requests} in {now.seconds:g} s"
        return f"RateLimiter({self.name}: {room}, {now.waiting} waiting, next slot in {now.wait:.1f} s)"

    def standing(self) -> LimitStanding:
        """How it stands now, for people."""
        with self._lock:
            now = self._clock.monotonic()
            used, waiting, wait = self._window.count(now), len(self._line), self._wait(now)
        return LimitStanding(self._window.limit, self._window.seconds, used, waiting, wait)

    @property
    def waiting(self) -> int:
        """Callers in line."""
        with self._lock:
            return len(self._line)

    def expected_wait(self) -> float:
        """Seconds until a caller that came now would get a slot; 0 where there is room."""
        with self._lock:
            return self._wait(self._clock.monotonic())

    def try_acquire(self) -> bool:
        """Take a slot if there is room now and nobody is waiting. Never waits."""
        with self._lock:
            return self._walks_in(self._clock.monotonic())

    def sent(self) -> None:
        """A call that has its slot is on its way to the provider, who counts it from now on."""
        with self._lock:
            self._window.sent(self._clock.monotonic())

    def acquire(self, *, deadline: float, left: Callable[[], bool]) -> float:
        """Take a slot, waiting in line for it. Who gets none consumes none.

        Args:
            deadline: monotonic seconds; a slot at that time or later is of no use.
            left: whether the caller is gone. Asked on joining the line, every 250 ms in it, and right before a slot
                is taken; never under the lock.

        Returns:
            The seconds waited.

        Raises:
            Limited: at once, where the queue is full or the wait is known to be too long; `retry_after` says when
                there would have been a slot for this caller.
            CallerLeft: `left` turned true in line.
            DeadlineExceeded: the deadline is over already, or it came in line because the slots came later than due.
        """
        with self._lock:
            began = self._clock.monotonic()
            self._check(began, deadline)
            if self._walks_in(began):
                return 0.0
            turn = self._join(began, deadline)
        try:
            return self._stand(turn, deadline, left) - began
        except BaseException:  # also a KeyboardInterrupt or a fault in `left` must not block the line for ever
            self._leave(turn)
            raise

    def _stand(self, turn: threading.Condition, deadline: float, left: Callable[[], bool]) -> float:
        """Wait in line and take the slot; the time it was taken."""
        while True:
            if left():
                raise CallerLeft(
                    f"The caller closed its side of the connection while waiting for the rate limit of {self.name}."
                )
            with self._lock:
                now = self._clock.monotonic()
                self._check(now, deadline)
                pause = self._pause(turn, now)
                if pause <= 0:
                    self._window.take(now)
                    self._line.popleft()
                    self._wake_first()
                    return now
                self._clock.wait(turn, min(pause, deadline - now))

    def _pause(self, turn: threading.Condition, now: float) -> float:
        """Seconds to sleep before looking again; 0 where the slot is there."""
        if self._line[0] is not turn:
            return LOOK
        return min(LOOK, self._window.due(now, 0) - now)

    def _leave(self, turn: threading.Condition) -> None:
        with self._lock:
            if turn not in self._line:
                return
            first = self._line[0] is turn
            self._line.remove(turn)
            if first:
                self._wake_first()

    def _wake_first(self) -> None:
        # Who is not asleep just now misses the signal, and needs none: it looks at the line before it sleeps.
        if self._line:
            self._line[0].notify()

    def _walks_in(self, now: float) -> bool:
        if self._line or not self._window.has_room(now):
            return False
        self._window.take(now)
        return True

    def _join(self, now: float, deadline: float) -> threading.Condition:
        wait = self._wait(now)
        why = self._refusal(wait, deadline - now)
        if why is not None:
            room = f"{self._window.limit} {plural('request', self._window.limit)} in {in_words(self._window.seconds)}"
            message = f"The rate limit of {self.name} ({room}) has no room: {why}. A slot is free in {in_words(wait)}."
            raise Limited(message, retry_after=wait)
        turn = threading.Condition(self._lock)
        self._line.append(turn)
        return turn

    def _refusal(self, wait: float, remaining: float) -> str | None:
        """Why a caller may not wait, if it may not."""
        if wait <= 0:  # those in line are about to take their slots, and there is one more: nothing to wait for
            return None
        if len(self._line) >= self._max_queue:
            return f"{self._max_queue} requests wait already" if self._max_queue else "requests do not wait for it"
        if wait > self._max_wait:
            return f"a request waits at most {in_words(self._max_wait)} for it"
        if wait >= remaining:
            return "the request's time is over before"
        return None

    def _wait(self, now: float) -> float:
        return self._window.due(now, len(self._line)) - now

    def _check(self, now: float, deadline: float) -> None:
        if now >= deadline:
            raise DeadlineExceeded(f"The request's time was over before the rate limit of {self.name} had room.")


class RateLimiters:
    """The limits of all providers that have one.

    Args:
        limits: as configured, at most one a provider.
        clock: the time.
    """

    def __init__(self, limits: Sequence[schema.RateLimit], clock: Clock) -> None:
        self._limiters = {
            each.provider: RateLimiter(
                each.provider,
                each.requests_per_minute,
                max_queue=each.max_queue_size,
                max_wait=each.max_wait_seconds,
                clock=clock,
            )
            for each in limits
        }

    def __repr__(self) -> str:
        return f"RateLimiters({', '.join(map(repr, self._limiters.values()))})"

    def of(self, provider: str) -> RateLimiter | None:
        """The provider's limit, if it has one."""
        return self._limiters.get(provider)
