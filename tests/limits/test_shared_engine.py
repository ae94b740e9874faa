"""Limits that worker processes share: steps that die, workers that die, reloads one after the other, a line over
processes. Two engines in one process stand for two workers, each with its own descriptors and mapping."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clients.shared_engines import forget_worker, shared_engines
from gateway.config.rate_limit import RateLimit
from gateway.limits import shared_window
from gateway.limits.engine import PastUse
from gateway.limits.gauges import MaxConcurrent, RequestsPerMinute, TokensPerMinute
from gateway.limits.permit import Permit
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.row_key import RowKey
from gateway.limits.shared_engine import SharedEngine
from gateway.limits.shared_line import ALIVE
from gateway.limits.slots import Need, Refused, Terms, Wait
from tests.support.fakes import FakeClock
from tests.support.limits import kept_in, rows_of, used

if sys.platform == "win32":
    pytest.skip("no flock on Windows", allow_module_level=True)

QUEUE = Terms(queue=True)
ONE = Need(1, 10, 1)
KEY = RowKey("acme")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Workers:
    """Workers of one run directory."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder, self.clock = folder, clock

    def start(self, number: int, *limits: RateLimit) -> RateLimiters:
        return RateLimiters(limits, SharedEngine(self.folder, "providers", number, self.clock))


@pytest.fixture
def workers(tmp_path: Path, clock: FakeClock) -> Workers:
    return Workers(tmp_path, clock)


def of(limiters: RateLimiters) -> RateLimiter:
    found = limiters.of("acme", "m")
    assert found is not None
    return found


def taken(limiters: RateLimiters, need: Need = ONE, *, sent: bool = True) -> Permit:
    permit = of(limiters).try_acquire(need)
    assert permit is not None
    if sent:
        permit.sent()
    return permit


# Workers that die -------------------------------------------------------------------------------------------------


def limit(requests: int | None = None, **others: Any) -> RateLimit:
    return RateLimit(provider="acme", requests_per_minute=requests, max_wait_seconds=1_000, **others)


def test_the_places_of_a_dead_worker_come_back_and_its_windows_stay(workers: Workers) -> None:
    row = limit(9, max_concurrent=2, tokens_per_minute=100)
    dead, other = workers.start(0, row), workers.start(1, row)
    taken(dead)
    workers.clock.advance(20)
    taken(dead, sent=False)
    assert of(other).try_acquire(ONE) is None
    workers.clock.advance(20)
    forget_worker(workers.folder, 0, workers.clock)
    assert of(other).try_acquire(ONE) is not None
    assert [unit.used for unit in of(other).status()[0].units] == [1, 3, 30], "places, requests, tokens"


def test_what_a_dead_worker_had_not_reported_as_sent_may_have_left_at_its_end(tmp_path: Path) -> None:
    clock = FakeClock()
    dead, other = rows_of([[RequestsPerMinute(1), TokensPerMinute(10)]], clock=clock, workers=2)
    dead.slots(0).ask(None, ONE, Terms())
    clock.advance(59)
    other.forget(0)
    clock.advance(59)
    assert isinstance(other.slots(0).ask(None, ONE, Terms()), Refused)
    clock.advance(1.1)
    assert not isinstance(other.slots(0).ask(None, ONE, Terms()), Refused)


@pytest.fixture(autouse=True, scope="module")
def in_files() -> Iterator[None]:
    with kept_in("shared"):
        yield


def test_a_worker_that_begins_gives_back_what_its_number_held(workers: Workers) -> None:
    row = limit(max_concurrent=1)
    taken(workers.start(0, row))
    again = workers.start(0, row)
    assert taken(again)


def test_who_waits_in_a_worker_that_died_stands_in_nobodys_way(clock: FakeClock) -> None:
    dead, other = rows_of([[MaxConcurrent(1)]], clock=clock, workers=2)
    holder = other.slots(0).ask(None, ONE, QUEUE)
    assert isinstance(dead.slots(0).ask(None, ONE, QUEUE), Wait)
    waiting = other.slots(0).ask(None, ONE, QUEUE)
    other.slots(0).release(holder)
    assert isinstance(other.slots(0).ask(waiting.ticket, ONE, QUEUE), Wait), "another one is before it"
    other.forget(0)
    assert not isinstance(other.slots(0).ask(waiting.ticket, ONE, QUEUE), Wait)


def test_who_does_not_ask_for_three_seconds_falls_out_of_the_line(clock: FakeClock) -> None:
    silent, other = (each.slots(0) for each in rows_of([[MaxConcurrent(1)]], clock=clock, workers=2))
    holder = other.ask(None, ONE, QUEUE)
    first = silent.ask(None, ONE, QUEUE)
    second = other.ask(None, ONE, QUEUE)
    assert isinstance(first, Wait) and isinstance(second, Wait)
    other.release(holder)
    looks = 0
    while isinstance(answer := other.ask(second.ticket, ONE, QUEUE), Wait):
        clock.advance(0.25)
        looks += 1
    assert ALIVE <= looks * 0.25 <= ALIVE + 0.5
    assert isinstance(silent.ask(first.ticket, ONE, QUEUE), Wait), "it stands anew"
    assert len(rows_status(other)) == 1 and rows_status(other)[0] == 1
    other.release(answer)
    assert not isinstance(silent.ask(first.ticket, ONE, QUEUE), (Wait, Refused))


def rows_status(slots: Any) -> list[int]:
    return [row.waiting for row in slots.status()]


def test_a_machine_that_stood_still_keeps_its_line_in_order(clock: FakeClock) -> None:
    one, other = (each.slots(0) for each in rows_of([[MaxConcurrent(1)]], clock=clock, workers=2))
    holder = one.ask(None, ONE, QUEUE)
    first, second = one.ask(None, ONE, QUEUE), other.ask(None, ONE, QUEUE)
    assert isinstance(first, Wait) and isinstance(second, Wait)
    one.release(holder)
    clock.advance(100)
    assert isinstance(other.ask(second.ticket, ONE, QUEUE), Wait)
    assert not isinstance(one.ask(first.ticket, ONE, QUEUE), Wait)


# Reloads ----------------------------------------------------------------------------------------------------------


def test_workers_take_a_configuration_over_one_after_the_other(workers: Workers) -> None:
    first, second = (workers.start(number, limit(3)) for number in range(2))
    taken(first)
    rows = [limit(40, max_concurrent=5), RateLimit(provider="acme", model="m*", tokens_per_minute=1_000)]
    first.configure(rows)
    taken(second)
    taken(first)
    assert [unit.used for row in of(first).status() for unit in row.units] == [1, 3, 10]
    second.configure(rows)
    for _ in range(37):
        taken(second).close()
    assert of(first).try_acquire(ONE) is None
    assert [unit.used for row in of(second).status() for unit in row.units] == [1, 40, 380]


def test_a_row_that_all_workers_have_given_up_begins_anew(workers: Workers) -> None:
    first, second = (workers.start(number, limit(3)) for number in range(2))
    taken(first)
    first.configure([])
    assert used(of(second)) == 1, "one of them has it still"
    first.configure([limit(3)])
    assert used(of(first)) == 1
    for each in (first, second):
        each.configure([])
    first.configure([limit(3)])
    assert used(of(first)) == 0


def test_calls_under_way_end_where_their_row_has_gone(workers: Workers) -> None:
    first, second = (workers.start(number, limit(3, max_concurrent=2, tokens_per_minute=99)) for number in range(2))
    permit = taken(first, sent=False)
    for each in (first, second):
        each.configure([])
    second.configure([limit(7)])
    permit.sent()
    permit.close()
    assert used(of(second)) == 0


def test_a_waiting_call_goes_on_when_another_worker_lifts_the_number(workers: Workers) -> None:
    first, second = (workers.start(number, limit(1)) for number in range(2))
    taken(first)
    slots = of(second)._slots
    waiting = slots.ask(None, ONE, QUEUE)
    assert isinstance(waiting, Wait)
    first.configure([limit(50)])
    second.configure([limit(50)])
    assert not isinstance(slots.ask(waiting.ticket, ONE, QUEUE), Wait)


def test_only_the_first_worker_fills_a_window_of_a_day(workers: Workers) -> None:
    row = limit(9, requests_per_day=100, tokens_per_day=1_000)
    first, second = (workers.start(number, row) for number in range(2))
    past = [PastUse(workers.clock.wall() - hours * 3_600, 2, 30) for hours in (1, 2, 23, 25)]
    assert first.unfilled() == second.unfilled() == [KEY]
    first.refill(KEY, past)
    assert second.unfilled() == []
    second.refill(KEY, past)
    taken(second)
    assert [unit.used for unit in of(first).status()[0].units] == [1, 7, 100]


# The line over processes ------------------------------------------------------------------------------------------


def test_each_waits_until_its_own_time(clock: FakeClock) -> None:
    one, other = (each.slots(0) for each in rows_of([[RequestsPerMinute(2)]], clock=clock, workers=2))
    for _ in range(2):
        one.ask(None, Need(), QUEUE)
        clock.advance(10)
    waits = []
    for slots in (one, other, one, other, one):
        joined = slots.ask(None, Need(), QUEUE)
        assert isinstance(joined, Wait)
        again = slots.ask(joined.ticket, Need(), QUEUE)
        assert isinstance(again, Wait)
        waits.append(again.seconds)
    assert waits == [40, 50, 100, 110, 160]


def test_the_line_is_all_workers_together(workers: Workers) -> None:
    row = RateLimit(provider="acme", requests_per_minute=1, max_queue_size=1, max_wait_seconds=1_000)
    first, second = (workers.start(number, row) for number in range(2))
    taken(first)
    assert isinstance(of(first)._slots.ask(None, ONE, QUEUE), Wait)
    refused = of(second)._slots.ask(None, ONE, QUEUE)
    assert isinstance(refused, Refused)
    assert refused.why.startswith("requestsPerMinute of acme: 1 of 1 used, 1 waiting; 1 requests wait already; free in")


def test_closing_is_idempotent_and_leaves_what_others_share(tmp_path: Path, workers: Workers) -> None:
    engines = shared_engines(tmp_path, 3, workers.clock)
    limiters = RateLimiters([limit(3)], engines.providers)
    taken(limiters)
    engines.close()
    engines.close()
    assert used(of(workers.start(1, limit(3)))) == 1


def test_a_ring_full_of_gaps_has_no_room_until_its_oldest_leaves(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_window, "MOST_UNSENT", 4)
    slots: Any = rows_of([[RequestsPerMinute(9)]], clock=clock)[0].slots(0)
    oldest = slots.ask(None, Need(), Terms())
    clock.advance(1)
    for _ in range(3):
        slots.release(slots.ask(None, Need(), Terms()))
    refused = slots.ask(None, Need(), Terms())
    assert isinstance(refused, Refused)
    clock.advance(59)
    granted = slots.ask(None, Need(), Terms())
    slots.sent(oldest)
    slots.sent(granted)
    assert slots.status()[0].units[0].used == 1


def test_a_number_of_all_workers_may_be_as_large_as_the_settings_allow(workers: Workers) -> None:
    most = RateLimit(provider="acme", requests_per_minute=1_000_000, max_concurrent=100_000, max_queue_size=100_000)
    first, second = (workers.start(number, most) for number in range(2))
    taken(first)
    assert used(of(second)) == 1
    assert math.isclose(of(second).expected_wait(), 0)
