"""Budgets of gateways that share a real server."""

from contextlib import closing

import pytest

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.redis_budgets import RedisBudgets
from gateway.core.errors import LimitsUnavailable
from tests.support.fleet import Fleet
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

DAYS = 86_400


def engines(fleet: Fleet, limit: int, *spent: int) -> list[RedisBudgets]:
    """An engine of each gateway, with a budget of a client; what their ledgers know of before."""
    found = [RedisBudgets(each.server, fleet.clock) for each in fleet.gateways]
    for place, each in enumerate(found):
        before = spent[place] if place < len(spent) else 0
        each.configure("ci", "total", limit, lambda since, before=before: before)  # type: ignore[misc] # a default binds it
    return found


def reserve(engine: RedisBudgets, micros: int) -> Reservation | None:
    found = engine.reserve("ci", 0.0, micros, is_free=False)
    return found if isinstance(found, Reservation) else None


def view(engine: RedisBudgets) -> tuple[int, int]:
    found = engine.views()["ci"]
    return found.spent, found.reserved


def test_what_one_has_reserved_the_other_has_not(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        first, second = engines(fleet, 100)
        held = reserve(first, 70)
        assert held is not None and reserve(second, 40) is None
        assert reserve(second, 30) is not None
        first.settle("ci", held, 20)
        first.settle("ci", held, 20)  # only the first report counts
        fleet.gateways[0].server.ask()
        assert view(second) == (20, 30)
        assert reserve(second, 50) is not None and reserve(second, 1) is None


def test_a_refusal_shows_the_budget_of_all(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        first, second = engines(fleet, 100)
        assert reserve(first, 100) is not None
        found = second.reserve("ci", 0.0, 1, is_free=False)
        assert isinstance(found, BudgetView) and (found.spent, found.reserved, found.limit) == (0, 100, 100)
        assert isinstance(second.reserve("ci", 0.0, 0, is_free=True), Reservation)


def test_the_ledger_of_the_gateway_that_comes_first_counts_once(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        first, second = engines(fleet, 100, 60, 25)
        assert reserve(first, 41) is None and reserve(second, 41) is None
        assert view(second) == (60, 0)


def test_alone_each_has_its_share_of_what_was_left_and_writes_it_again(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        first, second = engines(fleet, 100)
        held = reserve(first, 20)
        assert held is not None and reserve(second, 20) is not None
        fleet.cut(is_cut=True)
        assert reserve(second, 31) is None, "60 are left as far as it knows, and there are two"
        other = reserve(second, 30)
        assert other is not None and reserve(second, 1) is None
        first.settle("ci", held, 5)
        second.settle("ci", other, 10)
        fleet.empty()
        fleet.cut(is_cut=False)
        fleet.beat()
        assert reserve(first, 1) is not None
        assert reserve(second, 1) is not None
        assert view(first) == (15, 22)


def test_a_call_that_costs_nothing_settles(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 1)) as fleet:
        (engine,) = engines(fleet, 100)
        held = reserve(engine, 0)
        assert held is not None
        engine.settle("ci", held, 0)
        fleet.gateways[0].server.ask()
        assert view(engine) == (0, 0) and fleet.gateways[0].server.is_up


def test_refusing_is_an_error_of_its_own(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 1, refuses=True)) as fleet:
        (engine,) = engines(fleet, 100)
        fleet.cut(is_cut=True)
        with pytest.raises(LimitsUnavailable):
            reserve(engine, 1)
        assert view(engine) == (0, 0)


def test_a_period_ends_and_its_key_goes(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 1)) as fleet:
        engine = RedisBudgets(fleet.gateways[0].server, fleet.clock)
        engine.configure("ci", "day", 10, lambda since: 0)
        engine.configure("ci", "day", 100, lambda since: 1 / 0)  # type: ignore[arg-type,return-value] # is not asked again
        held = engine.reserve("ci", fleet.clock.wall(), 100, is_free=False)
        assert isinstance(held, Reservation)
        (key,) = fleet.asking.plain("KEYS", "*budget*")
        assert 0 < int(fleet.asking.plain("TTL", key.decode())) <= 2 * DAYS + 1
        fleet.advance(2 * DAYS)
        later = fleet.clock.wall()
        assert isinstance(engine.reserve("ci", later, 100, is_free=False), Reservation)
        engine.settle("ci", held, 50)  # of the period before
        assert view(engine) == (0, 100)
