"""A rate limiter per provider with a FIFO queue; calls that cannot get a slot in time fail immediately.

Waiting belongs here and not in the handler, because the queue knows its order and when a slot comes free. Each caller
waits on its own condition over the shared lock, so that a slot wakes one thread and not hundreds: the first in the
queue sleeps until its slot is due, takes it and wakes the next one. The limiter decides under the lock, and calls
`left` outside it. It does not know what a call is, or what is sent to the provider.
"""

import threading
from collections import deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.config import schema
from gateway.core.clock import Clock
from gateway.core.durations import in_words, plural
from gateway.core.errors import CallerLeft, DeadlineExceeded, Limited
from gateway.limits.permit import Permit, RequestPermit
from gateway.limits.window import SlidingWindow

MINUTE: Final = 60.0
LOOK: Final = 0.25
"""Seconds between two checks whether a waiting caller has left."""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """The status of a limit. The names of the attributes are keys in the JSON of `explain`.

    Attributes:
        requests: calls allowed in any window of `seconds`.
        seconds: the window's length.
        used: calls that count now.
        waiting: callers in the queue.
        wait: seconds that a caller would wait now.
    """

    requests: int
    seconds: float
    used: int
    waiting: int
    wait: float


class _Place(threading.Condition):
    """The place of a waiting caller in the queue, over the limiter's lock.

    Attributes:
        released: None while it waits; "free" where the limit has gone, "gone" where its provider has.
    """

    released: Literal["free", "gone"] | None = None


class RateLimiter:
    """One provider's limit and its queue. Safe to use from many threads.

    `lock`, `count_sent` and `give_back` are for its permits (gateway.limits.permit.Slots).

    Args:
        name: the provider, for messages.
        limit: calls allowed in any `window`.
        max_queue: callers that may wait.
        max_wait: seconds; a caller that would wait longer is refused at once.
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
        self.lock = threading.Lock()
        self._queue: deque[_Place] = deque()
        self._is_lifted = False

    def __repr__(self) -> str:
        now = self.status()
        room = f"{now.used}/{now.requests} in {now.seconds:g} s"
        return f"RateLimiter({self.name}: {room}, {now.waiting} waiting, next slot in {now.wait:.1f} s)"

    def configure(self, limit: int, *, max_queue: int, max_wait: float) -> None:
        """Take new settings over, without forgetting what counts. Callers in the queue stay there."""
        with self.lock:
            self._window.limit = limit
            self._max_queue = max_queue
            self._max_wait = max_wait
            if self._queue:
                self._queue[0].notify()  # it may have room now

    def lift(self) -> None:
        """The limit has gone from the configuration: whoever waits goes at once, and nobody waits for it any more."""
        with self.lock:
            self._is_lifted = True
            self._release("free")

    def dismiss(self) -> None:
        """The provider has gone from the configuration: whoever waits for it fails with Limited, now. What was granted
        counts on."""
        with self.lock:
            self._release("gone")

    def status(self) -> LimitStatus:
        """The status now, for people."""
        with self.lock:
            now = self._clock.monotonic()
            used, waiting, wait = self._window.count(now), len(self._queue), self._expected_wait(now)
        return LimitStatus(self._window.limit, self._window.seconds, used, waiting, wait)

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        with self.lock:
            return len(self._queue)

    def expected_wait(self) -> float:
        """Seconds that a caller would wait now; 0 where there is room."""
        with self.lock:
            return self._expected_wait(self._clock.monotonic())

    def try_acquire(self) -> Permit | None:
        """Take a slot if there is room now and the queue is empty. Never waits. The caller closes the permit."""
        with self.lock:
            now = self._clock.monotonic()
            granted = self._take_if_free(now)
        return RequestPermit(self, now, 0.0) if granted else None

    def acquire(self, *, deadline: float, left: Callable[[], bool]) -> Permit:
        """Take a slot, and wait in the queue for it. A call that raises takes none. The caller closes the permit.

        Args:
            deadline: monotonic seconds; a slot at that time or later is of no use.
            left: whether the caller has left. It is called when the caller joins the queue, every 250 ms in the queue,
                and right before a slot is taken; never under the lock.

        Raises:
            Limited: at once, because the queue is full or the wait would be too long; `retry_after` has the seconds
                until there would have been a slot for this caller.
            CallerLeft: `left` became true in the queue.
            DeadlineExceeded: the deadline has passed already, or it passed in the queue because slots came later than
                expected.
        """
        with self.lock:
            began = self._clock.monotonic()
            self._check_deadline(began, deadline)
            place = None if self._take_if_free(began) else self._join_queue(began, deadline)
        if place is None:
            return RequestPermit(self, began, 0.0)
        try:
            granted = self._wait_for_slot(place, deadline, left)
        except BaseException:  # also a KeyboardInterrupt or a fault in `left` must not block the queue for ever
            self._leave_queue(place)
            raise
        return RequestPermit(self, granted, granted - began)

    def count_sent(self, granted: float) -> None:
        self._window.sent(self._clock.monotonic(), granted)

    def give_back(self, granted: float) -> None:
        self._window.give_back(self._clock.monotonic(), granted)
        self._wake_first()

    def _release(self, how: Literal["free", "gone"]) -> None:
        for place in self._queue:
            place.released = how
            place.notify()
        self._queue.clear()

    def _wait_for_slot(self, place: _Place, deadline: float, left: Callable[[], bool]) -> float:
        """Wait in the queue and take the slot. Returns the time at which it was taken."""
        while True:
            if left():
                raise CallerLeft(
                    f"The caller closed its side of the connection while waiting for the rate limit of {self.name}."
                )
            with self.lock:
                now = self._clock.monotonic()
                self._check_deadline(now, deadline)
                if place.released == "gone":
                    raise Limited(f"{self.name} is not in the configuration any more.", retry_after=1.0)
                if place.released == "free":
                    return now
                pause = self._pause(place, now)
                if pause <= 0:
                    self._window.take(now)
                    self._queue.popleft()
                    self._wake_first()
                    return now
                self._clock.wait(place, min(pause, deadline - now))

    def _pause(self, place: _Place, now: float) -> float:
        """Seconds to sleep before the next check; 0 if the slot is free now."""
        if self._queue[0] is not place:
            return LOOK
        return min(LOOK, self._window.due(now, 0) - now)

    def _leave_queue(self, place: _Place) -> None:
        with self.lock:
            if place not in self._queue:
                return
            first = self._queue[0] is place
            self._queue.remove(place)
            if first:
                self._wake_first()

    def _wake_first(self) -> None:
        # A thread that is awake misses the signal and does not need it: it looks at the queue before it sleeps.
        if self._queue:
            self._queue[0].notify()

    def _take_if_free(self, now: float) -> bool:
        if self._is_lifted:
            return True
        if self._queue or not self._window.has_room(now):
            return False
        self._window.take(now)
        return True

    def _join_queue(self, now: float, deadline: float) -> _Place:
        wait = self._expected_wait(now)
        why = self._refusal(wait, deadline - now)
        if why is not None:
            room = f"{self._window.limit} {plural('request', self._window.limit)} in {in_words(self._window.seconds)}"
            message = f"The rate limit of {self.name} ({room}) has no room: {why}. A slot is free in {in_words(wait)}."
            raise Limited(message, retry_after=wait)
        place = _Place(self.lock)
        self._queue.append(place)
        return place

    def _refusal(self, wait: float, remaining: float) -> str | None:
        """Why a caller may not wait; None if it may."""
        if wait <= 0:  # the callers in the queue are about to take their slots, and one more is free
            return None
        if len(self._queue) >= self._max_queue:
            return f"{self._max_queue} requests wait already" if self._max_queue else "requests do not wait for it"
        if wait > self._max_wait:
            return f"a request waits at most {in_words(self._max_wait)} for it"
        if wait >= remaining:
            return "the request's time is over before"
        return None

    def _expected_wait(self, now: float) -> float:
        return self._window.due(now, len(self._queue)) - now

    def _check_deadline(self, now: float, deadline: float) -> None:
        if now >= deadline:
            raise DeadlineExceeded(f"The request's time was over before the rate limit of {self.name} had room.")


class RateLimiters:
    """The limits of all providers that have one.

    Args:
        limits: as configured, at most one a provider.
        clock: the time.
    """

    def __init__(self, limits: Sequence[schema.RateLimit], clock: Clock) -> None:
        self._clock = clock
        self._limiters: dict[str, RateLimiter] = {}
        self.configure(limits)

    def configure(self, limits: Sequence[schema.RateLimit], served: Container[str] | None = None) -> None:
        """Take new settings over. A limit that goes on keeps its window and its queue: the provider counts on.

        Args:
            limits: as configured.
            served: the providers that are called; None for all. Those who wait for another one fail.
        """
        before = self._limiters
        configured: dict[str, RateLimiter] = {}
        for each in limits:
            limit, queue, wait = each.requests_per_minute, each.max_queue_size, each.max_wait_seconds
            limiter = before.get(each.provider)
            if limiter is None:
                limiter = RateLimiter(each.provider, limit, max_queue=queue, max_wait=wait, clock=self._clock)
            else:
                limiter.configure(limit, max_queue=queue, max_wait=wait)
            configured[each.provider] = limiter
        self._limiters = configured
        for name, limiter in before.items():
            if served is not None and name not in served:
                limiter.dismiss()
            if name not in configured:
                limiter.lift()

    def __repr__(self) -> str:
        return f"RateLimiters({', '.join(map(repr, self._limiters.values()))})"

    def of(self, provider: str) -> RateLimiter | None:
        """The provider's limit, if it has one."""
        return self._limiters.get(provider)
