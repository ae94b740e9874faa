"""The last calls and the last hour, as the page shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.records import CallRecord
from gateway.observe.recent import MAX_CALLS, MINUTES, RecentCalls, added, minutes_of, outcome_of

NOW = 1_764_428_430.0  # half a minute after a whole one
CALL = CallRecord(NOW, "r", "a", "a", "p", "m", "chat", 200, None, True, 0, 100, 1_000, input=5, output=7)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (200, None, "answered"),
        (200, "stream_interrupted", "failed"),
        (502, "provider_failure", "failed"),
        (429, "rate_limit_exceeded", "failed"),
        (404, "model_not_found", "refused"),
        (401, "invalid_api_key", "refused"),
        (499, "caller_left", "cancelled"),
        (200, "caller_left", "cancelled"),
    ],
)
def test_a_call_ends_in_one_of_four_ways(status: int, error: str | None, outcome: str) -> None:
    assert outcome_of(replace(CALL, status=status, error=error)) == outcome


def test_calls_have_numbers_and_the_newest_comes_first() -> None:
    recent = RecentCalls(lambda: NOW)
    recent.take([replace(CALL, request_id=f"r{number}") for number in range(1, 4)])
    assert [(each.id, each.record.request_id) for each in recent.calls(0, 50)] == [(3, "r3"), (2, "r2"), (1, "r1")]
    assert [each.id for each in recent.calls(1, 50)] == [3, 2]
    assert [each.id for each in recent.calls(0, 1)] == [3]
    assert recent.calls(3, 50) == [] and recent.last == 3
    assert len(recent.calls(1_000, 50)) == 3, "a number from before a restart"


def test_only_the_last_calls_are_kept() -> None:
    recent = RecentCalls(lambda: NOW)
    for _ in range(3):
        recent.take([CALL] * MAX_CALLS)
    assert [each.id for each in recent.calls(0, 1_000)] == list(range(3 * MAX_CALLS, 2 * MAX_CALLS, -1))


def test_the_last_hour_is_counted_by_the_minute_in_which_calls_ended() -> None:
    now = NOW
    recent = RecentCalls(lambda: now)
    slow = replace(CALL, at=NOW - 120.0, total_ms=61_000, first_ms=300)
    recent.take([CALL, replace(CALL, first_ms=500), replace(CALL, status=404, error="model_not_found"), slow])
    minutes = minutes_of(recent.counts(), now)
    assert len(minutes) == MINUTES
    assert (minutes[-1].answered, minutes[-1].refused, minutes[-1].input, minutes[-1].output) == (2, 1, 15, 21)
    assert (minutes[-1].first_p50_ms, minutes[-1].first_p95_ms) == (100, 500)
    assert (minutes[-2].answered, minutes[-2].first_p50_ms) == (1, 300)
    assert (minutes[-3].answered, minutes[-3].first_p50_ms) == (0, None)
    now = NOW + 60 * (MINUTES - 1)
    assert minutes_of(recent.counts(), now)[0].answered == 2
    now = NOW + 60 * MINUTES
    assert not any(each.answered for each in minutes_of(recent.counts(), now))


@given(
    st.lists(
        st.builds(
            replace,
            st.just(CALL),
            at=st.sampled_from([NOW, NOW - 60.0, NOW - 4_000.0]),
            error=st.sampled_from([None, "caller_left", "x"]),
            status=st.sampled_from([200, 404, 502]),
            streamed=st.booleans(),
            first_ms=st.none() | st.integers(0, 9),
            input=st.none() | st.integers(0, 9),
        ),
        max_size=2 * MAX_CALLS,
    )
)
def test_calls_that_come_together_count_as_one_by_one(records: list[CallRecord]) -> None:
    together, single = RecentCalls(lambda: NOW), RecentCalls(lambda: NOW)
    together.take(records)
    for record in records:
        single.take([record])
    assert together.calls(0, 1_000) == single.calls(0, 1_000)
    assert added(together.counts()) == added(single.counts())
    assert together.last == single.last == len(records)


def test_minutes_that_have_gone_are_forgotten() -> None:
    recent = RecentCalls(lambda: NOW)
    for hour in range(20):
        recent.take([replace(CALL, at=NOW + hour * 1_800.0)])
    assert len(vars(recent)["_minutes"]) <= MINUTES
