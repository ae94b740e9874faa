"""What a call costs, by the configuration, the provider, and the shipped table."""

import datetime
import importlib.util
import json
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import Usage
from gateway.observe.price_table import SHIPPED, PriceTable, Rates, Tiered, exactly
from gateway.observe.prices import LOCAL, UNKNOWN, Cost, Override, Prices, amount, total
from tests.support.counted_answers import ANSWERS, CountedAnswer

NOON = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC).timestamp()
TABLE = PriceTable()
DOLLAR = Tiered(exactly(1))
SHIPPED_ROWS: list[tuple[str, Any]] = [
    (vendor, row) for vendor, rows in json.loads(SHIPPED.read_bytes())["vendors"].items() for row in rows
]


def cost(usage: Usage, vendor: str = "openai", model: str = "gpt-5", *, at: float = NOON, of: Any = ()) -> Cost:
    return Prices(of, TABLE).cost(vendor, "mine", model, usage, at)


def table_of(tmp_path: Path, *rows: Any) -> PriceTable:
    """A table with rows of one vendor, `v`."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"date": "2026-11-29", "vendors": {"v": rows}}))
    return PriceTable(path)


def price(table: PriceTable, model: str, usage: Usage, at: float = NOON) -> int | None:
    return Prices((), table).cost("v", "mine", model, usage, at).micros


# By whom a call is priced -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.vendor}-{row.wire}-{row.model}")
def test_the_answers_of_the_vendors_cost(row: CountedAnswer) -> None:
    found = cost(row.usage, row.vendor, row.model)
    assert (found.micros, found.source, found.approximate) == (row.micros, row.by, False)


def test_an_override_is_first_then_the_provider_then_the_table() -> None:
    told = Usage(1000, 0, reported_cost=5_000_000)
    mine = [Override("mine", "gpt-*", Rates(DOLLAR, DOLLAR)), Override("mine", "*", Rates(Tiered(0), Tiered(0)))]
    assert cost(told, of=mine) == Cost(exactly(1) * 1000, "override")
    assert cost(told, of=[Override("other", "*", Rates(DOLLAR, DOLLAR))]) == Cost(5_000_000, "provider")
    assert cost(Usage(1000, 0)) == Cost(exactly(1.25) * 1000, "table", TABLE.date)


def test_a_model_that_nobody_knows_costs_nobody_knows_what() -> None:
    assert cost(Usage(9, 9), model="no-such-model") == UNKNOWN
    assert cost(Usage(9, 9), vendor="no-such-vendor") == UNKNOWN
    assert Prices((), TABLE).cost(None, "mine", "gpt-5", Usage(9, 9), NOON) == UNKNOWN
    assert (UNKNOWN.micros, UNKNOWN.label) == (None, "unknown")


@pytest.mark.parametrize("vendor", sorted(LOCAL))
def test_a_server_of_ones_own_costs_nothing(vendor: str) -> None:
    assert cost(Usage(9, 9), vendor, "anything") == Cost(0, "local")


def test_output_without_a_price_is_unknown() -> None:
    assert cost(Usage(1000, 0), model="text-embedding-3-small").micros == 20
    assert cost(Usage(1000, 1), model="text-embedding-3-small") == UNKNOWN


def test_the_label_has_the_tables_date() -> None:
    assert cost(Usage(1, 1)).label == f"table {TABLE.date}"
    assert cost(Usage(1, 1, service_tier="scale")).label == f"table {TABLE.date}, approximate"
    assert datetime.date.fromisoformat(TABLE.date)


# Parts, tiers, times --------------------------------------------------------------------------------------------------


def test_each_part_has_its_price(tmp_path: Path) -> None:
    rates = {"in": 1, "cached": 0.1, "write": 2, "write_1h": 4, "out": 10, "reasoning": 20}
    table = table_of(tmp_path, ["m", rates])
    usage = Usage(1000, 100, cached=300, cache_write=200, cache_write_1h=50, reasoning=40)
    assert price(table, "m", usage) == 500 + 30 + 150 * 2 + 50 * 4 + 60 * 10 + 40 * 20


def test_what_has_no_price_of_its_own_has_that_of_the_whole(tmp_path: Path) -> None:
    table = table_of(tmp_path, ["m", {"in": 1, "out": 10}])
    assert price(table, "m", Usage(1000, 100, cached=300, cache_write=200, cache_write_1h=50, reasoning=40)) == 2000


def test_a_tier_holds_for_the_whole_call(tmp_path: Path) -> None:
    table = table_of(tmp_path, ["m", {"in": [[0, 1], [200_000, 2], [500_000, 3]], "out": [[0, 10], [200_000, 15]]}])
    assert price(table, "m", Usage(200_000, 10)) == 200_000 + 100
    assert price(table, "m", Usage(200_001, 10)) == 400_002 + 150
    assert price(table, "m", Usage(500_001, 10)) == 1_500_003 + 150


def test_the_service_tier_picks_its_prices(tmp_path: Path) -> None:
    table = table_of(tmp_path, ["m", {"in": 2, "out": 8}, {"flex": [[None, {"in": 1}]]}])
    for tier, micros, approximate in (("flex", 9, False), ("Default", 10, False), (None, 10, False), ("x", 10, True)):
        found = Prices((), table).cost("v", "mine", "m", Usage(1, 1, service_tier=tier), NOON)
        assert (found.micros, found.approximate) == (micros, approximate)


def test_prices_change_at_a_day_and_by_the_hour(tmp_path: Path) -> None:
    later, night, late = ["2026-12-01", {"in": 2}], [["16:00", "01:00"], {"in": 3}], [["04:00", "06:00"], {"in": 4}]
    table = table_of(tmp_path, ["m", [[None, {"in": 1}], later, night, late]])
    first = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    for hours, micros in ((0, 1), (11.98, 3), (12, 3), (13, 2), (16, 4), (18, 2), (24, 2), (28, 3)):
        at = (first + datetime.timedelta(hours=hours)).timestamp()
        assert price(table, "m", Usage(1, 0), at) == micros, hours


def test_a_whole_name_comes_before_a_pattern_and_a_long_text_before_a_short_one(tmp_path: Path) -> None:
    table = table_of(
        tmp_path,
        [{"starts": "grok-"}, {"in": 1}],
        [{"or": [{"starts": "grok-4-fast"}, "grok-4"]}, {"in": 2}],
        ["grok-4-fast-now", {"in": 3}],
        [{"and": [{"starts": "grok-4-"}, {"ends": "-a-long-end"}]}, {"in": 4}],
        [{"has": "inside"}, {"in": 5}],
        [{"pattern": r"^dated-\d{8}$"}, {"in": 6}],
    )
    names = {
        "grok-3": 1,
        "GROK-4": 2,
        "grok-4-fast-x": 2,
        "grok-4-fast-now": 3,
        "grok-4-a-long-end": 4,
        "x-inside-y": 5,
        "dated-20261129": 6,
        "dated-2026": None,
    }
    assert {name: price(table, name, Usage(1, 0)) for name in names} == names


# Sums -----------------------------------------------------------------------------------------------------------------


def test_a_call_is_rounded_once_half_up() -> None:
    half = Cost(500_000, "table", "2026-11-29")
    assert [half.micros, total([half, half]).micros, total([half] * 3).micros] == [1, 1, 2]
    assert Cost(499_999, "table").micros == 0


def test_of_a_call_with_a_part_that_nobody_knows_nothing_is_known() -> None:
    assert total([Cost(5, "table"), UNKNOWN]) == UNKNOWN
    assert total([]) == UNKNOWN


def test_a_call_of_several_sources_names_the_least_sure() -> None:
    parts = [Cost(1, "provider"), Cost(2, "table", "2026-11-29", approximate=True), Cost(3, "override")]
    assert total(parts) == Cost(6, "table", "2026-11-29", approximate=True)


tokens = st.integers(0, 10**9)
dollars = st.decimals(0, 1000, places=6)


@given(tokens, tokens, tokens, tokens, tokens, dollars, dollars, dollars, dollars)
def test_the_sum_is_that_of_exact_decimals(
    prompt: int, cached: int, written: int, output: int, reasoning: int, inp: Any, cache: Any, write: Any, out: Any
) -> None:
    usage = Usage(prompt, output, cached=cached, cache_write=written, reasoning=reasoning)
    of_input, of_output, of_cached, of_write = (Tiered(exactly(float(one))) for one in (inp, out, cache, write))
    found = amount(usage, Rates(of_input, of_output, cached=of_cached, write=of_write))
    read = min(cached, prompt)
    put = min(written, prompt - read)
    exact = (prompt - read - put) * inp + read * cache + put * write + output * out
    assert Cost(found, "table").micros == int(exact.to_integral_value(ROUND_HALF_UP))


@given(tokens, tokens, tokens, tokens, tokens, tokens)
def test_each_part_has_its_own_price_or_that_of_what_it_is_a_part_of(
    prompt: int, cached: int, written: int, hour: int, output: int, reasoning: int
) -> None:
    usage = Usage(prompt, output, cached, reasoning, written, hour)
    read, thought = min(cached, prompt), min(reasoning, output)
    put = min(written, prompt - read)
    lasting = min(hour, put)
    plain = 3 * (prompt - read - put) + 5 * (output - thought)
    own = Rates(Tiered(3), Tiered(5), Tiered(7), Tiered(11), Tiered(13), Tiered(17))
    assert amount(usage, own) == plain + 7 * read + 11 * (put - lasting) + 13 * lasting + 17 * thought
    assert amount(usage, Rates(Tiered(3), Tiered(5), write=Tiered(11))) == plain + 3 * read + 11 * put + 5 * thought
    assert amount(usage, Rates(Tiered(3), Tiered(5))) == 3 * prompt + 5 * output


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table_is_small_and_has_its_licence() -> None:
    assert SHIPPED.stat().st_size <= 150_000
    head = json.loads(SHIPPED.read_bytes())
    assert head["source"] == "genai-prices 0.2.3"
    assert "Permission is hereby granted" in head["license"] and "Pydantic" in head["license"]


def test_the_table_is_not_read_before_something_is_priced(tmp_path: Path) -> None:
    table = PriceTable(tmp_path / "prices.json")
    prices = Prices([Override("mine", "m", Rates(DOLLAR, DOLLAR))], table)
    assert prices.cost("v", "mine", "m", Usage(1, 0), NOON).source == "override"
    assert prices.cost("ollama", "mine", "x", Usage(1, 0), NOON).source == "local"
    table_of(tmp_path, ["x", {"in": 1, "out": 1}])
    assert prices.cost("v", "mine", "x", Usage(1, 0), NOON).micros == 1


def test_every_row_can_be_priced() -> None:
    for vendor, row in SHIPPED_ROWS:
        for name in _names(row[0]):
            assert TABLE.find(vendor, name) is not None, name
            assert cost(Usage(1000, 0, cached=10), vendor, name).micros is not None, name


def _names(rule: Any) -> Iterable[str]:
    if isinstance(rule, str):
        yield rule
    elif "or" in rule:
        for one in rule["or"]:
            yield from _names(one)


def _pairs() -> list[tuple[str, str, Usage, str]]:
    """Forty pairs: each vendor's first, middle and last models that are priced both ways, with usages by turns."""
    usages = (
        Usage(1000, 500),
        Usage(250_000, 500, cached=100_000),
        Usage(5000, 700, cached=1200, cache_write=900, cache_write_1h=300, reasoning=300),
        Usage(130_001, 9000, cached=3, reasoning=8999),
    )
    found = []
    for vendor in dict(SHIPPED_ROWS):
        names = [name for of, row in SHIPPED_ROWS if of == vendor and "out" in str(row[1]) for name in _names(row[0])]
        found += [(vendor, names[len(names) * part // 4]) for part in range(4) if names]
    tiers = ("", "", "", "flex")
    return [
        (vendor, name, usages[place % 4], tiers[place % 4] if vendor == "openai" else "")
        for place, (vendor, name) in enumerate(found[:40])
    ]


def test_forty_pairs_cost_what_the_source_of_the_table_says() -> None:
    source = pytest.importorskip("genai_prices", reason="genai-prices is not installed (requirements-dev.txt)")
    script = importlib.util.spec_from_file_location("prices", Path(__file__).parents[2] / "scripts" / "prices.py")
    assert script and script.loader
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    theirs = {ours: name for name, ours in module.OUR_NAMES.items()}
    pairs = _pairs()
    assert len(pairs) == 40
    for vendor, model, usage, tier in pairs:
        counted = source.Usage(
            input_tokens=usage.prompt,
            output_tokens=usage.completion,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            cache_write_1h_tokens=usage.cache_write_1h,
            output_reasoning_tokens=usage.reasoning,
        )
        expected: Decimal = source.calc_price(
            counted,
            model,
            provider_id=theirs[vendor],
            genai_request_timestamp=datetime.datetime.fromtimestamp(NOON, datetime.UTC),
            price_context={"service_tier": tier} if tier else None,
        ).total_price
        found = cost(Usage(**{**_fields(usage), "service_tier": tier or None}), vendor, model)
        assert found.micros == int((expected * 10**6).to_integral_value(ROUND_HALF_UP)), (vendor, model)


def _fields(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in usage.__struct_fields__}
