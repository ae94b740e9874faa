"""What the ledger adds up to: any period is the sum of its calls, by whatever tells them apart."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.local_days import midnight
from gateway.core.records import CallRecord
from gateway.core.strict_json import dumps
from gateway.observe.ledger_file import LedgerFile
from gateway.observe.ledger_store import Keep
from gateway.observe.usage import BY, By, Period, Sums, Usage, usage
from gateway.observe.usage_forms import as_csv, as_json, dollars
from gateway.observe.usage_period import BadPeriod, period
from tests.support.calls import call
from tests.support.examples import examples

HOUR, DAY = 3_600.0, 86_400.0
NOON = midnight(1_764_000_000.0) + 12 * HOUR


def summed(
    records: list[CallRecord], by: By, since: float, until: float | None = None, *, prune: bool = False
) -> Usage:
    file = LedgerFile(None)
    file.write(records)
    if prune:
        file.prune(Keep(days=2), NOON)
    found = usage(file.connection, Period(since, until, NOON), by)
    file.close()
    return found


def test_by_model_the_costly_ones_first() -> None:
    calls = [call(NOON, cost=2_000_000, model="b"), call(NOON, cost=5, model="a"), call(NOON, cost=5, model="a")]
    found = summed(calls, "model", NOON - DAY)
    assert [(key, sums.calls, sums.cost) for key, sums in found.rows] == [("a/b", 1, 2_000_000), ("a/a", 2, 10)]
    assert (found.total.calls, found.total.input, found.total.cost) == (3, 30, 2_000_010)


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("model", "a/m"),
        ("alias", "best"),
        ("provider", "a"),
        ("account", "a"),
        ("client", "(none)"),
        ("endpoint", "embeddings"),
        ("day", time.strftime("%Y-%m-%d", time.localtime(NOON))),
    ],
)
@pytest.mark.parametrize("since", [NOON - HOUR, NOON - DAY], ids=["from-calls", "from-days"])
def test_every_key_is_the_same_from_calls_and_from_days(by: By, key: str, since: float) -> None:
    found = summed([call(NOON, endpoint="embeddings")], by, since)
    assert [row for row, _ in found.rows] == [key]


def test_the_sums_of_whole_days_stay_when_their_calls_have_gone() -> None:
    calls = [call(NOON - 10 * DAY), call(NOON)]
    assert summed(calls, "model", NOON - 11 * DAY, prune=True).total.calls == 2


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.builds(
            call,
            st.integers(-4 * 24, 0).map(lambda hours: NOON + hours * HOUR),
            model=st.sampled_from("mn"),
            failed=st.booleans(),
            input=st.integers(0, 9),
            output=st.integers(0, 9),
            cost=st.none() | st.integers(0, 9),
        ),
        max_size=25,
    ),
    st.integers(-5 * 24, 1),
    st.none() | st.integers(-5 * 24, 1),
    st.sampled_from(BY),
)
def test_any_period_is_the_sum_of_its_calls(records: list[CallRecord], since: int, until: int | None, by: By) -> None:
    first, last = NOON + since * HOUR, None if until is None else NOON + until * HOUR
    within = [each for each in records if first <= each.at and (last is None or each.at < last)]
    found = summed(records, by, first, last).total
    costs = [each.cost for each in within if each.cost is not None]
    assert found == Sums(
        len(within),
        sum(each.error is not None for each in within),
        sum(each.input or 0 for each in within),
        sum(each.cached or 0 for each in within),
        0,
        sum(each.output or 0 for each in within),
        sum(each.reasoning or 0 for each in within),
        sum(costs) if costs else None,
        sum(each.cost is None for each in within),
    )


def test_json_has_null_where_no_price_is_known_and_never_zero() -> None:
    shown = json.loads(dumps(as_json(summed([call(NOON), call(NOON, model="n", cost=1_250_000)], "model", NOON - DAY))))
    rows = {row["key"]: row for row in shown["rows"]}
    assert (rows["a/m"]["cost_usd"], rows["a/m"]["unpriced"]) == (None, 1)
    assert (rows["a/n"]["cost_usd"], shown["total"]["cost_usd"]) == (1.25, 1.25)
    assert set(shown) == {"since", "until", "by", "rows", "total"}
    assert set(rows["a/m"]) == {
        "key", "calls", "failed", "input", "cached", "cache_write", "output", "reasoning", "cost_usd", "unpriced"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", 'with "quotes", and a comma'])
def test_no_cell_of_csv_is_a_formula(name: str) -> None:
    written = as_csv(summed([call(NOON, alias=name, cost=1)], "alias", NOON - DAY))
    header, row, end = written.split("\r\n")
    assert header == "key,calls,failed,input,cached,cache_write,output,reasoning,cost_usd,unpriced"
    assert row == {"w": '"with ""quotes"", and a comma"'}.get(name[0], f"'{name}") + ",1,0,10,5,0,5,2,0.000001,0"
    assert end == ""


@pytest.mark.parametrize(
    ("cost", "places", "text"),
    [(0, 2, "0.00"), (1_234_567, 2, "1.23"), (1_235_000, 2, "1.24"), (42, 6, "0.000042"), (1_500_000, 0, "2")],
)
def test_dollars(cost: int, places: int, text: str) -> None:
    assert dollars(cost, places) == text


# Periods -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("7d", None, NOON - 7 * DAY, None),
        ("24h", "1h", NOON - DAY, NOON - HOUR),
        ("2025-11-01", "2025-11-02", time.mktime((2025, 11, 1, 0, 0, 0, 0, 0, -1)),
         time.mktime((2025, 11, 3, 0, 0, 0, 0, 0, -1))),
        ("1d", "2099-01-01", NOON - DAY, None),
    ],
)  # fmt: skip
def test_a_period(since: str, until: str | None, first: float, last: float | None) -> None:
    assert period(since, until, NOON) == Period(first, last, NOON)


@pytest.mark.parametrize(
    ("since", "until"),
    [("", None), ("7", None), ("7w", None), ("-1d", None), ("2025-13-01", None), ("2025-02-30", None), ("0d", None),
     ("1d", "2d"), ("2099-01-01", None), ("1d", "x"), ("\u0667d", None), ("99999999d", None)],
)  # fmt: skip
def test_no_period(since: str, until: str | None) -> None:
    with pytest.raises(BadPeriod, match=r"since|until"):
        period(since, until, NOON)
