"""The rule for a server that goes away and comes back: what gateways grant together, by a window that moves."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.rate_limit import RateLimit
from gateway.core.errors import Limited, LimitsUnavailable
from gateway.limits.slots import MINUTE, Need
from tests.support.examples import examples
from tests.support.fleet import Fleet
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis


def limited(number: int) -> list[RateLimit]:
    return [RateLimit(provider="p", requests_per_minute=number)]


def grants(fleet: Fleet, tries: int) -> list[int]:
    """How many of so many tries at each gateway, in turn, were granted."""
    found = [0] * len(fleet.gateways)
    for _ in range(tries):
        for place, each in enumerate(fleet.gateways):
            found[place] += each.takes()
    return found


def test_together_they_grant_the_limit(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(7))) as fleet:
        assert sum(grants(fleet, 7)) == 7
        fleet.advance(MINUTE - 0.001)
        assert sum(grants(fleet, 1)) == 0
        fleet.advance(0.001)
        assert sum(grants(fleet, 7)) == 7


def test_alone_each_holds_to_its_share_in_which_its_own_grants_count(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(6))) as fleet:
        assert grants(fleet, 2) == [2, 2]
        fleet.cut(is_cut=True)
        assert grants(fleet, 5) == [1, 1]
        assert fleet.gateways[0].server.view().state == "away"


def test_only_one_question_is_lost_and_nobody_asks_until_it_is_tried_again(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(100))) as fleet:
        gateway = fleet.gateways[0]
        fleet.cut(is_cut=True)
        assert gateway.takes()
        fleet.cut(is_cut=False)
        asked = gateway.link.asked
        assert gateway.takes() and gateway.link.asked == asked
        fleet.advance(1)
        gateway.server.look()
        assert gateway.server.is_up and gateway.link.asked > asked


@pytest.mark.parametrize("empty", [False, True])
def test_back_it_knows_what_was_granted_meanwhile(redis: RedisServer, *, empty: bool) -> None:
    with closing(Fleet(redis, limited(6))) as fleet:
        assert grants(fleet, 2) == [2, 2]
        fleet.cut(is_cut=True)
        assert grants(fleet, 5) == [1, 1]
        if empty:
            fleet.empty()
        fleet.cut(is_cut=False)
        fleet.beat()
        assert grants(fleet, 5) == [0, 0]
        limiter = fleet.gateways[0].limiters.of("p")
        assert limiter is not None and limiter.status()[0].units[0].used == 6
        fleet.advance(MINUTE)
        assert sum(grants(fleet, 6)) == 6


def test_both_rules_hold_for_a_window_after_the_return(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(6))) as fleet:
        fleet.cut(is_cut=True)
        assert grants(fleet, 1) == [1, 1]
        fleet.gateways[0].link.is_cut = False  # the other one comes later
        fleet.beat()
        first, second = fleet.gateways
        assert sum(first.takes() for _ in range(6)) == 2
        assert sum(second.takes() for _ in range(6)) == 2
        second.link.is_cut = False
        fleet.advance(MINUTE)
        fleet.beat()
        assert sum(first.takes() for _ in range(9)) == 6


def test_a_server_that_was_emptied_unnoticed_gets_all_again(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(6))) as fleet:
        assert grants(fleet, 2) == [2, 2]
        fleet.empty()
        assert sum(grants(fleet, 5)) == 2


def test_what_was_asked_and_not_answered_counts_once(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(6))) as fleet:
        first, second = fleet.gateways
        first.link.loses = True
        assert first.takes()
        first.link.loses = False
        fleet.advance(1)
        first.server.look()
        assert sum(second.takes() for _ in range(9)) == 5


def test_refusing_is_an_error_of_its_own(redis: RedisServer) -> None:
    with closing(Fleet(redis, limited(6), 1, refuses=True)) as fleet:
        limiter = fleet.gateways[0].limiters.of("p")
        assert limiter is not None
        fleet.cut(is_cut=True)
        with pytest.raises(LimitsUnavailable) as refused:
            limiter.acquire(deadline=float("inf"), left=lambda: False)
        assert refused.value.status == 503 and isinstance(refused.value, Limited)


def test_tokens_and_places_are_written_again(redis: RedisServer) -> None:
    rows = [RateLimit(provider="p", tokens_per_minute=100, max_concurrent=2)]
    with closing(Fleet(redis, rows)) as fleet:
        first, second = (each.limiters.of("p") for each in fleet.gateways)
        assert first is not None and second is not None
        held = first.try_acquire(Need(tokens=30))
        assert held is not None
        held.sent()
        fleet.cut(is_cut=True)
        assert second.try_acquire(Need(tokens=20)) is not None
        fleet.empty()
        fleet.cut(is_cut=False)
        fleet.beat()
        used = {unit.unit: unit.used for unit in second.status()[0].units}
        assert used == {"maxConcurrent": 2, "tokensPerMinute": 50}
        held.close()
        fleet.gateways[0].server.ask()
        fleet.advance(1)
        assert {unit.unit: unit.used for unit in second.status()[0].units}["maxConcurrent"] == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "later", "later", "cut", "join", "empty"]),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.4, 1.0, 3.0, 7.0, 20.0]),
    ),
    max_size=40,
)


@settings(max_examples=examples(60))
@given(limit=st.integers(1, 9), size=st.integers(1, 3), steps=STEPS)
def test_no_window_without_a_failure_has_more_than_the_limit(
    redis: RedisServer, limit: int, size: int, steps: list[tuple[str, int, float]]
) -> None:
    with closing(Fleet(redis, limited(limit), size)) as fleet:
        times, failures = [], []
        for kind, which, seconds in steps:
            gateway = fleet.gateways[which % size]
            if kind == "take" and gateway.takes():
                times.append(fleet.clock.monotonic())
            elif kind == "later":
                fleet.advance(seconds)
                for each in fleet.gateways:
                    each.server.look()
            elif kind == "cut":
                fleet.cut(is_cut=True)
                failures.append(fleet.clock.monotonic())
            elif kind == "empty" and gateway.link.is_cut:
                fleet.empty()
            elif kind == "join":
                fleet.cut(is_cut=False)
        most, share = max(limit, size), max(1, limit // size)
        for end in times:
            inside = [at for at in times if end - MINUTE < at <= end]
            changes = any(end - MINUTE < at <= end for at in failures)
            assert len(inside) <= most + (size - 1) * share * changes, (times, failures)
