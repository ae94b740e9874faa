"""The line before a provider: order, limit, refusals, leavers; with time driven by the test, and once for real."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import CallerLeft, DeadlineExceeded, GatewayError, Limited
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from tests.support.fakes import DrivenClock, FakeClock
from tests.support.limits import engine_of, requests_row

pytestmark = pytest.mark.usefixtures("both_engines")

HANG = 30.0
"""Seconds after which a thread that has not come back has hung."""


def stays() -> bool:
    return False


def limiter(clock: Clock, limit: int = 1, *, max_queue: int = 50, max_wait: float = 1000.0) -> RateLimiter:
    return requests_row("openai", limit, max_queue=max_queue, max_wait=max_wait, clock=clock)


def acquire(limited: RateLimiter, *, deadline: float = math.inf, left: Callable[[], bool] = stays) -> float:
    """Take a slot. Returns the seconds waited."""
    return limited.acquire(deadline=deadline, left=left).waited


class Callers:
    """Callers in threads of their own, who come one after the other and then wait in line."""

    def __init__(self, limited: RateLimiter, clock: DrivenClock, pool: ThreadPoolExecutor) -> None:
        self._limited, self._clock, self._pool = limited, clock, pool
        self._threads: dict[Future[float], int] = {}

    def comes(self, left: Callable[[], bool] = stays, *, deadline: float = math.inf) -> Future[float]:
        """One comes; on return it sleeps in line."""
        thread: Future[int] = Future()

        def waited() -> float:
            thread.set_result(threading.get_ident())
            return acquire(self._limited, deadline=deadline, left=left)

        caller = self._pool.submit(waited)
        self._threads[caller] = thread.result(HANG)
        self.sleeps(caller)
        return caller

    def sleeps(self, caller: Future[float]) -> None:
        """Blocks until the caller sleeps in line."""
        self._clock.until_asleep(self._threads[caller])


@contextmanager
def line(limited: RateLimiter, clock: DrivenClock) -> Iterator[Callers]:
    """A place for callers; whoever still waits at the end of the test is served, so that no thread stays."""
    with ThreadPoolExecutor(32) as pool:
        try:
            yield Callers(limited, clock, pool)
        finally:
            while limited.waiting:
                clock.advance(60)


# One thread -------------------------------------------------------------------------------------------------------


def test_a_caller_with_room_does_not_wait() -> None:
    limited = limiter(FakeClock(), 3)
    assert [acquire(limited) for _ in range(3)] == [0, 0, 0]


def test_a_caller_without_room_waits_until_the_first_slot_leaves_the_window() -> None:
    clock = FakeClock()
    limited = limiter(clock, 2)
    acquire(limited)
    clock.advance(10)
    acquire(limited)
    clock.advance(5)
    assert acquire(limited) == 45
    assert acquire(limited) == 10


def test_trying_takes_a_slot_only_where_there_is_one() -> None:
    clock = FakeClock()
    limited = limiter(clock, 2)
    assert [bool(limited.try_acquire()) for _ in range(4)] == [True, True, False, False]
    clock.advance(60)
    assert limited.try_acquire()


def test_the_expected_wait_is_the_wait() -> None:
    clock = FakeClock()
    limited = limiter(clock, 1)
    assert limited.expected_wait() == 0
    acquire(limited)
    clock.advance(12.5)
    assert limited.expected_wait() == 47.5
    assert acquire(limited) == 47.5


def test_a_limit_without_a_queue_refuses_at_once() -> None:
    clock = FakeClock()
    limited = limiter(clock, max_queue=0)
    acquire(limited)
    clock.advance(15)
    with pytest.raises(Limited) as caught:
        acquire(limited)
    assert caught.value.retry_after == 45
    assert caught.value.message == (
        "requestsPerMinute of openai: 1 of 1 used; requests do not wait for it; free in 45 seconds."
    )
    assert clock.monotonic() == 1015


def test_a_wait_longer_than_allowed_is_refused_at_once_and_one_as_long_is_not() -> None:
    clock = FakeClock()
    limited = limiter(clock, max_wait=30)
    acquire(limited)
    clock.advance(29.5)
    with pytest.raises(Limited) as caught:
        acquire(limited)
    assert caught.value.retry_after == 30.5
    assert "a request waits at most 30 seconds for it; free in 31 seconds." in caught.value.message
    clock.advance(0.5)
    assert acquire(limited) == 30


@pytest.mark.parametrize("deadline", [1059.0, 1060.0])
def test_a_wait_until_the_deadline_is_refused_at_once(deadline: float) -> None:
    clock = FakeClock()
    limited = limiter(clock)
    acquire(limited)
    with pytest.raises(Limited) as caught:
        acquire(limited, deadline=deadline)
    assert caught.value.retry_after == 60
    assert "the request's time is over before" in caught.value.message
    assert clock.monotonic() == 1000


def test_a_slot_before_the_deadline_is_waited_for() -> None:
    limited = limiter(FakeClock())
    acquire(limited)
    assert acquire(limited, deadline=1060.125) == 60


def test_a_deadline_that_is_over_takes_no_slot() -> None:
    limited = limiter(FakeClock())
    with pytest.raises(DeadlineExceeded):
        acquire(limited, deadline=1000)
    assert limited.try_acquire()


def test_a_deadline_that_passes_because_the_slot_came_late_ends_the_wait() -> None:
    clock = FakeClock()
    limited = limiter(clock)
    acquire(limited)

    def stuck() -> bool:
        clock.advance(40)
        return False

    with pytest.raises(DeadlineExceeded):
        acquire(limited, deadline=1061, left=stuck)
    assert limited.waiting == 0
    assert limited.try_acquire()


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (0.2, "1 second"),
        (45, "45 seconds"),
        (60, "60 seconds"),
        (61, "1 minute 1 second"),
        (3600, "1 hour"),
        (7500, "2 hours 5 minutes"),
    ],
)
def test_a_refusal_tells_the_wait_in_words(window: float, words: str) -> None:
    limited = requests_row("openai", 1, max_queue=0, max_wait=0, clock=FakeClock(), window=window)
    acquire(limited)
    with pytest.raises(Limited) as caught:
        acquire(limited)
    assert caught.value.message.endswith(f"free in {words}.")


def test_a_caller_that_has_left_is_looked_for_every_quarter_second() -> None:
    clock = FakeClock()
    limited = limiter(clock)
    acquire(limited)
    looks: list[float] = []

    def left() -> bool:
        looks.append(clock.monotonic() - 1000)
        return len(looks) > 4

    with pytest.raises(CallerLeft):
        acquire(limited, left=left)
    assert looks == [0, 0.25, 0.5, 0.75, 1]
    assert limited.waiting == 0


def test_a_caller_that_leaves_just_before_its_slot_consumes_none() -> None:
    clock = FakeClock()
    limited = limiter(clock)
    acquire(limited)
    with pytest.raises(CallerLeft):
        acquire(limited, left=lambda: clock.monotonic() >= 1060)
    assert limited.try_acquire()


def test_a_fault_while_waiting_does_not_block_the_line() -> None:
    limited = limiter(FakeClock())
    acquire(limited)

    def broken() -> bool:
        raise RuntimeError("the socket is gone")

    with pytest.raises(RuntimeError, match="the socket is gone"):
        acquire(limited, left=broken)
    assert limited.waiting == 0
    assert acquire(limited) == 60


def test_whether_the_caller_left_is_asked_without_holding_the_lock() -> None:
    limited = limiter(FakeClock())
    acquire(limited)
    seen: list[int] = []

    def left() -> bool:
        seen.append(limited.waiting)  # would hang if the lock were held
        return True

    with pytest.raises(CallerLeft):
        acquire(limited, left=left)
    assert seen == [1]


def test_its_repr_tells_a_log_what_goes_on() -> None:
    clock = FakeClock()
    limited = limiter(clock, 2)
    assert repr(limited) == "RateLimiter(openai: requestsPerMinute 0/2, 0 waiting, next slot in 0.0 s)"
    acquire(limited)
    acquire(limited)
    clock.advance(17.5)
    assert repr(limited) == "RateLimiter(openai: requestsPerMinute 2/2, 0 waiting, next slot in 42.5 s)"


class LimiterMachine(RuleBasedStateMachine):
    """One caller at a time, of every kind, against the bare rule: never more than the limit in any window."""

    @initialize(limit=st.integers(1, 4), max_queue=st.integers(0, 1), max_wait=st.integers(0, 70))
    def start(self, limit: int, max_queue: int, max_wait: int) -> None:
        self.clock = FakeClock()
        self.limit, self.max_queue, self.max_wait = limit, max_queue, max_wait
        self.limited = limiter(self.clock, limit, max_queue=max_queue, max_wait=max_wait)
        self.grants: list[float] = []

    def wait(self) -> float:
        """Brute force: the grant that must leave the window first."""
        now = self.clock.monotonic()
        counting = sorted(grant for grant in self.grants if grant > now - 60)
        return 0.0 if len(counting) < self.limit else counting[-self.limit] + 60 - now

    @rule(eighths=st.integers(0, 400))
    def time_passes(self, eighths: int) -> None:
        self.clock.advance(eighths / 8)

    @rule()
    def one_tries(self) -> None:
        free = self.wait() == 0
        assert bool(self.limited.try_acquire()) is free
        if free:
            self.grants.append(self.clock.monotonic())

    @rule(eighths=st.integers(1, 800))
    def one_queues(self, eighths: int) -> None:
        wait, now = self.wait(), self.clock.monotonic()
        refused = wait > 0 and (self.max_queue == 0 or wait > self.max_wait or wait >= eighths / 8)
        try:
            waited = acquire(self.limited, deadline=now + eighths / 8)
        except Limited as limited:
            assert refused and limited.retry_after == wait and self.clock.monotonic() == now
        else:
            assert not refused and waited == wait == self.clock.monotonic() - now
            self.grants.append(self.clock.monotonic())

    @rule(eighths=st.integers(0, 480))
    def one_queues_and_leaves(self, eighths: int) -> None:
        end = self.clock.monotonic() + eighths / 8
        try:
            acquire(self.limited, left=lambda: self.clock.monotonic() >= end)
        except (CallerLeft, Limited):
            return
        self.grants.append(self.clock.monotonic())

    @invariant()
    def no_window_holds_more_than_the_limit(self) -> None:
        for end in self.grants:
            assert sum(end - 60 < grant <= end for grant in self.grants) <= self.limit

    @invariant()
    def what_is_told_is_true(self) -> None:
        assert self.limited.expected_wait() == self.wait()
        assert self.limited.waiting == 0


def test_a_limiter_tells_the_truth_and_keeps_the_limit_in_any_order() -> None:
    run_state_machine_as_test(LimiterMachine, settings=settings(stateful_step_count=25))


# A line of threads, time driven by the test -----------------------------------------------------------------------


def test_callers_are_served_in_the_order_they_came() -> None:
    clock = DrivenClock()
    limited = limiter(clock, 2)
    acquire(limited)
    acquire(limited)
    with line(limited, clock) as callers:
        waiting = [callers.comes() for _ in range(6)]
        assert limited.waiting == 6
        assert limited.expected_wait() == 240
        for served in (2, 4, 6):
            clock.advance(60)
            for caller in waiting[served - 2 : served]:
                assert caller.result(HANG) == 30 * served
            assert not any(caller.done() for caller in waiting[served:])


def test_a_place_is_not_given_away_to_who_only_tries() -> None:
    clock = DrivenClock()
    limited = limiter(clock, 2)
    acquire(limited)
    acquire(limited)
    gate = threading.Event()

    def held_up() -> bool:
        return clock.monotonic() >= 1060 and not gate.wait(HANG)

    with line(limited, clock) as callers:
        first = callers.comes(left=held_up)
        clock.advance(60)
        assert limited.waiting == 1
        assert limited.try_acquire(), "there is room for it and for the one who waits"
        assert not limited.try_acquire()
        gate.set()
        assert first.result(HANG) == 60
    assert not limited.try_acquire()


def test_a_full_queue_refuses_the_next_at_once_with_the_time_of_its_own_slot() -> None:
    clock = DrivenClock()
    limited = limiter(clock, max_queue=2)
    acquire(limited)
    with line(limited, clock) as callers:
        waiting = [callers.comes(), callers.comes()]
        with pytest.raises(Limited) as caught:
            acquire(limited)
        assert caught.value.retry_after == 180
        assert caught.value.message == (
            "requestsPerMinute of openai: 1 of 1 used, 2 waiting; 2 requests wait already; free in 3 minutes."
        )
        clock.advance(60)
        assert waiting[0].result(HANG) == 60
        waiting.append(callers.comes())
        clock.advance(60)
        assert waiting[1].result(HANG) == 120
        clock.advance(60)
        assert waiting[2].result(HANG) == 120


def test_a_queue_whose_callers_are_all_due_refuses_nobody_who_need_not_wait() -> None:
    clock = DrivenClock()
    limited = limiter(clock, 3, max_queue=1)
    for _ in range(3):
        acquire(limited)
    gate = threading.Event()

    def held_up() -> bool:
        return clock.monotonic() >= 1060 and not gate.wait(HANG)

    with line(limited, clock) as callers:
        first = callers.comes(left=held_up)
        clock.advance(60)
        assert acquire(limited) == 0, "a slow waker does not hold the line"
        assert limited.waiting == 1
        gate.set()
        assert first.result(HANG) == 60
    assert limited.expected_wait() == 0


def test_who_is_refused_or_leaves_does_not_delay_those_behind() -> None:
    clock = DrivenClock()
    limited = limiter(clock, max_wait=200)
    acquire(limited)
    gone = threading.Event()
    with line(limited, clock) as callers:
        first, leaver, last = callers.comes(), callers.comes(left=gone.is_set), callers.comes()
        with pytest.raises(Limited):
            acquire(limited)
        gone.set()
        clock.advance(0.25)
        with pytest.raises(CallerLeft):
            leaver.result(HANG)
        assert limited.waiting == 2
        assert limited.expected_wait() == 179.75
        clock.advance(59.75)
        assert first.result(HANG) == 60
        clock.advance(60)
        assert last.result(HANG) == 120


def test_the_place_of_a_first_in_line_who_leaves_goes_to_the_next_at_once() -> None:
    clock = DrivenClock()
    limited = limiter(clock)
    acquire(limited)
    gate = threading.Event()
    with line(limited, clock) as callers:
        leaver = callers.comes(left=lambda: clock.monotonic() >= 1060 and gate.wait(HANG))
        second = callers.comes()
        clock.advance(60)
        callers.sleeps(second)
        gate.set()
        with pytest.raises(CallerLeft):
            leaver.result(HANG)
        assert second.result(HANG) == 60  # time has stood still: it was woken


def test_a_deadline_that_passes_because_others_took_their_slots_late_is_kept_to_the_moment() -> None:
    clock = DrivenClock()
    limited = limiter(clock)
    acquire(limited)
    gate = threading.Event()
    with line(limited, clock) as callers:
        late = callers.comes(left=lambda: clock.monotonic() >= 1060 and not gate.wait(HANG))
        second = callers.comes(deadline=1125.125)  # its slot is due at 1120
        clock.advance(70)
        gate.set()
        assert late.result(HANG) == 70
        clock.advance(55)
        callers.sleeps(second)
        clock.advance(0.125)
        with pytest.raises(DeadlineExceeded, match="openai"):
            second.result(HANG)
        assert limited.waiting == 0
        assert limited.expected_wait() == 4.875


def test_a_grant_wakes_the_next_one_and_nobody_else() -> None:
    clock = DrivenClock()
    limited = limiter(clock)
    acquire(limited)
    looks: list[int] = []
    behind = threading.Semaphore(0)
    gate = threading.Event()

    def watching(number: int) -> Callable[[], bool]:
        def left() -> bool:
            looks.append(number)
            behind.release()
            return False

        return left

    with line(limited, clock) as callers:
        first = callers.comes(left=lambda: clock.monotonic() >= 1060 and not gate.wait(HANG))
        for number in range(10):
            callers.comes(left=watching(number))
        clock.advance(60)
        for _ in range(20):  # each looked when it came and when time moved, and sleeps again
            assert behind.acquire(timeout=HANG)
        gate.set()
        assert first.result(HANG) == 60
        assert set(looks[20:]) <= {0}


# For real ---------------------------------------------------------------------------------------------------------


class Recording(SystemClock):
    """The real clock, and what each thread has read: first the time it came, last the time of its grant."""

    def __init__(self) -> None:
        self.read: dict[str, list[float]] = {}

    def monotonic(self) -> float:
        now = super().monotonic()
        self.read.setdefault(threading.current_thread().name, []).append(now)
        return now


def all_at_once(job: Callable[[int], None], threads: int) -> None:
    """Runs `job` with each number in a thread of that name, started together; nobody may be lost."""
    start = threading.Barrier(threads)

    def run(number: int) -> None:
        start.wait(HANG)
        job(number)

    running = [threading.Thread(target=run, args=(n,), name=str(n), daemon=True) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(HANG)
    assert not [thread.name for thread in running if thread.is_alive()]


def fullest(grants: list[float], window: float) -> int:
    return max(sum(first <= grant < first + window for grant in grants) for first in grants)


def test_forty_threads_keep_the_limit_in_every_window_and_their_order() -> None:
    clock, callers, limit, window = Recording(), 40, 5, 0.1
    limited = requests_row("openai", limit, max_queue=callers, max_wait=HANG, clock=clock, window=window)
    waited: dict[int, float] = {}

    def call(number: int) -> None:
        waited[number] = acquire(limited)

    all_at_once(call, callers)
    came = {number: clock.read[str(number)][0] for number in range(callers)}
    granted = {number: clock.read[str(number)][-1] for number in range(callers)}
    grants = sorted(granted.values())
    assert len(waited) == callers
    assert fullest(grants, window) <= limit
    place = {number: rank for rank, number in enumerate(sorted(came, key=came.__getitem__))}
    overtaken = [(a, b) for a in came for b in came if came[a] < came[b] and granted[a] > granted[b]]
    assert all(place[b] - place[a] < limit for a, b in overtaken), "only to nobody's cost: there was room for both"
    assert all(waited[number] == granted[number] - came[number] for number in range(callers))
    late = [grant - (before + window) for before, grant in zip(grants, grants[limit:], strict=False)]
    assert max(late) < 1.0, "a slot was there for a second and nobody took it"
    assert limited.waiting == 0


def test_hundreds_of_threads_that_stay_or_leave_or_only_try_all_come_to_an_end() -> None:
    clock, callers, limit, window = Recording(), 300, 40, 0.1
    limited = requests_row("openai", limit, max_queue=200, max_wait=HANG, clock=clock, window=window)
    ends: dict[int, str] = {}

    def call(number: int) -> None:
        if number % 10 == 0:
            ends[number] = "granted" if limited.try_acquire() else "no room"
            return
        looks = iter([False] * (number % 3) + [True])
        try:
            acquire(limited, left=(lambda: next(looks)) if number % 4 == 0 else stays)
            ends[number] = "granted"
        except GatewayError as error:
            ends[number] = type(error).__name__

    all_at_once(call, callers)
    grants = [clock.read[str(number)][-1] for number, end in ends.items() if end == "granted"]
    assert len(ends) == callers
    assert set(ends.values()) <= {"granted", "no room", "CallerLeft", "Limited"}
    assert len(grants) >= limit + 100
    assert fullest(grants, window) <= limit
    assert limited.waiting == 0


# All of them ------------------------------------------------------------------------------------------------------


def test_each_provider_has_the_limit_that_is_configured_or_none() -> None:
    clock = FakeClock()
    limits = RateLimiters(
        [
            RateLimit(provider="openai", requests_per_minute=2, max_queue_size=0),
            RateLimit(provider="groq", requests_per_minute=1, max_wait_seconds=59),
        ],
        engine_of(clock),
    )
    openai, groq = limits.of("openai"), limits.of("groq")
    assert openai is not None and groq is not None
    assert limits.of("openai") is openai
    assert limits.of("ollama") is None
    assert [bool(openai.try_acquire()) for _ in range(3)] == [True, True, False]
    assert groq.try_acquire()
    with pytest.raises(Limited, match="requestsPerMinute of openai: 2 of 2 used; requests do not wait"):
        acquire(openai)
    with pytest.raises(Limited, match="requestsPerMinute of groq: 1 of 1 used; a request waits at most 59"):
        acquire(groq)
    clock.advance(1)
    assert acquire(groq) == 59
    assert repr(limits).startswith("RateLimiters(RateLimiter(openai: ")
