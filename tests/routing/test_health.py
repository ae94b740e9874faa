"""Which targets may be asked, why and how long a target cools down, and what one call changes for the next."""

import math
import threading
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    GenerationFailed,
    InvalidAnswer,
    ProviderFailure,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    StreamBroken,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
    UnsupportedByTarget,
)
from gateway.routing.health import REMEMBERED, Health, HealthTicket
from gateway.routing.router import Target
from gateway.routing.target_health import TargetStatus
from tests.support.fakes import FakeClock

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")
DOWN = Unavailable("down")
LIMITED = RateLimited("too many")
DAY = 86_400


def told(seconds: float) -> Evidence:
    return Evidence(status=429, retry_after=seconds)


class Scene:
    """A health without jitter, and the time."""

    def __init__(self, random: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = FakeClock()
        self.health = Health(self.clock, random)

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def turn(self, target: Target = A) -> HealthTicket:
        """A turn that is given without force."""
        ticket = self.health.enter(target)
        assert ticket is not None, f"{target} is not ready"
        return ticket

    def forced(self, target: Target = A) -> HealthTicket:
        ticket = self.health.enter(target, forced=True)
        assert ticket is not None, "a forced turn is always given"
        return ticket

    def fail(self, *failures: ProviderFailure, target: Target = A) -> None:
        for failure in failures:
            self.forced(target).failed(failure)

    def answer(self, target: Target = A) -> None:
        self.forced(target).answered()

    def opened(self) -> "Scene":
        self.fail(*[DOWN] * 5)
        assert self.state() == "open"
        return self

    def probe(self, target: Target = A) -> HealthTicket:
        self.later(self.due(target))
        ticket = self.turn(target)
        assert ticket.probing
        return ticket

    def due(self, *targets: Target) -> float:
        due = self.health.due(targets or [A])
        assert due is not None
        return due

    def ready(self, *targets: Target) -> list[Target]:
        return self.health.order(targets or [A])[0]

    def cooling_down(self, *targets: Target) -> list[Target]:
        return self.health.order(targets or [A])[1]

    def status(self, target: Target = A) -> TargetStatus:
        return self.health.describe(target)

    def state(self, target: Target = A) -> str:
        return self.status(target).state


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestOrder:
    def test_all_are_ready_at_first_in_the_order_given(self, scene: Scene) -> None:
        assert scene.health.order([B, A, C]) == ([B, A, C], [])

    def test_who_rests_goes_behind_the_others_until_its_rest_is_over(self, scene: Scene) -> None:
        scene.fail(RateLimited("x", evidence=told(5)))
        assert scene.health.order([A, B, C]) == ([B, C], [A])
        scene.later(4.75)
        assert scene.health.order([A, B, C]) == ([B, C], [A])
        scene.later(0.25)
        assert scene.health.order([A, B, C]) == ([A, B, C], [])

    def test_where_all_rest_the_one_due_soonest_is_first(self, scene: Scene) -> None:
        for target, seconds in ((A, 30), (B, 10), (C, 20)):
            scene.fail(RateLimited("x", evidence=told(seconds)), target=target)
        assert scene.health.order([A, B, C]) == ([], [B, C, A])
        assert scene.due(A, B, C) == 10

    def test_the_same_provider_with_another_model_does_not_rest(self, scene: Scene) -> None:
        other = Target("a", "other")
        scene.fail(TargetModelMissing("no such model"))
        assert scene.health.order([A, other]) == ([other], [A])

    def test_a_target_that_is_probed_is_not_ready_until_the_probe_has_spoken(self, scene: Scene) -> None:
        probe = scene.opened().probe()
        assert scene.health.order([A, B]) == ([B], [A])
        probe.first_content(0.5, streamed=True)
        assert scene.health.order([A, B]) == ([A, B], [])

    def test_there_is_nothing_to_wait_for_without_targets(self, scene: Scene) -> None:
        assert scene.health.order([]) == ([], [])
        assert scene.health.due([]) is None

    def test_one_that_may_be_asked_now_is_due_now(self, scene: Scene) -> None:
        scene.fail(LIMITED)
        assert scene.due(A) == 5
        assert scene.due(A, B) == 0


class TestTurns:
    def test_a_ready_target_takes_any_number_of_calls(self, scene: Scene) -> None:
        assert not any(scene.turn().probing for _ in range(100))

    def test_a_resting_target_takes_none(self, scene: Scene) -> None:
        scene.fail(LIMITED)
        assert scene.health.enter(A) is None

    def test_an_open_target_takes_one_probe_once_its_time_is_over(self, scene: Scene) -> None:
        scene.opened()
        assert scene.health.enter(A) is None
        scene.later(5)
        assert scene.turn().probing
        assert scene.health.enter(A) is None
        assert scene.due() > 0, "who waits for the probe does not spin"

    def test_a_forced_turn_is_given_while_the_target_rests_and_is_no_probe(self, scene: Scene) -> None:
        assert not scene.opened().forced().probing
        scene.later(5)
        assert scene.forced().probing
        assert not scene.forced().probing

    def test_a_probe_that_is_closed_leaves_its_place_to_the_next_call(self, scene: Scene) -> None:
        scene.opened().probe().close()
        assert scene.turn().probing

    @pytest.mark.parametrize("failure", [ContextTooLong("x"), UnsupportedByTarget("x"), ContentRefused("x")])
    def test_a_probe_that_says_nothing_about_the_target_leaves_its_place(
        self, scene: Scene, failure: ProviderFailure
    ) -> None:
        scene.opened().probe().failed(failure)
        assert scene.state() == "half-open"
        assert scene.turn().probing

    def test_a_probe_that_is_answered_closes(self, scene: Scene) -> None:
        scene.opened().probe().answered()
        assert scene.status().state == "closed"
        assert scene.status().failures == 0

    def test_a_probe_that_fails_doubles_the_opening(self, scene: Scene) -> None:
        scene.opened().probe().failed(ProviderTimeout("x"))
        assert scene.due() == 10

    @pytest.mark.parametrize(
        ("failure", "why", "cooldown"),
        [
            (LIMITED, "rate_limited", 5),
            (QuotaExhausted("x"), "quota", 600),
            (TargetModelMissing("x"), "model_missing", 60),
            (CredentialRefused("x"), "key_refused", 30),
        ],
    )
    def test_a_probe_that_is_turned_away_shows_the_provider_alive(
        self, scene: Scene, failure: ProviderFailure, why: str, cooldown: float
    ) -> None:
        scene.opened().probe().failed(failure)
        status = scene.status()
        assert (status.state, status.why, status.due, status.failures) == ("resting", why, cooldown, 0)
        scene.later(cooldown)
        assert not scene.turn().probing

    def test_a_stream_that_speaks_and_breaks_opens_it_again(self, scene: Scene) -> None:
        probe = scene.opened().probe()
        probe.first_content(1, streamed=True)
        assert scene.state() == "half-open"
        probe.failed(StreamBroken("cut"))
        assert (scene.state(), scene.due()) == ("open", 10)

    def test_the_first_verdict_counts(self, scene: Scene) -> None:
        ticket = scene.turn()
        ticket.answered()
        for _ in range(10):
            ticket.failed(DOWN)
        assert scene.status().failures == 0
        ticket = scene.turn()
        for _ in range(10):
            ticket.failed(DOWN)
        ticket.answered()
        ticket.close()
        assert scene.status().failures == 1

    def test_a_closed_turn_says_nothing_more(self, scene: Scene) -> None:
        ticket = scene.turn()
        ticket.close()
        ticket.close()
        ticket.first_content(3, streamed=True)
        ticket.failed(LIMITED)
        assert scene.status() == Health(FakeClock(), lambda: 0.0).describe(A)

    def test_it_names_itself_for_people(self, scene: Scene) -> None:
        ticket = scene.turn()
        assert repr(ticket) == "HealthTicket(a/m)"
        ticket.close()
        assert repr(ticket) == "HealthTicket(a/m, over)"
        assert repr(scene.opened().probe()) == "HealthTicket(a/m, probing)"


class TestCooldowns:
    @pytest.mark.parametrize(
        ("failure", "cooldowns"),
        [
            (RateLimited("x"), [5, 10, 20, 40, 60, 60]),
            (QuotaExhausted("x"), [600, 1200, 2400, 3600, 3600]),
            (TargetModelMissing("x"), [60, 120, 240, 480, 600, 600]),
        ],
        ids=["rate-limit", "quota", "model"],
    )
    def test_a_rest_doubles_each_time_in_a_row_up_to_its_longest(
        self, scene: Scene, failure: ProviderFailure, cooldowns: list[float]
    ) -> None:
        seen = []
        for _ in cooldowns:
            scene.turn().failed(failure)
            seen.append(scene.due())
            scene.later(scene.due())
        assert seen == cooldowns

    def test_three_thousand_in_a_row_overflow_nothing(self, scene: Scene) -> None:
        scene.fail(*[LIMITED] * 3_000)
        assert scene.due() == 60

    @pytest.mark.parametrize("kind", [RateLimited, QuotaExhausted])
    def test_a_time_that_was_told_is_kept_to_however_often_it_came(
        self, scene: Scene, kind: type[ProviderFailure]
    ) -> None:
        scene.fail(*[kind("x", evidence=told(17))] * 4)
        assert scene.due() == 17

    @pytest.mark.parametrize(
        ("seconds", "cooldown"), [(0, 1), (-3, 1), (0.25, 1), (2.5, 2.5), (1e9, DAY), (math.inf, 5), (math.nan, 5)]
    )
    def test_a_told_time_is_a_second_at_least_and_a_day_at_most_or_no_number(
        self, scene: Scene, seconds: float, cooldown: float
    ) -> None:
        scene.fail(RateLimited("x", evidence=told(seconds)))
        assert scene.due() == cooldown

    @pytest.mark.parametrize(("seconds", "cooldown"), [(0, 1), (1e9, DAY), (math.inf, 600)])
    def test_so_is_the_time_told_for_a_quota(self, scene: Scene, seconds: float, cooldown: float) -> None:
        scene.fail(QuotaExhausted("x", evidence=told(seconds)))
        assert scene.due() == cooldown

    def test_a_missing_model_listens_to_no_told_time(self, scene: Scene) -> None:
        scene.fail(TargetModelMissing("x", evidence=told(5)))
        assert scene.due() == 60

    @pytest.mark.parametrize("failure", [LIMITED, QuotaExhausted("x"), TargetModelMissing("x")])
    def test_being_turned_away_is_not_counted_by_the_breaker(self, scene: Scene, failure: ProviderFailure) -> None:
        scene.fail(*[failure] * 20)
        status = scene.status()
        assert (status.state, status.failures) == ("resting", 0)

    @pytest.mark.parametrize(
        "failure",
        [
            ContextTooLong("x"),
            UnsupportedByTarget("x"),
            UnsupportedByModel("x"),
            GenerationFailed("x"),
            ContentRefused("x"),
            RequestRejected("x", evidence=told(30)),
        ],
    )
    def test_what_is_not_the_targets_fault_leaves_no_trace(self, scene: Scene, failure: ProviderFailure) -> None:
        scene.fail(*[failure] * 20)
        assert (scene.state(), scene.due(), scene.status().failures) == ("closed", 0, 0)

    def test_what_it_cannot_serve_is_counted_for_people_alone(self, scene: Scene) -> None:
        scene.fail(UnsupportedByTarget("x"), UnsupportedByModel("x"), ContextTooLong("x"))
        assert (scene.status().cannot, scene.state(), scene.due()) == (2, "closed", 0)

    def test_a_refused_key_rests_at_once_and_longer_each_time(self, scene: Scene) -> None:
        for cooldown in (30, 60, 120, 240, 300, 300):
            scene.fail(CredentialRefused("the key is wrong", evidence=told(3600)))
            assert (scene.due(), scene.status().why, scene.status().failures) == (cooldown, "key_refused", 0)
            scene.later(cooldown)

    @pytest.mark.parametrize("kind", [ConnectionFailed, Unavailable, ProviderTimeout, InvalidAnswer, StreamBroken])
    def test_every_other_failure_counts_in_the_breaker(self, scene: Scene, kind: type[ProviderFailure]) -> None:
        scene.fail(*[kind("x")] * 4)
        assert scene.ready() == [A]
        scene.fail(kind("x"))
        status = scene.status()
        assert (status.state, status.why, status.due) == ("open", "failures", 5)

    @pytest.mark.parametrize(("seconds", "cooldown"), [(12, 12), (0, 0), (3600, 60), (math.nan, 0)])
    def test_a_503_that_tells_a_time_rests_so_long_but_a_minute_at_most(
        self, scene: Scene, seconds: float, cooldown: float
    ) -> None:
        scene.fail(Unavailable("x", evidence=told(seconds)))
        assert scene.due() == cooldown
        assert scene.status().why == ("failures" if cooldown else None)

    def test_a_503_that_tells_nothing_does_not_shorten_the_rest_told_before(self, scene: Scene) -> None:
        scene.fail(Unavailable("x", evidence=told(40)), DOWN)
        assert scene.due() == 40

    def test_of_two_rests_the_longer_one_binds(self, scene: Scene) -> None:
        scene.fail(QuotaExhausted("x"), LIMITED)
        assert (scene.due(), scene.status().why) == (600, "quota")

    def test_a_rest_that_outlasts_the_opening_binds(self, scene: Scene) -> None:
        scene.fail(*[DOWN] * 4, Unavailable("x", evidence=told(20)))
        assert (scene.state(), scene.due()) == ("resting", 20)
        scene.later(5)
        assert scene.health.enter(A) is None, "its opening is over, its cooldown is not"
        scene.later(15)
        assert scene.turn().probing

    def test_a_newly_told_time_replaces_the_one_before(self, scene: Scene) -> None:
        scene.fail(RateLimited("x", evidence=told(60)), RateLimited("x", evidence=told(3)))
        assert scene.due() == 3

    def test_ten_calls_that_hit_one_limit_together_are_one_hit(self, scene: Scene) -> None:
        for ticket in [scene.turn() for _ in range(10)]:
            ticket.failed(LIMITED)
            scene.later(0.5)
        assert scene.ready() == [A], "five seconds after the first of them"
        scene.turn().failed(LIMITED)
        assert scene.due() == 10

    def test_of_several_times_told_together_the_longest_binds(self, scene: Scene) -> None:
        tickets = [scene.turn() for _ in range(3)]
        for ticket, seconds in zip(tickets, (10, 30, 20), strict=True):
            ticket.failed(RateLimited("x", evidence=told(seconds)))
        assert scene.due() == 30

    def test_a_hit_that_comes_after_the_rest_is_over_is_another_one(self, scene: Scene) -> None:
        early, late = scene.turn(), scene.turn()
        early.failed(LIMITED)
        scene.later(5)
        late.failed(LIMITED)
        assert scene.due() == 10


class TestAnswers:
    @pytest.mark.parametrize(
        "failure", [LIMITED, QuotaExhausted("x"), TargetModelMissing("x"), Unavailable("x", evidence=told(50))]
    )
    def test_a_forced_turn_that_is_answered_ends_the_rest_and_the_doubling(
        self, scene: Scene, failure: ProviderFailure
    ) -> None:
        scene.fail(failure)
        once = scene.due()
        scene.fail(failure)
        scene.answer()
        assert (scene.state(), scene.due(), scene.status().why) == ("closed", 0, None)
        scene.fail(failure)
        assert scene.due() == once

    def test_an_answer_after_the_rest_ends_the_doubling(self, scene: Scene) -> None:
        scene.fail(LIMITED)
        scene.later(5)
        scene.turn().answered()
        scene.turn().failed(LIMITED)
        assert scene.due() == 5

    def test_the_end_of_an_old_stream_does_not_lift_a_limit_told_since(self, scene: Scene) -> None:
        old, limited, latest = scene.turn(), scene.turn(), scene.turn()
        limited.failed(RateLimited("x", evidence=told(30)))
        old.answered()
        latest.answered()
        assert scene.due() == 30

    def test_the_end_of_an_old_stream_closes_a_breaker(self, scene: Scene) -> None:
        old = scene.turn()
        scene.opened()
        old.answered()
        assert scene.ready() == [A]

    def test_a_failure_after_an_answer_is_the_first_in_a_row(self, scene: Scene) -> None:
        scene.fail(*[DOWN] * 4)
        scene.answer()
        scene.fail(*[DOWN] * 4)
        assert scene.state() == "closed"
        assert scene.status().failures == 4


class TestFirstContentLimit:
    def test_a_target_never_asked_has_twelve_seconds(self, scene: Scene) -> None:
        assert scene.health.limit(A, streamed=True) == 12
        assert scene.health.limit(A, streamed=False) == 12

    def test_streams_and_whole_answers_have_a_past_each(self, scene: Scene) -> None:
        for _ in range(5):
            scene.turn().first_content(4, streamed=True)
            scene.turn().first_content(30, streamed=False)
        assert scene.health.limit(A, streamed=True) == 12
        assert scene.health.limit(A, streamed=False) == 90
        assert scene.health.limit(B, streamed=False) == 12
        status = scene.status()
        assert (status.stream_limit, status.stream_samples) == (12, 5)
        assert (status.whole_limit, status.whole_samples) == (90, 5)

    def test_only_the_first_content_of_a_turn_counts(self, scene: Scene) -> None:
        ticket = scene.turn()
        ticket.first_content(4, streamed=True)
        ticket.first_content(9, streamed=True)
        assert scene.status().stream_samples == 1

    def test_a_turn_that_fails_after_its_first_content_keeps_the_sample(self, scene: Scene) -> None:
        ticket = scene.turn()
        ticket.first_content(4, streamed=True)
        ticket.failed(StreamBroken("cut"))
        assert (scene.status().stream_samples, scene.status().failures) == (1, 1)


# Properties --------------------------------------------------------------------------------------------------------

TOLD = RateLimited("x", evidence=told(3))
FAILURES = st.sampled_from(
    [DOWN, LIMITED, TOLD, QuotaExhausted("x"), ContextTooLong("x"), Unavailable("x", evidence=told(9))]
)
TARGETS = st.sampled_from([Target("p", str(number)) for number in range(5)])
ENDS = FAILURES | st.sampled_from(["answered", "closed", "speaks", "under way"])
EVENTS = st.lists(st.tuples(TARGETS, ENDS, st.floats(min_value=0, max_value=40)), max_size=40)
Events = list[tuple[Target, ProviderFailure | str, float]]


def play(scene: Scene, events: Events) -> list[HealthTicket]:
    """Let calls come and end so; those still under way."""
    under_way = []
    for target, end, pause in events:
        ticket = scene.forced(target)
        if isinstance(end, ProviderFailure):
            ticket.failed(end)
        elif end == "answered":
            ticket.answered()
        elif end == "closed":
            ticket.close()
        else:
            under_way.append(ticket)
            if end == "speaks":
                ticket.first_content(1, streamed=True)
        scene.later(pause)
    return under_way


@given(EVENTS, st.lists(TARGETS, max_size=8))
def test_the_order_is_always_a_permutation_of_the_targets(events: Events, targets: list[Target]) -> None:
    scene = Scene()
    play(scene, events)
    ready, others = scene.health.order(targets)
    assert sorted(map(str, [*ready, *others])) == sorted(map(str, targets))
    assert not set(ready) & set(others)
    assert ready == [target for target in targets if target in ready]
    waits = [scene.due(target) for target in others]
    assert waits == sorted(waits)
    assert all(wait > 0 for wait in waits)
    assert all(scene.due(target) == 0 for target in ready)


@given(EVENTS, TARGETS)
def test_who_is_ready_is_let_in_and_who_rests_only_by_force(events: Events, target: Target) -> None:
    scene = Scene()
    play(scene, events)
    ready = scene.ready(target) == [target]
    assert (scene.status(target).due == 0) == ready
    ticket = scene.health.enter(target)
    assert (ticket is not None) == ready
    if ticket is not None:
        ticket.close()
    assert scene.health.enter(target, forced=True) is not None


@given(EVENTS, st.floats(0, 1))
def test_there_is_never_more_than_one_probe_of_a_target_until_it_has_spoken(events: Events, share: float) -> None:
    scene = Scene(lambda: share)
    for target in {target for target, _, _ in events}:
        scene.fail(*[DOWN] * 5, target=target)
    probes: dict[Target, HealthTicket] = {}
    for target, end, pause in events:
        ticket = scene.forced(target)
        if ticket.probing:
            assert target not in probes, "the one before is still under way"
            if end == "under way":
                probes[target] = ticket
        if isinstance(end, ProviderFailure):
            ticket.failed(end)
        elif end == "closed":
            ticket.close()
        elif end == "answered":
            ticket.answered()
            probes.pop(target, None)  # the target is in order, and its probe has nothing left to find out
        scene.later(pause)


FAULTS = st.lists(
    st.tuples(st.sampled_from([DOWN, ProviderTimeout("x"), StreamBroken("x")]), st.floats(0, 40)),
    min_size=1,
    max_size=60,
)


@given(FAULTS, st.floats(0, 1), st.floats(0.125, 1), st.sampled_from(["forced", "in turn"]))
def test_a_target_that_has_recovered_is_used_again_within_thirty_seconds(
    faults: list[tuple[ProviderFailure, float]], share: float, pause: float, how: str
) -> None:
    scene = Scene(lambda: share)
    for failure, gap in faults:
        scene.later(gap)
        if ticket := scene.health.enter(A, forced=how == "forced"):
            ticket.failed(failure)
    recovered = scene.clock.monotonic()
    assert scene.due() <= 30
    while (ticket := scene.health.enter(A)) is None:
        scene.later(pause)
    assert scene.clock.monotonic() - recovered <= 30 + pause, "the first call that comes once 30 s are over"
    ticket.answered()
    assert scene.status().state == "closed"


# Memory and threads ------------------------------------------------------------------------------------------------


def remembered(scene: Scene) -> int:
    return len(scene.health._records)


def invented(count: int) -> Iterable[Target]:
    return (Target("p", str(number)) for number in range(count))


def test_asking_about_a_target_does_not_make_it_remembered(scene: Scene) -> None:
    for target in invented(50):
        scene.health.order([target])
        scene.health.due([target])
        scene.health.limit(target, streamed=True)
        scene.health.describe(target)
    assert remembered(scene) == 0


def test_memory_does_not_grow_with_model_names_that_callers_invent(scene: Scene) -> None:
    scene.fail(QuotaExhausted("x"))
    for number, target in enumerate(invented(3 * REMEMBERED)):
        scene.fail(TargetModelMissing("no such model"), target=target)
        if number % 500 == 0:
            scene.forced(A).close()
        assert remembered(scene) <= REMEMBERED
    assert scene.cooling_down() == [A], "who is asked now and then is not forgotten"
    assert scene.ready(Target("p", "0")) == [Target("p", "0")], "who was not asked again is"


def test_a_target_with_a_call_under_way_is_not_forgotten(scene: Scene) -> None:
    probe = scene.opened().probe()
    for target in invented(2 * REMEMBERED):
        scene.turn(target).close()
    assert scene.health.enter(A) is None, "the probe is still known"
    probe.failed(DOWN)
    assert scene.due() == 10
    assert remembered(scene) == REMEMBERED


def test_more_calls_under_way_than_targets_remembered_are_let_go_when_they_end(scene: Scene) -> None:
    tickets = [scene.turn(target) for target in invented(REMEMBERED + 50)]
    assert remembered(scene) == REMEMBERED + 50
    for ticket in tickets:
        ticket.close()
    scene.turn(A).close()
    assert remembered(scene) == REMEMBERED


def test_of_many_threads_exactly_one_probes() -> None:
    scene = Scene().opened()
    scene.later(5)
    start = threading.Barrier(8)
    tickets: list[HealthTicket | None] = []

    def enter() -> None:
        start.wait(10)
        tickets.append(scene.health.enter(A))

    run(enter, threads=8)
    assert [ticket.probing for ticket in tickets if ticket] == [True]


def test_many_threads_may_tell_at_once() -> None:
    scene = Scene()
    targets = list(invented(4))

    def tell() -> None:
        for target in targets * 50:
            scene.forced(target).failed(DOWN)
            scene.health.order(targets)
            ticket = scene.forced(target)
            ticket.first_content(0.5, streamed=True)
            ticket.answered()

    run(tell, threads=8)
    for target in targets:
        scene.answer(target)
    assert scene.health.order(targets) == (targets, [])
    assert [scene.status(target).stream_samples for target in targets] == [50] * 4


def run(work: Callable[[], None], *, threads: int) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
