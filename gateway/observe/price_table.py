"""The table of prices that is shipped (prices.json, written by scripts/prices.py): which row is a model's, and what
that row says at a time and in a service tier.

The rules by which a row knows its model are data: a name, or how a name begins or ends, what it has, a pattern, `or`
and `and`. A whole name comes before every other rule, and of those the one with the longest text.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.core.strict_json import JsonValue

SHIPPED: Final = Path(__file__).with_name("prices.json")
STANDARD: Final = frozenset({"", "auto", "default", "standard", "on_demand", "unspecified"})
"""The vendors' words for the tier that has no name (OpenAI, Anthropic, Google, Groq; 2026-11)."""
_SCALE: Final = 1_000_000
"""Trillionths of a dollar for a token at one dollar per million tokens."""
Amount: TypeAlias = float | list[tuple[int, float]]
"""US dollars per million tokens; with tiers, pairs of the input tokens past which a price holds, and the price. In the
first pair they are 0."""
Amounts: TypeAlias = dict[str, Amount]
Condition: TypeAlias = str | tuple[str, str] | None
"""When prices hold: always, since a day, or between two times of the day (UTC)."""
Dated: TypeAlias = tuple[Condition, Amounts]
Matcher: TypeAlias = Callable[[str], bool]


class Tiered(Struct, frozen=True):
    """A price in trillionths of a dollar per token. `steps`: past so many tokens of input, from the largest on, another
    price holds for the whole call."""

    base: int
    steps: tuple[tuple[int, int], ...] = ()

    def at(self, prompt: int) -> int:
        """The price in a call with so many tokens of input."""
        if not self.steps:
            return self.base
        return next((price for start, price in self.steps if prompt > start), self.base)


class Rates(Struct, frozen=True):
    """The prices of one model. What is None has no price of its own: cached tokens and those written to the cache have
    the price of input, those written for an hour that of other writes, reasoning that of output."""

    input: Tiered
    output: Tiered | None = None
    cached: Tiered | None = None
    write: Tiered | None = None
    write_1h: Tiered | None = None
    reasoning: Tiered | None = None


_FIELDS: Final = {
    "in": "input",
    "out": "output",
    "cached": "cached",
    "write": "write",
    "write_1h": "write_1h",
    "reasoning": "reasoning",
}


class Row(Struct, frozen=True, array_like=True):
    """One model's prices, as the file has them.

    Attributes:
        rule: which names it is for.
        prices: one set, or pairs of a condition and a set, of which the last that holds counts.
        tiers: by the name of a service tier, pairs of a condition and what is different in it.
    """

    rule: Any
    prices: Amounts | list[Dated]
    tiers: dict[str, list[Dated]] = {}

    def lasting_rates(self, tier: str) -> Rates | None:
        """The prices where they are the same at all times and for every call of the tier; else None."""
        return _rates(self.prices) if tier in STANDARD and not isinstance(self.prices, list) else None

    def rates(self, at: float, tier: str) -> tuple[Rates, bool]:
        """The prices at a time in seconds since the epoch, and whether they are those of the tier."""
        when = datetime.datetime.fromtimestamp(at, datetime.UTC)
        dated: list[Dated] = self.prices if isinstance(self.prices, list) else [(None, self.prices)]
        found = next((prices for condition, prices in reversed(dated) if _holds(condition, when)), dated[0][1])
        if tier in STANDARD:
            return _rates(found), True
        changed = next((prices for condition, prices in self.tiers.get(tier, ()) if _holds(condition, when)), None)
        return _rates({**found, **(changed or {})}), changed is not None


class _File(Struct, frozen=True):
    date: str
    vendors: dict[str, list[Row]]


_FILE: Final = msgspec.json.Decoder(_File)


class PriceTable:
    """The table, which is read when the first price is asked for: most of a start's time would be for nothing.

    Args:
        path: the file.
    """

    def __init__(self, path: Path = SHIPPED) -> None:
        self._path = path
        self._lock = Lock()
        self._vendors: dict[str, _Models] | None = None
        self._date = ""

    @property
    def date(self) -> str:
        """The day of its prices, as 2026-11-29."""
        self._read()
        return self._date

    @property
    def known_date(self) -> str | None:
        """The same; None before the first price was asked for."""
        return self._date or None

    def find(self, vendor: str, model: str) -> Row | None:
        """The row of a vendor's model; None where there is none."""
        models = self._read().get(vendor)
        return models.find(model.lower()) if models else None

    def _read(self) -> "dict[str, _Models]":
        with self._lock:
            if self._vendors is None:
                content = _FILE.decode(self._path.read_bytes())
                self._date = content.date
                self._vendors = {name: _Models(rows) for name, rows in content.vendors.items()}
            return self._vendors


class _Models:
    """The models of one vendor."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._exact: dict[str, Row] = {}
        patterns: list[tuple[int, Matcher, Row]] = []
        for row in rows:
            for one in _alternatives(row.rule):
                if isinstance(one, str):
                    self._exact.setdefault(one, row)
                else:
                    patterns.append((_length(one), _matcher(one), row))
        self._patterns = sorted(patterns, key=lambda pattern: -pattern[0])

    def find(self, model: str) -> Row | None:
        found = self._exact.get(model)
        return found or next((row for _, matches, row in self._patterns if matches(model)), None)


def exactly(dollars: float) -> int:
    """US dollars per million tokens as trillionths of a dollar per token: all that is written has six decimals at most,
    which a float carries."""
    return round(dollars * _SCALE)


def _rates(amounts: Amounts) -> Rates:
    return replace(_NOTHING, **{_FIELDS[name]: _tiered(value) for name, value in amounts.items()})


def _tiered(value: Amount) -> Tiered:
    if not isinstance(value, list):
        return Tiered(exactly(value))
    (_, base), *steps = value
    return Tiered(exactly(base), tuple((start, exactly(price)) for start, price in reversed(steps)))


def _holds(condition: Condition, when: datetime.datetime) -> bool:
    if condition is None:
        return True
    if isinstance(condition, str):
        return when.date().isoformat() >= condition
    start, end = condition
    now = f"{when:%H:%M}"
    return start <= now < end if start <= end else now >= start or now < end  # midnight may be between


def _alternatives(rule: JsonValue) -> Iterator[JsonValue]:
    if isinstance(rule, dict) and isinstance(several := rule.get("or"), list):
        for one in several:
            yield from _alternatives(one)
    else:
        yield rule


def _length(rule: JsonValue) -> int:
    """The length of the text that a rule asks for. A pattern has its own: the longer, the more it says."""
    (value,) = rule.values() if isinstance(rule, dict) else (rule,)
    return max(map(_length, value)) if isinstance(value, list) else len(str(value))


def _matcher(rule: JsonValue) -> Matcher:
    (kind, value), *_ = rule.items() if isinstance(rule, dict) else (("equals", rule),)
    if isinstance(value, list):
        matchers, combined = [_matcher(one) for one in value], any if kind == "or" else all
        return lambda model: combined(matches(model) for matches in matchers)
    sought = str(value)
    match kind:
        case "starts":
            return lambda model: model.startswith(sought)
        case "ends":
            return lambda model: model.endswith(sought)
        case "has":
            return lambda model: sought in model
        case "pattern":
            pattern = re.compile(sought)
            return lambda model: pattern.search(model) is not None
        case _:
            return lambda model: model == sought


_NOTHING: Final = Rates(Tiered(0))
"""What the prices of a row are filled into; each row has one of input."""
