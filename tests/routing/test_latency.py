"""How long a target is waited for, by its own past."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.latency import FirstContent


def past(*seconds: float) -> FirstContent:
    history = FirstContent()
    for each in seconds:
        history.add(each)
    return history


@pytest.mark.parametrize("known", range(5))
def test_a_target_that_is_hardly_known_has_twelve_seconds(known: int) -> None:
    assert past(*[40.0] * known).limit() == 12


def test_five_answers_are_enough_to_know_it() -> None:
    assert past(5, 5, 5, 5, 5).limit() == 15


def test_a_fast_target_still_has_ten_seconds() -> None:
    assert past(*[0.25] * 50).limit() == 10


def test_a_target_that_thinks_for_forty_seconds_is_given_two_minutes() -> None:
    assert past(*[40.0] * 5).limit() == 120
    assert past(*[400.0] * 5).limit() == 120


def test_one_slow_answer_in_twenty_changes_nothing() -> None:
    assert past(*[4.0] * 19, 100).limit() == 12
    assert past(*[4.0] * 18, 100, 100).limit() == 120
    assert past(*[4.0] * 47, 5, 100, 100).limit() == 15, "the 48th of fifty"


def test_only_the_last_fifty_answers_count() -> None:
    history = past(*[40.0] * 1_000, *[4.0] * 50)
    assert (history.samples, history.limit()) == (50, 12)


@given(st.lists(st.floats(0, 5) | st.floats(0, 1_000), min_size=5, max_size=120))
def test_the_limit_is_that_of_the_last_fifty_alone(seconds: list[float]) -> None:
    assert past(*seconds).limit() == past(*seconds[-50:]).limit()
    ranked = sorted(seconds[-50:])
    p95 = ranked[math.ceil(len(ranked) * 0.95) - 1]
    assert past(*seconds).limit() == min(max(3 * p95, 10), 120)


@given(st.lists(st.floats(0, 1_000), max_size=80))
def test_the_limit_is_three_times_what_nineteen_in_twenty_answers_need(seconds: list[float]) -> None:
    history = past(*seconds)
    recent = seconds[-50:]
    assert history.samples == len(recent)
    assert 10 <= history.limit() <= 120
    if len(recent) >= 5 and 10 < history.limit() < 120:
        p95 = next(each for each in recent if math.isclose(3 * each, history.limit()))
        assert sum(each <= p95 for each in recent) >= 0.95 * len(recent)
        assert sum(each < p95 for each in recent) < 0.95 * len(recent)
