"""Who rests after a failure, for how long, and in which order the others are asked."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import (
    BrokenAnswer,
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    Silent,
    StreamBroken,
    TargetModelMissing,
    Unavailable,
)
from gateway.routing.health import REMEMBERED, Health
from gateway.routing.router import Target
from tests.fakes import FakeClock

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")


def told(seconds: float) -> Evidence:
    return Evidence(status=429, retry_after=seconds)


def rest_after(failure: ProviderFailure, *, times: int = 1) -> float:
    """Seconds that a target rests once it has failed so for the last of `times`."""
    clock = FakeClock()
    health = Health(clock)
    for _ in range(times):
        health.failed(A, failure)
    began = clock.monotonic()
    while health.order([A])[1]:
        clock.advance(0.25)
    return clock.monotonic() - began


def test_nobody_rests_at_first() -> None:
    assert Health(FakeClock()).order([B, A]) == ([B, A], [])


def test_who_failed_goes_behind_the_others_until_its_rest_is_over() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(A, Unavailable("down"))
    assert health.order([A, B, C]) == ([B, C], [A])
    clock.advance(0.99)
    assert health.order([A, B, C]) == ([B, C], [A])
    clock.advance(0.01)
    assert health.order([A, B, C]) == ([A, B, C], [])


@pytest.mark.parametrize(
    ("failure", "rests"),
    [
        (Unavailable("x"), [1, 2, 4, 8, 16, 30, 30]),
        (ConnectionFailed("x"), [1, 2, 4, 8, 16, 30, 30]),
        (RateLimited("x"), [5, 10, 20, 40, 60, 60]),
        (QuotaExhausted("x"), [600, 1200, 2400, 3600, 3600]),
    ],
    ids=["unavailable", "connection", "rate-limit", "quota"],
)
def test_a_rest_doubles_with_each_failure_in_a_row_up_to_its_longest(
    failure: ProviderFailure, rests: list[float]
) -> None:
    assert [rest_after(failure, times=times) for times in range(1, len(rests) + 1)] == rests


@pytest.mark.parametrize("kind", [RateLimited, QuotaExhausted, Unavailable])
def test_a_time_that_was_told_is_kept_to_however_often_it_failed(kind: type[ProviderFailure]) -> None:
    assert rest_after(kind("x", evidence=told(17)), times=4) == 17


def test_a_told_time_of_nothing_is_the_shortest_rest() -> None:
    assert rest_after(RateLimited("x", evidence=told(0))) == 1


def test_a_told_time_is_never_longer_than_a_day() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(A, QuotaExhausted("x", evidence=told(1e9)))
    clock.advance(86_400)
    assert health.order([A]) == ([A], [])


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
def test_a_told_time_that_is_no_number_counts_as_none_told(seconds: float) -> None:
    assert rest_after(RateLimited("x", evidence=told(seconds))) == 5


def test_a_million_failures_in_a_row_overflow_nothing() -> None:
    clock = FakeClock()
    health = Health(clock)
    for _ in range(3_000):
        health.failed(A, Unavailable("down"))
    clock.advance(30)
    assert health.order([A]) == ([A], [])


@pytest.mark.parametrize("kind", [ContextTooLong, ContentRefused, RequestRejected])
def test_what_is_not_the_targets_fault_is_not_held_against_it(kind: type[ProviderFailure]) -> None:
    health = Health(FakeClock())
    health.failed(A, kind("x"))
    assert health.order([A]) == ([A], [])


@pytest.mark.parametrize("kind", [Silent, BrokenAnswer, StreamBroken, CredentialRefused, TargetModelMissing])
def test_every_failure_of_its_own_makes_it_rest(kind: type[ProviderFailure]) -> None:
    assert rest_after(kind("x")) == 1


def test_one_answer_clears_the_memory() -> None:
    clock = FakeClock()
    health = Health(clock)
    for _ in range(5):
        health.failed(A, Unavailable("down"))
    health.answered(A)
    assert health.order([A, B]) == ([A, B], [])
    health.failed(A, Unavailable("down"))
    clock.advance(1)
    assert health.order([A, B]) == ([A, B], [])


def test_a_failure_after_the_rest_still_counts_as_one_in_a_row() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(A, Unavailable("down"))
    clock.advance(20)
    health.failed(A, Unavailable("down"))
    clock.advance(1)
    assert health.order([A]) == ([], [A])
    clock.advance(1)
    assert health.order([A]) == ([A], [])


def test_where_all_rest_the_one_due_soonest_is_first() -> None:
    health = Health(FakeClock())
    for target, seconds in ((A, 30), (B, 10), (C, 20)):
        health.failed(target, RateLimited("x", evidence=told(seconds)))
    assert health.order([A, B, C]) == ([], [B, C, A])


def test_the_same_provider_with_another_model_does_not_rest() -> None:
    health = Health(FakeClock())
    health.failed(A, TargetModelMissing("no such model"))
    other = Target("a", "other")
    assert health.order([A, other]) == ([other], [A])


FAILURES = st.sampled_from(
    [Unavailable("x"), RateLimited("x"), RateLimited("x", evidence=told(3)), ContextTooLong("x")]
)
TARGETS = st.sampled_from([Target("p", str(number)) for number in range(5)])
EVENTS = st.lists(st.tuples(TARGETS, FAILURES | st.none(), st.floats(min_value=0, max_value=40)), max_size=30)


@given(EVENTS, st.lists(TARGETS, max_size=8))
def test_the_order_is_always_a_permutation_of_the_targets(
    events: list[tuple[Target, ProviderFailure | None, float]], targets: list[Target]
) -> None:
    clock = FakeClock()
    health = Health(clock)
    for target, failure, pause in events:
        if failure is None:
            health.answered(target)
        else:
            health.failed(target, failure)
        clock.advance(pause)
    ready, resting = health.order(targets)
    assert sorted(map(str, [*ready, *resting])) == sorted(map(str, targets))
    assert not set(ready) & set(resting)
    assert ready == [target for target in targets if target in ready]


def held(health: Health) -> int:
    return len(health._rests)


def test_memory_does_not_grow_with_targets_that_answer() -> None:
    health = Health(FakeClock())
    for number in range(500):
        health.answered(Target("p", str(number)))
        health.failed(Target("p", str(number)), Unavailable("x"))
        health.answered(Target("p", str(number)))
        health.failed(Target("p", str(number)), ContextTooLong("x"))
    assert held(health) == 0


def test_memory_does_not_grow_with_model_names_that_callers_invent() -> None:
    health = Health(FakeClock())
    health.failed(A, RateLimited("x", evidence=told(1000)))
    for number in range(3 * REMEMBERED):
        health.failed(Target("p", str(number)), TargetModelMissing("no such model"))
        if number % 100 == 0:
            health.failed(A, RateLimited("x", evidence=told(1000)))
    assert held(health) == REMEMBERED
    assert health.order([A]) == ([], [A]), "who keeps failing is not forgotten"


def test_many_threads_may_tell_at_once() -> None:
    health = Health(FakeClock())
    targets = [Target("p", str(number)) for number in range(8)]

    def tell(target: Target) -> None:
        for _ in range(300):
            health.failed(target, Unavailable("x"))
            health.order(targets)
            health.answered(target)

    threads = [threading.Thread(target=tell, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert health.order(targets) == (targets, [])
