"""What the ledger adds up to: sums of a period, by model or whatever else tells calls apart.

Days that lie whole in the period come from the table of their sums, the rest from the single calls. So the sums of last
month stay when its calls have gone.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

from gateway.core.local_days import day_of, midnight

By = Literal["model", "alias", "provider", "account", "client", "endpoint", "day"]
BY: Final[tuple[By, ...]] = get_args(By)
NONE: Final = "(none)"
"""The key of calls that have none: a refused one has no provider."""
_KEYS: Final[Mapping[By, str]] = {
    "model": f"CASE provider WHEN '' THEN '{NONE}' ELSE provider || '/' || model END",
    "alias": "alias",
    "provider": f"CASE provider WHEN '' THEN '{NONE}' ELSE provider END",
    "account": f"CASE WHEN provider = '' THEN '{NONE}' WHEN account = '' THEN provider"
    " ELSE provider || '@' || account END",
    "client": f"CASE client WHEN '' THEN '{NONE}' ELSE client END",
    "endpoint": "endpoint",
    "day": "day",
}
_OF_DAYS: Final = (
    "sum(calls), sum(failed), sum(input), sum(cached), sum(cache_write), sum(output), sum(reasoning), sum(cost),"
    " sum(unpriced) FROM days WHERE day >= ? AND day < ?"
)
_OF_CALLS: Final = (
    "count(*), sum(error IS NOT NULL), sum(coalesce(input, 0)), sum(coalesce(cached, 0)),"
    " sum(coalesce(cache_write, 0)), sum(coalesce(output, 0)), sum(coalesce(reasoning, 0)), sum(cost),"
    " sum(coalesce(cost_source = 'unknown', 0)) FROM calls WHERE at >= ? AND at < ?"
)


class Period(Struct, frozen=True):
    """From when to when, in wall seconds. `until` is the first second after it; None: there is no end, and `now` is the
    latest that there can be."""

    since: float
    until: float | None
    now: float


class Sums(Struct, frozen=True):
    """What some calls add up to. `cost`: of those with a known price, in millionths of a US dollar; None where no call
    has one. `unpriced`: how many have none and may have cost something."""

    calls: int = 0
    failed: int = 0
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    cost: int | None = None
    unpriced: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        known = [each for each in (self.cost, other.cost) if each is not None]
        return Sums(
            self.calls + other.calls,
            self.failed + other.failed,
            self.input + other.input,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
            sum(known) if known else None,
            self.unpriced + other.unpriced,
        )


class Usage(Struct, frozen=True):
    """The sums of a period.

    Attributes:
        rows: by key, the most expensive first, then those with the most tokens.
        total: of all rows.
    """

    period: Period
    by: By
    rows: Sequence[tuple[str, Sums]]
    total: Sums


class _Query(Struct, frozen=True):
    """What is added up: by what, and of which client; None for all."""

    by: By
    client: str | None

    @property
    def whose(self) -> str:
        return "" if self.client is None else " AND client = ?"

    @property
    def arguments(self) -> tuple[str, ...]:
        return () if self.client is None else (self.client,)


def usage(connection: sqlite3.Connection, period: Period, by: By, client: str | None = None) -> Usage:
    """The sums of a period. Raises sqlite3.Error.

    Args:
        connection: of the ledger.
        period: which calls.
        by: what tells the rows apart.
        client: whose calls; None for everybody's.
    """
    connection.execute("BEGIN")  # one moment for all the queries
    try:
        found: dict[str, Sums] = {}
        for key, sums in _found(connection, period, _Query(by, client)):
            found[key] = found.get(key, Sums()) + sums
    finally:
        connection.execute("ROLLBACK")
    order = (lambda row: row[0]) if by == "day" else _rank
    rows = sorted(found.items(), key=order)
    return Usage(period, by, rows, sum(found.values(), Sums()))


def _found(connection: sqlite3.Connection, period: Period, query: _Query) -> Sequence[tuple[str, Sums]]:
    first = midnight(period.since, 0 if midnight(period.since) == period.since else 1)
    if period.until is None:
        return [
            *_of_calls(connection, period.since, first, query),
            *_of_days(connection, day_of(first), "9", query),
        ]
    last = midnight(period.until)
    if last < first:
        return _of_calls(connection, period.since, period.until, query)
    return [
        *_of_calls(connection, period.since, first, query),
        *_of_days(connection, day_of(first), day_of(last), query),
        *_of_calls(connection, last, period.until, query),
    ]


def _of_days(connection: sqlite3.Connection, since: str, until: str, query: _Query) -> list[tuple[str, Sums]]:
    text = f"SELECT {_KEYS[query.by]} AS key, {_OF_DAYS}{query.whose} GROUP BY key"
    return [(row[0], Sums(*row[1:])) for row in connection.execute(text, (since, until, *query.arguments))]


def _of_calls(connection: sqlite3.Connection, since: float, until: float, query: _Query) -> list[tuple[str, Sums]]:
    """Of a part of one day."""
    if since >= until:
        return []
    key = f"'{day_of(since)}'" if query.by == "day" else _KEYS[query.by]
    text = f"SELECT {key} AS key, {_OF_CALLS}{query.whose} GROUP BY key"
    return [(row[0], Sums(*row[1:])) for row in connection.execute(text, (since, until, *query.arguments))]


def _rank(row: tuple[str, Sums]) -> tuple[int, int, int, str]:
    key, sums = row
    return -(sums.cost or 0), -(sums.input + sums.output), -sums.calls, key
