"""One target's breaker: transcripts of what happens to it, and a state machine against a model that counts by hand."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.routing.breaker import BUCKET, BUCKETS, LOOK_AGAIN, Breaker, BreakerEntry


def never() -> float:
    """No jitter."""
    return 0.0


class Scene:
    """A breaker and the time, in words short enough for a transcript."""

    def __init__(self, random: Callable[[], float] = never) -> None:
        self.breaker = Breaker(random)
        self.now = 1000.0

    @property
    def state(self) -> str:
        return self.breaker.state(self.now)

    @property
    def due(self) -> float:
        return self.breaker.due(self.now)

    def later(self, seconds: float) -> None:
        self.now += seconds

    def enter(self) -> BreakerEntry:
        return self.breaker.enter(self.now)

    def fail(self, *entries: BreakerEntry) -> None:
        for entry in entries:
            self.breaker.failed(entry, self.now)

    def answer(self) -> None:
        self.enter()
        self.breaker.succeeded(self.now)

    def fail_in_a_row(self, times: int) -> None:
        for _ in range(times):
            self.fail(self.enter())

    def opened(self) -> "Scene":
        self.fail_in_a_row(5)
        assert self.state == "open"
        return self

    def probe(self) -> BreakerEntry:
        """Wait until a probe is due, and enter as it."""
        self.later(self.due)
        entry = self.enter()
        assert entry.probing
        return entry


def test_it_is_closed_at_first() -> None:
    scene = Scene()
    assert (scene.state, scene.due, scene.enter().probing) == ("closed", 0, False)


def test_five_failures_in_a_row_open_it_for_five_seconds() -> None:
    scene = Scene()
    scene.fail_in_a_row(4)
    assert scene.state == "closed"
    scene.fail_in_a_row(1)
    assert (scene.state, scene.due, scene.breaker.failures) == ("open", 5, 5)
    scene.later(4.75)
    assert (scene.state, scene.due) == ("open", 0.25)
    scene.later(0.25)
    assert (scene.state, scene.due) == ("half-open", 0)


def test_a_success_between_failures_begins_the_count_again() -> None:
    scene = Scene()
    for _ in range(3):
        scene.answer()
        scene.answer()
        scene.fail_in_a_row(3)
    scene.answer()
    assert (scene.state, scene.breaker.failures) == ("closed", 0)


def test_half_of_ten_calls_failing_opens_it() -> None:
    scene = Scene()
    for _ in range(4):
        scene.fail_in_a_row(1)
        scene.answer()
    scene.answer()
    assert scene.state == "closed"
    scene.fail_in_a_row(1)
    assert scene.state == "open"


def test_half_of_nine_calls_is_too_few_to_tell() -> None:
    scene = Scene()
    for _ in range(4):
        scene.fail_in_a_row(1)
        scene.answer()
    scene.fail_in_a_row(1)
    assert scene.state == "closed"


def test_fewer_than_half_failing_leaves_it_closed() -> None:
    scene = Scene()
    for _ in range(100):
        scene.answer()
        scene.answer()
        scene.fail_in_a_row(1)
    assert scene.state == "closed"


def test_what_failed_more_than_a_minute_ago_is_forgotten() -> None:
    scene = Scene()
    for _ in range(4):
        scene.answer()
        scene.fail_in_a_row(1)
    scene.later(60)
    scene.answer()
    scene.fail_in_a_row(1)
    assert scene.state == "closed"


def test_what_failed_within_55_seconds_counts() -> None:
    scene = Scene()
    for _ in range(4):
        scene.answer()
        scene.fail_in_a_row(1)
    scene.later(55)
    scene.answer()
    scene.fail_in_a_row(1)
    assert scene.state == "open"


def test_the_window_moves_on_a_bucket_at_a_time() -> None:
    scene = Scene()
    for _ in range(20):
        scene.answer()
    scene.later(15)
    for _ in range(5):
        scene.answer()
        scene.fail_in_a_row(1)
    assert scene.state == "closed", "five of thirty failed"
    scene.later(45)
    scene.answer()
    assert scene.state == "closed"
    scene.fail_in_a_row(1)
    assert scene.state == "open", "six of twelve failed, and the twenty answers are too old"


def test_a_hundred_thousand_calls_are_kept_as_twelve_counts() -> None:
    scene = Scene()
    for _ in range(100_000):
        scene.answer()
        scene.later(0.125)
    assert len(scene.breaker._outcomes._buckets) == 12


def test_each_failed_probe_doubles_the_opening_up_to_thirty_seconds() -> None:
    scene = Scene().opened()
    lengths = []
    for _ in range(5):
        lengths.append(scene.due)
        scene.fail(scene.probe())
    assert lengths == [5, 10, 20, 30, 30]


def test_a_thousand_failed_probes_overflow_nothing() -> None:
    scene = Scene().opened()
    for _ in range(1_200):
        scene.fail(scene.probe())
    assert scene.due == 30


def test_jitter_takes_off_up_to_a_fifth_and_adds_nothing() -> None:
    assert Scene(lambda: 0.0).opened().due == 5
    assert Scene(lambda: 0.5).opened().due == 4.5
    assert Scene(lambda: 1.0).opened().due == 4


def test_one_success_closes_it_and_resets_the_doubling() -> None:
    scene = Scene().opened()
    scene.fail(scene.probe())
    scene.probe()
    scene.breaker.succeeded(scene.now)
    assert (scene.state, scene.breaker.failures) == ("closed", 0)
    assert scene.opened().due == 5


def test_failures_from_before_the_opening_do_not_count_once_it_has_closed() -> None:
    scene = Scene()
    for _ in range(5):
        scene.answer()
    scene.opened().probe()
    scene.breaker.succeeded(scene.now)
    for _ in range(4):
        scene.fail_in_a_row(1)
        scene.answer()
    assert scene.state == "closed", "nine calls since, four of them failures"


def test_exactly_one_call_probes_at_a_time() -> None:
    scene = Scene().opened()
    probe = scene.probe()
    assert scene.due == LOOK_AGAIN
    assert not scene.enter().probing
    scene.breaker.release(probe)
    assert scene.due == 0
    assert scene.enter().probing


def test_a_probe_without_a_verdict_does_not_prolong_the_opening() -> None:
    scene = Scene().opened()
    scene.breaker.release(scene.probe())
    assert scene.state == "half-open"
    scene.fail(scene.probe())
    assert scene.due == 10


def test_a_failure_that_arrives_while_it_is_open_changes_nothing() -> None:
    scene = Scene()
    late = scene.enter()
    scene.opened()
    scene.later(2)
    forced = scene.enter()
    scene.fail(late, forced)
    assert (scene.state, scene.due, scene.breaker.failures) == ("open", 3, 5)
    scene.probe()
    scene.fail(scene.enter())
    assert scene.state == "half-open", "only the probe's own failure opens it again"


def test_a_forced_try_that_is_answered_closes_it() -> None:
    scene = Scene().opened()
    scene.answer()
    assert scene.state == "closed"


def test_a_probe_that_is_overtaken_by_a_success_and_a_new_opening_decides_nothing() -> None:
    scene = Scene().opened()
    stale = scene.probe()
    scene.answer()
    scene.opened()
    scene.later(5)
    scene.fail(stale)
    scene.breaker.first_content(stale)
    scene.breaker.rejected(stale)
    scene.breaker.release(stale)
    assert (scene.state, scene.due) == ("half-open", 0)


def test_a_probe_that_speaks_lets_the_others_in_at_once() -> None:
    scene = Scene().opened()
    scene.breaker.first_content(scene.probe())
    assert (scene.state, scene.due) == ("half-open", 0)
    assert [scene.enter().probing for _ in range(3)] == [False, False, False]


def test_on_probation_the_very_next_failure_opens_it_with_the_doubling_going_on() -> None:
    scene = Scene().opened()
    scene.breaker.first_content(scene.probe())
    scene.fail(scene.enter())
    assert (scene.state, scene.due) == ("open", 10)


def test_a_probe_that_speaks_and_breaks_off_opens_it_again() -> None:
    scene = Scene().opened()
    probe = scene.probe()
    scene.breaker.first_content(probe)
    scene.fail(probe)
    assert (scene.state, scene.due) == ("open", 10)


def test_only_a_call_that_ended_well_ends_the_probation() -> None:
    scene = Scene().opened()
    probe = scene.probe()
    scene.breaker.first_content(probe)
    other = scene.enter()
    scene.breaker.first_content(other)
    scene.breaker.rejected(other)
    scene.breaker.release(other)
    scene.breaker.release(probe)
    assert scene.state == "half-open"
    scene.answer()
    assert scene.state == "closed"


def test_calls_from_before_it_opened_are_no_failures_on_probation() -> None:
    scene = Scene()
    hanging = [scene.enter() for _ in range(3)]
    scene.opened()
    forced = scene.enter()
    scene.breaker.first_content(scene.probe())
    scene.fail(*hanging, forced)
    assert (scene.state, scene.due) == ("half-open", 0)


def test_calls_from_before_it_opened_do_not_open_it_again_once_it_has_closed() -> None:
    scene = Scene()
    hanging = [scene.enter() for _ in range(20)]
    scene.fail(*hanging[:5])
    scene.probe()
    scene.breaker.succeeded(scene.now)
    scene.fail(*hanging[5:])
    assert (scene.state, scene.breaker.failures) == ("closed", 0)


def test_a_probe_that_breaks_off_after_another_call_has_closed_it_is_one_failure() -> None:
    scene = Scene().opened()
    probe = scene.probe()
    scene.breaker.first_content(probe)
    scene.answer()
    scene.fail(probe)
    assert (scene.state, scene.breaker.failures) == ("closed", 1)


def test_a_probe_that_shows_the_provider_alive_closes_it() -> None:
    scene = Scene().opened()
    forced = scene.enter()
    scene.breaker.rejected(forced)
    assert scene.state == "open", "a call that was forced in is not asked to prove anything"
    scene.breaker.rejected(scene.probe())
    assert scene.state == "closed"
    assert scene.opened().due == 5


@pytest.mark.parametrize("state", ["closed", "open"])
def test_a_call_that_is_no_probe_speaks_and_ends_without_effect(state: str) -> None:
    scene = Scene()
    if state == "open":
        scene.opened()
    entry = scene.enter()
    scene.breaker.first_content(entry)
    scene.breaker.release(entry)
    assert scene.state == state


class BreakerMachine(RuleBasedStateMachine):
    """Calls come, speak, fail, answer, leave, in any order and long after; the model keeps every outcome in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.share = 0.0
        self.breaker = Breaker(lambda: self.share)
        self.calls: list[tuple[BreakerEntry, int]] = []  # under way, each with the era it came in
        self.era = 0  # goes up where calls under way become too old to count
        self.state = "closed"
        self.until = 0.0
        self.openings = 0
        self.opened_at = 0.0
        self.probe: BreakerEntry | None = None
        self.in_a_row = 0
        self.outcomes: list[tuple[float, bool]] = []

    # What happens

    @rule(eighths=st.integers(0, 100))
    def time_passes(self, eighths: int) -> None:
        self.now += eighths / 8

    @precondition(lambda self: self.state == "open" and self.now < self.until)
    @rule()
    def the_opening_passes(self) -> None:
        self.now = self.until

    @rule(share=st.integers(0, 8))
    def chance_changes(self, share: int) -> None:
        self.share = share / 8

    @rule()
    def a_call_goes_in_or_is_forced_in(self) -> None:
        entry = self.breaker.enter(self.now)
        assert entry.probing == (self.state == "open" and self.now >= self.until and self.probe is None)
        if entry.probing:
            self.probe = entry
        self.calls.append((entry, self.era))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_stream_speaks(self, data: st.DataObject) -> None:
        entry, _ = data.draw(st.sampled_from(self.calls))
        self.breaker.first_content(entry)
        if entry is self.probe and self.state == "open":
            self.state = "probation"
            self.era += 1

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_ends_well(self, data: st.DataObject) -> None:
        self._take(data)
        self.breaker.succeeded(self.now)
        self._ended_well()
        assert self.breaker.state(self.now) == "closed"

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_fails(self, data: st.DataObject) -> None:
        entry, era = self._take(data)
        self._fails(entry, era)

    @rule(times=st.integers(1, 6))
    def calls_fail_at_once(self, times: int) -> None:
        for _ in range(times):
            self.a_call_goes_in_or_is_forced_in()
            self._fails(*self.calls.pop())

    @rule(times=st.integers(1, 6))
    def every_other_call_fails(self, times: int) -> None:
        for _ in range(times):
            self.breaker.succeeded(self.now)
            self._ended_well()
            self.calls_fail_at_once(1)

    @precondition(lambda self: self.probe is not None)
    @rule()
    def the_probe_shows_the_provider_alive(self) -> None:
        assert self.probe is not None
        self.breaker.rejected(self.probe)
        self.calls = [call for call in self.calls if call[0] is not self.probe]
        if self.state != "closed":
            self.state, self.openings, self.in_a_row = "closed", 0, 0

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_caller_leaves(self, data: st.DataObject) -> None:
        entry, _ = self._take(data)
        self.breaker.release(entry)
        if entry is self.probe and self.state == "open":
            self.probe = None

    # What must hold

    @invariant()
    def it_stands_as_the_model_does(self) -> None:
        over = self.now >= self.until
        words = {"closed": "closed", "open": "half-open" if over else "open", "probation": "half-open"}
        assert self.breaker.state(self.now) == words[self.state]
        assert self.breaker.failures == self.in_a_row

    @invariant()
    def it_admits_as_the_model_does(self) -> None:
        admits = self.state != "open" or (self.now >= self.until and self.probe is None)
        assert (self.breaker.due(self.now) == 0) == admits

    @invariant()
    def it_is_never_open_for_more_than_thirty_seconds_after_the_failure_that_opened_it(self) -> None:
        if self.breaker.state(self.now) == "open":
            assert self.now + self.breaker.due(self.now) <= self.opened_at + 30

    @invariant()
    def its_memory_is_bounded(self) -> None:
        assert len(self.breaker._outcomes._buckets) <= BUCKETS

    def _take(self, data: st.DataObject) -> tuple[BreakerEntry, int]:
        return self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    def _ended_well(self) -> None:
        self.state, self.openings, self.in_a_row = "closed", 0, 0
        self.outcomes.append((self.now, True))

    def _fails(self, entry: BreakerEntry, era: int) -> None:
        self.breaker.failed(entry, self.now)
        if entry is not self.probe and (self.state == "open" or era < self.era):
            return
        self.in_a_row += 1
        if self.state == "closed":
            self.outcomes.append((self.now, False))
            if self.in_a_row < 5 and not self._half_failed():
                return
        length = min(5 * 2**self.openings, 30) * (1 - self.share / 5)
        self.state, self.until, self.opened_at = "open", self.now + length, self.now
        self.openings += 1
        self.era += 1
        self.probe = None
        self.outcomes.clear()

    def _half_failed(self) -> bool:
        oldest = self.now // BUCKET - BUCKETS
        recent = [well for when, well in self.outcomes if when // BUCKET > oldest]
        return len(recent) >= 10 and 2 * recent.count(False) >= len(recent)


TestBreakerMachine = BreakerMachine.TestCase
