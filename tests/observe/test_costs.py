"""The cost of a call is that of its tries, each by its own target; what nobody knows is not nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.records import CallRecord, TryRecord
from gateway.observe.costs import with_costs
from gateway.observe.prices import UNKNOWN, Cost
from tests.support.calls import call

PER_TOKEN = {"a": 400_000, "b": 1_000_000}
"""Trillionths of a dollar."""


def cost_of(provider: str, model: str, usage: Usage, at: float) -> Cost:
    if provider == "local":
        return Cost(0, "local")
    price = PER_TOKEN.get(provider)
    return UNKNOWN if price is None else Cost(usage.prompt * price, "table", "2026-11-29")


def tried(*tries: TryRecord) -> CallRecord:
    return with_costs(replace(call(), tries=tries, cost=None, cost_source=None), cost_of)


def answered(provider: str, tokens: int | None) -> TryRecord:
    return TryRecord(provider, "m", "200", usage=None if tokens is None else Usage(tokens, 0))


FAILED = TryRecord("b", "m", "503")


@pytest.mark.parametrize(
    ("tries", "cost", "source"),
    [
        ((answered("b", 7),), 7, "table 2026-11-29"),
        ((FAILED, answered("b", 7)), 7, "table 2026-11-29"),
        ((replace(FAILED, usage=Usage(3, 0)), answered("b", 7)), 10, "table 2026-11-29"),
        ((answered("a", 1), answered("a", 1)), 1, "table 2026-11-29"),
        ((answered("new", 7),), None, "unknown"),
        ((answered("b", 7), answered("new", 1)), None, "unknown"),
        ((answered("b", None),), None, "unknown"),
        ((answered("local", None),), 0, "local"),
        ((FAILED,), None, None),
        ((), None, None),
    ],
    ids=[
        "one", "a-failed-one-is-free", "unless-it-was-counted", "rounded-once", "no-price", "in-part", "not-counted",
        "not-counted-but-free", "all-failed", "refused",
    ],
)  # fmt: skip
def test_the_cost_of_a_call(tries: tuple[TryRecord, ...], cost: int | None, source: str | None) -> None:
    found = tried(*tries)
    assert (found.cost, found.cost_source) == (cost, source)


def test_each_try_has_its_own() -> None:
    assert [each.cost for each in tried(FAILED, answered("a", 10), answered("b", 7)).tries] == [None, 4, 7]


@pytest.mark.parametrize("provider", ["a", "b", "new", "local"])
@given(st.integers(0, 10**9))
def test_a_call_that_took_one_try_costs_what_it_costs_after_one_that_is_free(provider: str, tokens: int) -> None:
    alone, after = tried(answered(provider, tokens)), tried(FAILED, answered(provider, tokens))
    assert (alone.cost, alone.cost_source, alone.tries) == (after.cost, after.cost_source, after.tries[1:])
