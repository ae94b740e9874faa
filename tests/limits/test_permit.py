"""Permits against a brute-force window: what was sent counts from then, and what was never sent counts nothing."""

import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.core.answer import Usage
from gateway.core.errors import Limited
from gateway.limits.permit import UNLIMITED, Permit
from gateway.limits.rate_limiter import RateLimiter
from tests.support.fakes import DrivenClock, FakeClock
from tests.support.limits import requests_row, used

pytestmark = pytest.mark.usefixtures("both_engines")

WINDOW = 10.0
HANG = 30.0
"""Seconds after which a thread that has not come back has hung."""


def limiter(clock: FakeClock | DrivenClock, limit: int = 1) -> RateLimiter:
    return requests_row("p", limit, max_queue=50, max_wait=1000.0, clock=clock, window=WINDOW)


def acquired(limited: RateLimiter) -> Permit:
    permit = limited.try_acquire()
    assert permit is not None
    return permit


class PermitMachine(RuleBasedStateMachine):
    """Permits are acquired, sent and closed in any order and any number of times. The model is a list of times."""

    @initialize(limit=st.integers(1, 5))
    def start(self, limit: int) -> None:
        self.clock = FakeClock()
        self.limit = limit
        self.limited = limiter(self.clock, limit)
        self.permits: list[Permit] = []
        self.counts_from: dict[Permit, float] = {}
        self.open: set[Permit] = set()
        self.departures: list[float] = []

    def used(self) -> int:
        now = self.clock.monotonic()
        return sum(since + WINDOW > now for since in self.counts_from.values())

    def keep(self, permit: Permit) -> None:
        self.permits.append(permit)
        self.open.add(permit)
        self.counts_from[permit] = self.clock.monotonic()

    @rule(eighths=st.integers(0, 60))
    def time_passes(self, eighths: int) -> None:
        self.clock.advance(eighths / 8)

    @rule()
    def one_tries(self) -> None:
        has_room = self.used() < self.limit
        permit = self.limited.try_acquire()
        assert (permit is not None) is has_room
        if permit is not None:
            assert permit.waited == 0
            self.keep(permit)

    @rule()
    def one_queues(self) -> None:
        before = self.clock.monotonic()
        permit = self.limited.acquire(deadline=math.inf, left=lambda: False)
        assert permit.waited == self.clock.monotonic() - before
        self.keep(permit)

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def one_is_sent(self, data: st.DataObject) -> None:
        permit = data.draw(st.sampled_from(self.permits))
        permit.sent()
        now = self.clock.monotonic()
        if permit in self.open and self.counts_from[permit] + WINDOW > now:  # who takes longer has given up
            self.counts_from[permit] = now
            self.departures.append(now)
        self.open.discard(permit)

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def one_is_closed(self, data: st.DataObject) -> None:
        permit = data.draw(st.sampled_from(self.permits))
        permit.settle(Usage(900, 100))
        permit.close()
        if permit in self.open:
            del self.counts_from[permit]
        self.open.discard(permit)

    @invariant()
    def the_limit_counts_what_the_model_counts(self) -> None:
        assert used(self.limited) == self.used()
        assert (self.limited.expected_wait() == 0) is (self.used() < self.limit)

    @invariant()
    def no_window_holds_more_departures_than_the_limit(self) -> None:
        for first, one_too_many in zip(self.departures, self.departures[self.limit :], strict=False):
            assert one_too_many >= first + WINDOW


def test_permits_in_any_order_count_what_the_model_counts() -> None:
    run_state_machine_as_test(PermitMachine, settings=settings(stateful_step_count=40))


def test_a_request_counts_from_when_it_leaves() -> None:
    clock = FakeClock()
    limited = limiter(clock)
    permit = acquired(limited)
    clock.advance(4)
    permit.sent()
    permit.close()
    assert limited.expected_wait() == WINDOW
    clock.advance(WINDOW)
    assert limited.try_acquire()


def test_only_the_first_report_counts() -> None:
    clock = FakeClock()
    limited = limiter(clock)
    permit = acquired(limited)
    permit.sent()
    clock.advance(4)
    permit.sent()
    assert limited.expected_wait() == 6


def test_a_request_that_never_leaves_gives_its_slot_back_once() -> None:
    limited = limiter(FakeClock(), 2)
    first, second = acquired(limited), acquired(limited)
    first.close()
    first.close()
    assert used(limited) == 1
    second.sent()
    first.sent()
    assert used(limited) == 1


def test_a_slot_that_is_given_back_goes_to_the_first_in_the_queue_at_once() -> None:
    clock = DrivenClock()
    limited = limiter(clock)
    permit = acquired(limited)
    ident: Future[int] = Future()

    def wait() -> float:
        ident.set_result(threading.get_ident())
        return limited.acquire(deadline=math.inf, left=lambda: False).waited

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        clock.until_asleep(ident.result(HANG))
        permit.close()
        assert waiting.result(HANG) == 0
    assert limited.waiting == 0


def test_a_call_that_is_refused_holds_nothing() -> None:
    limited = requests_row("p", 1, max_queue=0, max_wait=0, clock=FakeClock(), window=WINDOW)
    permit = acquired(limited)
    with pytest.raises(Limited):
        limited.acquire(deadline=math.inf, left=lambda: False)
    permit.close()
    assert used(limited) == 0


def test_without_a_limit_a_permit_holds_nothing() -> None:
    assert UNLIMITED.waited == 0
    UNLIMITED.sent()
    UNLIMITED.settle(Usage(9, 1))
    UNLIMITED.close()
