"""The report in Markdown: a table for each scenario, with figures and their ratio to the gateway's."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figures, medians, ratio
from benchmarks.scenarios import Kind, Scenario

BASE: Final = "gateway"
FLOOR: Final = "direct"
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column with one figure.

    Attributes:
        figure: its name.
        heading: its heading, with the unit.
        digits: the digits after the point.
        compared: whether to print its ratio to the gateway's, too.
    """

    figure: str
    heading: str
    digits: int = 0
    compared: bool = False


LAG: Final = (
    Column("first_p50", "first p50 ms", 1),
    Column("first_p99", "first p99 ms", 1),
    Column("lag_p50", "lag p50 ms", 2),
    Column("lag_p99", "lag p99 ms", 1, compared=True),
    Column("late", "late > 50 ms, %", 1),
    Column("lost", "lost"),
)
THROUGHPUT: Final = (
    Column("rate", "chunks/s", compared=True),
    Column("cpu", "CPU us a chunk", 1),
    Column("memory", "RSS MB"),
)
COLUMNS: Final[Mapping[Kind, tuple[Column, ...]]] = {
    "whole": (
        Column("rate", "requests/s", compared=True),
        Column("p50", "p50 us"),
        Column("p99", "p99 us"),
        Column("added", "added p50 us", compared=True),
        Column("cpu", "CPU us a request", compared=True),
        Column("failed", "failed"),
    ),
    "streams": (*LAG, *THROUGHPUT),
    "bulk": THROUGHPUT,
    "health": (Column("p50", "p50 ms", 1), Column("p99", "p99 ms", 1, compared=True), Column("checks", "checks")),
    "start": (
        Column("start", "cold start s", 2, compared=True),
        Column("idle", "RSS idle MB", compared=True),
        Column("loaded", "RSS after all load MB", compared=True),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's figures in the rounds of one scenario. `fault` is why rounds are missing."""

    contender: str
    rounds: tuple[Figures, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The facts about a run that a reader of its figures needs."""

    machine: str
    when: datetime.datetime
    rounds: int
    seconds: float
    notes: tuple[str, ...]


def render(head: Head, results: Sequence[tuple[Scenario, Sequence[Row]]]) -> str:
    """The whole report."""
    head_lines = [
        f"Measured {head.when:%Y-%m-%d %H:%M} UTC on {head.machine}.",
        f"Medians of {head.rounds} interleaved rounds of {head.seconds:g} s; in brackets the ratio to the {BASE}'s.",
        *(f"- {note}" for note in head.notes),
    ]
    tables = [table(scenario.name, scenario.title, COLUMNS[scenario.kind], rows) for scenario, rows in results]
    return "\n".join([*head_lines, "", *tables])


def table(name: str, title: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """One scenario's table, with its faults below it."""
    summed = {row.contender: with_added(row, rows) for row in rows}
    base = summed.get(BASE, {})
    lines = [
        f"### {name}: {title}",
        "",
        _line(["contender", *(column.heading for column in columns)]),
        _line(["---", *("---:" for _ in columns)]),
        *(_line([row.contender, *(cell(each, summed[row.contender], base) for each in columns)]) for row in rows),
        "",
        *(f"{row.contender}: {row.fault}\n" for row in rows if row.fault),
    ]
    return "\n".join(lines)


def with_added(row: Row, rows: Sequence[Row]) -> dict[str, float]:
    """A contender's medians, and `added`: its p50 less the p50 of the upstream alone."""
    own = medians(row.rounds)
    floor = next((medians(each.rounds) for each in rows if each.contender == FLOOR), {})
    if row.contender != FLOOR and "p50" in own and "p50" in floor:
        own["added"] = own["p50"] - floor["p50"]
    return own


def cell(column: Column, figures: Figures, base: Figures) -> str:
    """A figure, and its ratio if it is compared and not the gateway's own."""
    value = figures.get(column.figure)
    if value is None:
        return NOTHING
    text = f"{value:,.{column.digits}f}"
    share = ratio(value, base.get(column.figure)) if column.compared and figures is not base else None
    return text if share is None else f"{text} ({share:.2f}x)"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
