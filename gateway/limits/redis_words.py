"""What a refusal of the server says to people: which limit, what of it is used, and when it is free again."""

from collections.abc import Sequence
from typing import Final

from gateway.core.durations import in_words
from gateway.limits.redis_rows import RedisRow
from gateway.limits.slots import Need, Refused
from gateway.limits.slots_commands import MICROS, UNITS

AWAY: Final = (
    "The server that gateways share their limits in does not answer now, and this gateway is set to refuse then "
    "(sharing.redis.onFailure)."
)
OF: Final = (2, 0, 1, 0, 1)
"""Which part of a Need each of UNITS counts."""
TOKENS: Final = 1
_QUEUES, _FULL, _LONG, _LATE = 1, 2, 3, 4


def refusal(rows: Sequence[RedisRow], answer: Sequence[int], need: Need, *, waited: bool = False) -> Refused:
    """The refusal in an answer of the script.

    Args:
        rows: that were asked for.
        answer: kind, longest wait, why, row, unit, used, waiting, wait; times in microseconds.
        need: of the call.
        waited: it has waited for as long as it may.
    """
    _, longest, why, row_number, unit_number, used, waiting, wait = answer
    row, seconds = rows[row_number - 1], wait / MICROS
    is_timed = UNITS[unit_number - 1] != "maxConcurrent"
    free = f"free in {'' if is_timed else 'about '}{in_words(seconds)}"
    max_wait = f"a request waits at most {in_words(row.terms.max_wait)} for it; "
    reasons = {_FULL: _queue(row), _LONG: max_wait, _LATE: "the request's time is over before; "}
    end = (max_wait if waited else reasons.get(why, "")) + free
    return Refused("full", _words(row, unit_number - 1, used, need, waiting, end), longest / MICROS)


def too_large(rows: Sequence[RedisRow], need: Need) -> Refused | None:
    """The refusal of a need that no window could ever hold."""
    for row in rows:
        for place, limit in enumerate(row.terms.numbers):
            if limit and need[OF[place]] > limit:
                words = _words(row, place, None, need, 0, "it could never have room")
                return Refused("too_large", words)
    return None


def _queue(row: RedisRow) -> str:
    most = row.terms.max_queue
    return f"{most} requests wait already; " if most else "requests do not wait for it; "


def _words(row: RedisRow, place: int, used: int | None, need: Need, waiting: int, end: str) -> str:  # noqa: PLR0913, PLR0917 - the parts of one sentence
    """`tokensPerMinute of openai: 29,400 of 30,000 used, this call needs about 1,800; free in 12 seconds.`"""
    limit = row.terms.numbers[place]
    said = f"{limit:,} in all" if used is None else f"{used:,} of {limit:,} used by all gateways"
    needs = f", this call needs about {need.tokens:,}" if OF[place] == TOKENS else ""
    line = f", {waiting:,} waiting" if waiting else ""
    return f"{UNITS[place]} of {row.name}: {said}{needs}{line}; {end}."
