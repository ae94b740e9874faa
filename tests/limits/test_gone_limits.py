"""Limits and providers that go from the configuration while callers wait for them."""

import threading
from collections.abc import Sequence

import pytest

from gateway.config.rate_limit import RateLimit
from gateway.core.errors import Limited
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from tests.support.edge import LIMIT, until
from tests.support.fakes import DrivenClock
from tests.support.limits import engine_of, used

pytestmark = pytest.mark.usefixtures("both_engines")

LONG = 3600.0


class Waiting:
    """Callers that wait for the limit of a provider, and what has become of each."""

    def __init__(self, limiter: RateLimiter, count: int, clock: DrivenClock) -> None:
        self.ends: list[str] = []
        self._deadline = clock.monotonic() + LONG
        self._limiter = limiter
        self._threads = [threading.Thread(target=self._wait) for _ in range(count)]
        for each in self._threads:
            each.start()
        until(lambda: limiter.waiting == count)

    def _wait(self) -> None:
        try:
            permit = self._limiter.acquire(deadline=self._deadline, left=lambda: False)
        except Limited as limited:
            self.ends.append(limited.message)
            return
        self.ends.append("granted")
        permit.sent()
        permit.close()

    def ended(self) -> Sequence[str]:
        for each in self._threads:
            each.join(LIMIT)
        return self.ends


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


def limit(number: int) -> RateLimit:
    return RateLimit(provider="acme", requests_per_minute=number, max_wait_seconds=LONG)


def full(clock: DrivenClock) -> tuple[RateLimiters, RateLimiter]:
    limiters = RateLimiters([limit(2)], engine_of(clock))
    limiter = limiters.of("acme")
    assert limiter is not None
    for _ in range(2):
        permit = limiter.try_acquire()
        assert permit is not None
        permit.sent()
    return limiters, limiter


def test_a_limit_that_goes_lets_its_line_through(clock: DrivenClock) -> None:
    limiters, limiter = full(clock)
    waiting = Waiting(limiter, 3, clock)
    limiters.configure([], {"acme"})
    assert waiting.ended() == ["granted"] * 3
    assert limiters.of("acme") is None
    assert limiter.waiting == 0


def test_who_has_found_it_just_before_does_not_wait_for_what_has_gone(clock: DrivenClock) -> None:
    limiters, limiter = full(clock)
    limiters.configure([], {"acme"})
    permit = limiter.acquire(deadline=clock.monotonic() + 1, left=lambda: False)
    permit.sent()
    permit.close()
    assert limiter.try_acquire() is not None
    assert used(limiter) == 2, "what it counted stays"


@pytest.mark.parametrize("limits", [[], [limit(2)]], ids=["with its limit", "switched off"])
def test_a_provider_that_goes_fails_its_line(clock: DrivenClock, limits: Sequence[RateLimit]) -> None:
    limiters, limiter = full(clock)
    waiting = Waiting(limiter, 3, clock)
    limiters.configure(limits, {"other"})
    assert waiting.ended() == ["acme is not in the configuration any more."] * 3


def test_a_provider_that_is_switched_off_and_on_has_its_window(clock: DrivenClock) -> None:
    limiters, limiter = full(clock)
    limiters.configure([limit(2)], {"other"})
    limiters.configure([limit(2)], {"acme"})
    again = limiters.of("acme")
    assert again is not None and again.try_acquire() is None
    assert used(limiter) == 2


def test_a_lower_limit_lets_nobody_through_until_the_window_has_room(clock: DrivenClock) -> None:
    limiters, limiter = full(clock)
    waiting = Waiting(limiter, 2, clock)
    limiters.configure([limit(1)], {"acme"})
    assert (used(limiter), limiter.waiting) == (2, 2)
    limiters.configure([limit(3)], {"acme"})
    until(lambda: waiting.ends == ["granted"])
    assert limiter.waiting == 1
    limiters.configure([limit(9)], {"acme"})
    assert waiting.ended() == ["granted"] * 2
    assert used(limiter) == 4
