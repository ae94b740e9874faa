"""`usage`: what the calls of a period add up to, from the ledger's file. No gateway has to run."""

from collections.abc import Sequence
from typing import Final

from gateway.commands.accounts import CommandFailed
from gateway.commands.console import one_line
from gateway.config.loader import Loaded, resolve
from gateway.observe.ledger_reader import reading
from gateway.observe.ledger_store import NoLedger, UnreadableLedger
from gateway.observe.usage import By, Period, Sums, Usage
from gateway.observe.usage import usage as usage_of
from gateway.observe.usage_forms import dollars, known_cost

HEADS: Final = ("calls", "failed", "input", "cached", "output", "cost")


def usage(loaded: Loaded, period: Period, by: By) -> Usage:
    """The sums of a period.

    Args:
        loaded: the configuration, which names the ledger's file.
        period: which calls.
        by: what tells the rows apart.

    Raises:
        CommandFailed: there is no ledger, or it cannot be read.
    """
    if loaded.path is None:
        raise CommandFailed(
            "Without a configuration file the gateway keeps its ledger in memory: ask it at GET /gateway/usage.json."
        )
    path = resolve(loaded.config.ledger.path, loaded.path.parent)
    try:
        with reading(path) as connection:
            return usage_of(connection, period, by)
    except NoLedger:
        off = "" if loaded.config.ledger.enabled else " ledger.enabled is false."
        raise CommandFailed(f"There is no ledger at {one_line(str(path))}: no call has been recorded.{off}") from None
    except UnreadableLedger as fault:
        raise CommandFailed(f"The ledger {one_line(str(path))} {fault}.") from None


def as_text(shown: Usage, since: str) -> str:
    """For people: a table with a line of sums at its end.

    Args:
        shown: the sums.
        since: when the period begins, as it was asked for.
    """
    if not shown.rows:
        return f"No calls since {since}."
    lines = [(shown.by, *HEADS), *((one_line(key), *_cells(sums)) for key, sums in shown.rows)]
    lines.append(("total", *_cells(shown.total)))
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _cells(sums: Sums) -> Sequence[str]:
    counts = (sums.calls, sums.failed, sums.input, sums.cached, sums.output)
    return (*(f"{count:,}" for count in counts), _cost(sums))


def _cost(sums: Sums) -> str:
    """`$1.23`, `>= $1.23 (4 of 90 calls unpriced)`, or `unknown`."""
    cost = known_cost(sums)
    if cost is None:
        return "unknown"
    amount = f"${dollars(cost, 2 if cost >= 10_000 or not cost else 6)}"
    return f">= {amount} ({sums.unpriced} of {sums.calls} calls unpriced)" if sums.unpriced else amount


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    """The key to the left, the numbers to the right, the cost, which may have words, as it is."""
    numbers = (f"{cell:>{width}}" for cell, width in zip(line[1:-1], widths[1:-1], strict=True))
    return "  ".join((f"{line[0]:<{widths[0]}}", *numbers, line[-1]))
