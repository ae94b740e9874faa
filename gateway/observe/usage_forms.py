"""A usage report for machines: JSON and CSV. Both have the same columns."""

import csv
import io
from datetime import UTC, datetime
from typing import Final

from gateway.core.answer import MICROS
from gateway.core.strict_json import JsonObject
from gateway.observe.usage import Sums, Usage

COLUMNS: Final = (
    "calls",
    "failed",
    "input",
    "cached",
    "cache_write",
    "output",
    "reasoning",
    "cost_usd",
    "unpriced",
)
_FORMULAS: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""


def as_json(shown: Usage) -> JsonObject:
    """For machines: times in ISO 8601, a cost in US dollars or null where none is known."""
    until = shown.period.now if shown.period.until is None else shown.period.until
    return {
        "since": _iso(shown.period.since),
        "until": _iso(until),
        "by": shown.by,
        "rows": [{"key": key, **_fields(sums)} for key, sums in shown.rows],
        "total": _fields(shown.total),
    }


def as_csv(shown: Usage) -> str:
    """For spreadsheets (RFC 4180), without the total, which a spreadsheet makes itself."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("key", *COLUMNS))
    for key, sums in shown.rows:
        fields = _fields(sums)
        cost = fields["cost_usd"]
        fields["cost_usd"] = "" if cost is None else dollars(sums.cost or 0)
        rows.writerow([_cell(key), *(fields[name] for name in COLUMNS)])
    return text.getvalue()


def known_cost(sums: Sums) -> int | None:
    """The cost in millionths of a US dollar, as far as it is known; None where no price is."""
    return 0 if sums.cost is None and not sums.unpriced else sums.cost


def dollars(cost: int, places: int = 6) -> str:
    """Millionths of a US dollar as dollars, rounded half up to at most six places."""
    unit = 10 ** (6 - places)
    whole = (cost + unit // 2) // unit
    return f"{whole // 10**places}.{whole % 10**places:0{places}}" if places else str(whole)


def _fields(sums: Sums) -> JsonObject:
    cost = known_cost(sums)
    return {
        "calls": sums.calls,
        "failed": sums.failed,
        "input": sums.input,
        "cached": sums.cached,
        "cache_write": sums.cache_write,
        "output": sums.output,
        "reasoning": sums.reasoning,
        "cost_usd": None if cost is None else cost / MICROS,
        "unpriced": sums.unpriced,
    }


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
