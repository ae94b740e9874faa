"""Calls that wait while a shared server goes away and comes back."""

from contextlib import closing

import pytest

from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.errors import CallerLeft, DeadlineExceeded, LimitsUnavailable
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.redis_slots import RedisSlots
from gateway.limits.slots import MINUTE, Need, Refused, Terms, Wait
from tests.support.fleet import Fleet, SharingGateway
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

FOR_EVER = float("inf")
QUEUE = Terms(queue=True)


def patient(requests: int, max_queue: int = 50) -> RateLimit:
    return RateLimit(provider="p", requests_per_minute=requests, max_queue_size=max_queue, max_wait_seconds=1_000)


def of(gateway: SharingGateway) -> RateLimiter:
    limiter = gateway.limiters.of("p")
    assert limiter is not None
    return limiter


def slots_of(gateway: SharingGateway) -> RedisSlots:
    found = of(gateway)._slots
    assert isinstance(found, RedisSlots)
    return found


def away_and_back(fleet: Fleet, *, empty: bool = False) -> None:
    """The server is away for a moment, which everyone notices."""
    fleet.cut(is_cut=True)
    for each in fleet.gateways:
        each.takes()
    if empty:
        fleet.empty()
    fleet.cut(is_cut=False)
    fleet.advance(1)
    for each in fleet.gateways:
        each.server.look()
        assert each.server.is_up and each.engine.is_guarded


def test_for_a_window_after_a_return_the_share_binds_those_who_wait_too(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(4)])) as fleet:
        first = fleet.gateways[0]
        away_and_back(fleet)
        assert first.takes() and not first.takes(), "two of the share, one of them while it was away"
        slots = slots_of(first)
        waiting = slots.ask(None, Need(), QUEUE)
        assert isinstance(waiting, Wait)
        assert fleet.asking.plain("ZCARD", "gw:{g:p}:p:q") == 1, "it stands in the server's line"
        for _ in range(58):
            fleet.advance(1)
            assert isinstance(slots.ask(waiting.ticket, Need(), QUEUE), Wait)
        fleet.advance(2)
        assert not isinstance(slots.ask(waiting.ticket, Need(), QUEUE), (Wait, Refused))


def test_the_server_binds_where_the_share_has_room_and_nothing_of_the_share_is_lost(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(4)])) as fleet:
        first, second = fleet.gateways
        assert sum(second.takes() for _ in range(4)) == 4
        away_and_back(fleet)
        assert not first.takes() and not first.takes()
        waiting = slots_of(first).ask(None, Need(), QUEUE)
        assert isinstance(waiting, Wait)
        slots_of(first).leave(waiting.ticket)
        fleet.advance(MINUTE - 0.9)
        assert [first.takes() for _ in range(3)] == [True, True, False], "the share is two, and still binds"


def test_a_full_line_is_full_for_the_share_as_well(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(2, max_queue=1)])) as fleet:
        first = fleet.gateways[0]
        away_and_back(fleet)
        slots = slots_of(first)
        assert isinstance(slots.ask(None, Need(), QUEUE), Wait)
        assert isinstance(slots.ask(None, Need(), QUEUE), Refused)


def test_who_has_waited_longer_comes_first_within_the_share(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(2)])) as fleet:
        first = fleet.gateways[0]
        away_and_back(fleet)
        slots = slots_of(first)
        older = slots.ask(None, Need(), QUEUE)
        fleet.advance(0.5)
        younger = slots.ask(None, Need(), QUEUE)
        assert isinstance(older, Wait) and isinstance(younger, Wait)
        for _ in range(61):
            fleet.advance(1)
            late, early = slots.ask(younger.ticket, Need(), QUEUE), slots.ask(older.ticket, Need(), QUEUE)
            assert isinstance(late, Wait)
            if not isinstance(early, Wait):
                return
        raise AssertionError("the older one was never granted")


def test_a_call_that_waits_alone_may_leave(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(1)], 1)) as fleet:
        gateway = fleet.gateways[0]
        assert gateway.takes()
        fleet.cut(is_cut=True)
        looks = iter([False, False, True])
        with pytest.raises(CallerLeft):
            of(gateway).acquire(deadline=FOR_EVER, left=lambda: next(looks))
        assert of(gateway).waiting == 0

        def left() -> bool:
            fleet.clock.advance(75)
            return False

        with pytest.raises(DeadlineExceeded):
            of(gateway).acquire(deadline=fleet.clock.monotonic() + 70, left=left)


def test_what_a_call_got_while_it_was_away_is_given_back_if_it_leaves(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", max_concurrent=1)], 1)) as fleet:
        gateway = fleet.gateways[0]
        slots, held = slots_of(gateway), of(gateway).try_acquire()
        waiting = slots.ask(None, Need(), QUEUE)
        assert held is not None and isinstance(waiting, Wait)
        held.close()  # the report of it is lost with the server
        fleet.cut(is_cut=True)
        assert isinstance(slots.ask(None, Need(), Terms()), Refused), "the one that waits has got the place"
        slots.leave(waiting.ticket)
        slots.leave(waiting.ticket)
        assert of(gateway).try_acquire() is not None


def test_calls_that_wait_are_refused_where_that_is_asked_for(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(1)], 1, refuses=True)) as fleet:
        gateway = fleet.gateways[0]
        assert gateway.takes()
        looks = iter([False, True])

        def left() -> bool:
            if next(looks):
                fleet.cut(is_cut=True)
                fleet.advance(2)
            return False

        with pytest.raises(LimitsUnavailable):
            of(gateway).acquire(deadline=FOR_EVER, left=left)


def test_reports_count_once_where_the_server_was_away_between(redis: RedisServer) -> None:
    rows = [RateLimit(provider="p", tokens_per_minute=1_000, requests_per_minute=9)]
    with closing(Fleet(redis, rows)) as fleet:
        first, second = fleet.gateways
        early, late = of(first).try_acquire(Need(tokens=100)), of(first).try_acquire(Need(tokens=200))
        assert early is not None and late is not None
        early.sent()
        fleet.cut(is_cut=True)
        assert not first.server.is_up or first.takes()
        alone = of(first).try_acquire(Need(tokens=50))
        assert alone is not None
        alone.sent()
        early.settle(Usage(10, 10))
        fleet.cut(is_cut=False)
        fleet.advance(1)
        first.server.look()
        late.sent()
        late.settle(Usage(30, 10))
        late.settle(Usage(30, 10))
        alone.settle(Usage(2, 3))
        for each in (early, late, alone):
            each.close()
            each.close()
            each.sent()  # too late
        first.server.ask()
        fleet.advance(1)
        used = {unit.unit: unit.used for unit in of(second).status()[0].units}
        assert used == {"requestsPerMinute": 4, "tokensPerMinute": 20 + 40 + 5}
