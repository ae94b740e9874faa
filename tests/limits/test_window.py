"""The sliding window against a brute-force model: the limit holds in every window, and `due` tells the truth."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.limits.window import SlidingWindow
from tests.support.fakes import FakeClock

ticks = st.integers(0, 40).map(lambda eighths: eighths / 8)  # eighths of a second are exact as floats


def most_in_a_window(grants: list[float], seconds: float) -> int:
    """The fullest window (t - seconds, t]; it is enough to end one at each grant."""
    return max((sum(end - seconds < grant <= end for grant in grants) for end in grants), default=0)


def brute_due(grants: list[float], limit: int, seconds: float, now: float, ahead: int) -> float:
    """Let everyone in line take the first moment that keeps the limit; when the last of them got it."""
    row, moment = list(grants), now
    for _ in range(ahead + 1):
        moments = sorted({moment, *(grant + seconds for grant in row if grant + seconds > moment)})
        moment = next(m for m in moments if sum(m - seconds < grant <= m for grant in row) < limit)
        row.append(moment)
    return moment


class WindowMachine(RuleBasedStateMachine):
    """Callers come in bursts and pauses; nobody may get a grant too many, or too late."""

    @initialize(limit=st.integers(1, 6), seconds=st.integers(1, 80).map(lambda eighths: eighths / 8))
    def start(self, limit: int, seconds: float) -> None:
        self.clock = FakeClock()
        self.window = SlidingWindow(limit, seconds)
        self.grants: list[float] = []

    @rule(seconds=ticks)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def time_passes_until_the_next_slot(self) -> None:
        now = self.clock.monotonic()
        self.clock.advance(self.window.due(now, 0) - now)
        assert self.window.has_room(self.clock.monotonic())

    @rule(callers=st.integers(1, 8))
    def callers_come(self, callers: int) -> None:
        now = self.clock.monotonic()
        for _ in range(callers):
            if self.window.has_room(now):
                self.window.take(now)
                self.grants.append(now)

    @precondition(lambda self: not self.window.has_room(self.clock.monotonic()))
    @rule()
    def nothing_is_granted_without_room(self) -> None:
        with pytest.raises(ValueError, match="no room"):
            self.window.take(self.clock.monotonic())

    @rule(ahead=st.integers(0, 20))
    def a_caller_is_due_when_brute_force_says_so(self, ahead: int) -> None:
        now = self.clock.monotonic()
        due = self.window.due(now, ahead)
        assert due == brute_due(self.grants, self.window.limit, self.window.seconds, now, ahead)
        assert math.isfinite(due) and due >= now

    @invariant()
    def no_window_holds_more_than_the_limit(self) -> None:
        assert most_in_a_window(self.grants, self.window.seconds) <= self.window.limit

    @invariant()
    def there_is_room_exactly_when_one_more_keeps_the_limit(self) -> None:
        now = self.clock.monotonic()
        fits = most_in_a_window([*self.grants, now], self.window.seconds) <= self.window.limit
        assert self.window.has_room(now) is fits
        assert self.window.count(now) == sum(now - self.window.seconds < grant for grant in self.grants)


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = settings(stateful_step_count=40)


@given(
    limit=st.integers(1, 5),
    seconds=st.floats(1e-3, 1e5),
    pauses=st.lists(st.floats(0, 1e5), max_size=40),
)
def test_the_limit_holds_for_any_times_not_only_round_ones(limit: int, seconds: float, pauses: list[float]) -> None:
    window, now = SlidingWindow(limit, seconds), 0.0
    grants: list[float] = []
    for pause in pauses:
        now += pause
        if window.has_room(now):
            window.take(now)
            grants.append(now)
    for first, one_too_many in zip(grants, grants[limit:], strict=False):
        assert one_too_many >= first + seconds


@given(
    limit=st.integers(1, 4),
    steps=st.lists(st.tuples(st.floats(0, 7), st.sampled_from(["ask", "send"])), max_size=80),
)
def test_what_arrives_late_keeps_the_limit_where_it_is_counted(limit: int, steps: list[tuple[float, str]]) -> None:
    """Grants and arrivals are two things: a connection may take a while to open, and the provider counts arrivals."""
    seconds, now = 10.0, 0.0
    window = SlidingWindow(limit, seconds)
    opening: list[float] = []
    arrivals: list[float] = []
    for pause, step in steps:
        now += pause
        opening = [grant for grant in opening if grant + seconds > now]  # who takes longer has given up
        if step == "ask" and window.has_room(now):
            window.take(now)
            opening.append(now)
        elif step == "send" and opening:
            window.sent(now, opening.pop())  # the latest: connections do not open in the order of their grants
            arrivals.append(now)
    for first, one_too_many in zip(arrivals, arrivals[limit:], strict=False):
        assert one_too_many >= first + seconds


@given(start=st.floats(0, 1e9), seconds=st.floats(1e-3, 1e5), limit=st.integers(1, 5))
def test_a_slot_is_there_at_the_very_moment_it_is_due_and_not_before(start: float, seconds: float, limit: int) -> None:
    window = SlidingWindow(limit, seconds)
    for _ in range(limit):
        window.take(start)
    due = window.due(start, 0)
    assert not window.has_room(math.nextafter(due, -math.inf))
    assert window.has_room(due)


def test_a_full_minute_at_the_turn_of_the_clock_does_not_let_twice_the_limit_through() -> None:
    window = SlidingWindow(10, 60)
    for _ in range(10):
        window.take(59.0)
    assert not window.has_room(61.0)
    assert window.due(61.0, 0) == 119.0


def test_a_line_longer_than_the_limit_is_told_whole_windows() -> None:
    window = SlidingWindow(2, 60)
    window.take(0.0)
    window.take(10.0)
    assert [window.due(20.0, ahead) for ahead in range(6)] == [60, 70, 120, 130, 180, 190]


def test_callers_in_line_before_an_open_slot_come_first() -> None:
    window = SlidingWindow(3, 60)
    window.take(0.0)
    assert [window.due(5.0, ahead) for ahead in range(5)] == [5, 5, 60, 65, 65]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        SlidingWindow(limit, 60)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_a_window_without_a_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="length"):
        SlidingWindow(1, seconds)


@pytest.mark.parametrize("now", [math.inf, -math.inf, math.nan, 9.0])
def test_a_grant_at_no_time_or_before_the_last_one_is_refused(now: float) -> None:
    window = SlidingWindow(5, 60)
    window.take(10.0)
    with pytest.raises(ValueError, match="not a time"):
        window.take(now)
    assert window.count(10.0) == 1


def test_what_it_keeps_is_bounded_by_the_limit() -> None:
    window = SlidingWindow(3, 1.0)
    for second in range(10_000):
        window.take(float(second))
    assert window.count(10_000.0) == 0
