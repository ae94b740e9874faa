"""Rows in every unit: which of them fit a target, what they tell, a client's row, and what outlives a start."""

import math

import pytest

from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.errors import Limited, RequestTooLargeForLimit
from gateway.limits.engine import PastUse
from gateway.limits.gauges import FIRST_GUESS, SHORTEST, Gauge, MaxConcurrent, RequestsPerMinute, TokensPerMinute
from gateway.limits.permit import Permit
from gateway.limits.rate_limiter import ONE_REQUEST, RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.row_key import RowKey
from gateway.limits.slots import DAY, Need, UnitStatus
from tests.support.fakes import FakeClock
from tests.support.limits import engine_of, slots, used

pytestmark = pytest.mark.usefixtures("both_engines")


def rows(clock: FakeClock, *limits: RateLimit) -> RateLimiters:
    return RateLimiters(limits, engine_of(clock))


def of(limiters: RateLimiters, model: str = "m", provider: str = "acme") -> RateLimiter:
    found = limiters.of(provider, model)
    assert found is not None
    return found


def taken(limiter: RateLimiter, need: Need = ONE_REQUEST) -> Permit:
    permit = limiter.try_acquire(need)
    assert permit is not None
    permit.sent()
    return permit


def acquire(limiter: RateLimiter, need: Need) -> Permit:
    return limiter.acquire(need, deadline=math.inf, left=lambda: False)


def test_every_row_that_fits_counts_a_call_and_no_other() -> None:
    limiters = rows(
        FakeClock(),
        RateLimit(provider="acme", requests_per_minute=9),
        RateLimit(provider="acme", model="gpt-4o*", requests_per_minute=9),
        RateLimit(provider="acme", model="o3", requests_per_minute=9),
        RateLimit(provider="other", requests_per_minute=9),
    )
    for model in ("gpt-4o", "gpt-4o-mini", "gpt-4", "o3", "o3-mini"):
        taken(of(limiters, model))
    assert [(row.row, row.units[0].used) for row in limiters.status().values()] == [
        ("acme", 5), ("acme/gpt-4o*", 2), ("acme/o3", 1), ("other", 0)
    ]  # fmt: skip
    assert limiters.of("nobody", "m") is None


def test_a_call_takes_its_share_of_all_rows_or_of_none() -> None:
    limiters = rows(
        FakeClock(),
        RateLimit(provider="acme", requests_per_minute=9, tokens_per_day=1_000),
        RateLimit(provider="acme", model="m", max_concurrent=1, tokens_per_minute=100),
    )
    first = taken(of(limiters), Need(tokens=60))
    assert of(limiters).try_acquire(Need(tokens=60)) is None
    assert [[unit.used for unit in row.units] for row in limiters.status().values()] == [[1, 60], [1, 60]]
    first.close()
    assert [[unit.used for unit in row.units] for row in limiters.status().values()] == [[1, 60], [0, 60]]


def test_a_settled_call_counts_what_it_has_used_from_when_it_left() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", tokens_per_minute=100))
    permit = taken(of(limiters), Need(tokens=100))
    clock.advance(50)
    permit.settle(Usage(20, 10))
    assert used(of(limiters)) == 30
    permit.settle(Usage(100, 50))
    assert used(of(limiters)) == 150, "more than was reserved is charged, too"
    permit.close()
    clock.advance(10.1)
    assert used(of(limiters)) == 0


def test_a_usage_of_nothing_says_nothing() -> None:
    limiters = rows(FakeClock(), RateLimit(provider="acme", tokens_per_minute=100))
    taken(of(limiters), Need(tokens=40)).settle(Usage(0, 0))
    assert used(of(limiters)) == 40


def test_a_call_that_is_larger_than_a_providers_limit_goes_when_nothing_else_counts() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", tokens_per_minute=100, max_wait_seconds=100))
    taken(of(limiters), Need(tokens=1))
    assert of(limiters).try_acquire(Need(tokens=500)) is None
    assert 60 <= acquire(of(limiters), Need(tokens=500)).waited < 60.1


def test_the_refusal_names_the_limit_what_is_used_and_when_it_is_free() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", tokens_per_minute=30_000, max_wait_seconds=10))
    taken(of(limiters), Need(tokens=29_400))
    clock.advance(47.95)
    with pytest.raises(Limited) as caught:
        acquire(of(limiters), Need(tokens=1_800))
    assert caught.value.message == (
        "tokensPerMinute of acme: 29,400 of 30,000 used, this call needs about 1,800; "
        "a request waits at most 10 seconds for it; free in 13 seconds."
    )


def test_a_place_is_told_by_the_median_of_the_last_calls() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", max_concurrent=1, max_queue_size=0))
    for seconds in (1.0, 50.0, 8.0):
        permit = taken(of(limiters))
        clock.advance(seconds)
        permit.close()
    taken(of(limiters))
    with pytest.raises(Limited) as caught:
        acquire(of(limiters), Need())
    assert caught.value.retry_after == 8


def test_a_place_of_calls_that_end_in_one_tick_of_the_clock_is_not_told_to_be_free() -> None:
    limiters = rows(FakeClock(), RateLimit(provider="acme", max_concurrent=1, max_queue_size=0))
    taken(of(limiters)).close()
    taken(of(limiters))
    with pytest.raises(Limited) as caught:
        acquire(of(limiters), Need())
    assert caught.value.retry_after == pytest.approx(SHORTEST)


def test_a_stalled_answer_holds_its_place_and_who_waits_is_told_in_time() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", max_concurrent=1, max_wait_seconds=30))
    stalled = taken(of(limiters))
    began = clock.monotonic()
    with pytest.raises(
        Limited, match=r"maxConcurrent of acme: 1 of 1 used; a request waits at most 30 .*about 1 second"
    ) as told:
        acquire(of(limiters), Need())
    assert (clock.monotonic() - began, told.value.retry_after) == (30, FIRST_GUESS)
    assert of(limiters).waiting == 0
    stalled.close()
    stalled.close()
    assert used(of(limiters)) == 0


# A client's row ---------------------------------------------------------------------------------------------------


def test_a_client_never_waits_and_a_call_counts_once() -> None:
    clock = FakeClock()
    gauges: list[Gauge] = [RequestsPerMinute(1), TokensPerMinute(100), MaxConcurrent(4)]
    client = RateLimiter("ci", slots(gauges, clock=clock, name="ci", max_queue=0, max_wait=0), counts_tokens=True)
    permit = client.admit(Need(tokens=40))
    permit.sent()
    permit.settle(Usage(30, 30))  # of every try that reported usage
    permit.close()
    assert [unit.used for unit in client.status()[0].units] == [1, 60, 0]
    with pytest.raises(Limited) as caught:
        client.admit(Need(tokens=10))
    assert (caught.value.status, caught.value.retry_after) == (429, 60)
    assert caught.value.message == "requestsPerMinute of ci: 1 of 1 used; free in 60 seconds."
    with pytest.raises(RequestTooLargeForLimit) as large:
        client.admit(Need(tokens=101))
    assert (
        large.value.message
        == "tokensPerMinute of ci: 60 of 100 used, this call needs about 101; it could never have room."
    )
    assert (large.value.status, large.value.code) == (400, "request_too_large_for_limit")


def test_a_call_that_is_refused_later_gives_back_what_it_took_of_the_client() -> None:
    client = RateLimiter("ci", slots([RequestsPerMinute(1), TokensPerMinute(100)], clock=FakeClock()))
    client.admit(Need(tokens=100)).close()
    client.admit(Need(tokens=100))


# Reload and restart -----------------------------------------------------------------------------------------------


def test_a_changed_number_keeps_what_was_granted_and_a_new_one_begins_empty() -> None:
    clock = FakeClock()
    limiters = rows(clock, RateLimit(provider="acme", tokens_per_minute=100))
    taken(of(limiters), Need(tokens=80))
    limiters.configure([RateLimit(provider="acme", tokens_per_minute=90, requests_per_day=5)])
    assert of(limiters).status()[0].units == (
        UnitStatus("tokensPerMinute", 90, 80), UnitStatus("requestsPerDay", 5, 0)
    )  # fmt: skip
    for _ in range(5):
        limiters.configure([RateLimit(provider="acme", tokens_per_minute=100)])
    assert used(of(limiters)) == 80
    limiters.configure([RateLimit(provider="acme", model="m", tokens_per_minute=100)])
    assert used(of(limiters)) == 0, "another row"


def test_a_day_knows_after_a_restart_what_was_sent_before() -> None:
    clock = FakeClock(start=1_000_000.0)
    key = RowKey("acme")
    limiters = rows(
        clock,
        RateLimit(provider="acme", requests_per_day=10, tokens_per_day=1_000, requests_per_minute=9),
        RateLimit(provider="other", requests_per_minute=9),
    )
    assert limiters.unfilled() == [key]
    now = clock.wall()
    past = [
        PastUse(now - 2 * DAY, 1, 400),
        PastUse(now - DAY + 120, 2, 300),
        PastUse(now - 60, 1, 50),
        PastUse(now + 9, 1, 7),
    ]
    limiters.refill(key, past)
    limiters.refill(key, past)
    assert limiters.unfilled() == []
    assert {unit.unit: unit.used for unit in of(limiters).status()[0].units} == {
        "requestsPerMinute": 0, "requestsPerDay": 4, "tokensPerDay": 357
    }  # fmt: skip
    clock.advance(120 + 60)
    assert of(limiters).status()[0].units[1].used == 2
    limiters.configure([RateLimit(provider="acme", requests_per_day=20)])
    assert limiters.unfilled() == [], "it goes on"


def test_a_number_of_a_day_that_a_reload_adds_is_refilled_and_no_other_one_again() -> None:
    clock, key = FakeClock(start=1_000_000.0), RowKey("acme")
    past = [PastUse(clock.wall() - 60, 3, 50)]
    limiters = rows(clock, RateLimit(provider="acme", requests_per_day=10))
    limiters.refill(key, past)
    limiters.configure([RateLimit(provider="acme", requests_per_day=10, tokens_per_day=1_000)])
    assert limiters.unfilled() == [key]
    limiters.refill(key, past)
    assert {unit.unit: unit.used for unit in of(limiters).status()[0].units} == {
        "requestsPerDay": 3,
        "tokensPerDay": 50,
    }


def test_a_process_that_began_just_now_is_refilled_all_the_same() -> None:
    clock = FakeClock(start=5.0)
    limiters = rows(clock, RateLimit(provider="acme", requests_per_day=10))
    limiters.refill(RowKey("acme"), [PastUse(clock.wall() - 3_600, 3, 0)])
    assert used(of(limiters)) == 3
    taken(of(limiters))
    clock.advance(DAY - 3_600 + 60)
    assert used(of(limiters)) == 1
