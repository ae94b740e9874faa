"""The periods of budgets, by the local calendar."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.core.local_days import midnight

Per: TypeAlias = Literal["day", "week", "month", "total"]


class Period(Struct, frozen=True):
    """From when to when, in wall seconds; `ends` is the first second after it, infinity where there is none."""

    begins: float
    ends: float


def period(per: Per, at: float) -> Period:
    """The period that a time is in."""
    return _PERIODS[per](at)


def _week(at: float) -> Period:
    monday = -time.localtime(at).tm_wday
    return Period(midnight(at, monday), midnight(at, monday + 7))


def _month(at: float) -> Period:
    first = midnight(at, 1 - time.localtime(at).tm_mday)
    later = midnight(first, 31)  # in the next month, whatever this one's length
    return Period(first, midnight(later, 1 - time.localtime(later).tm_mday))


_PERIODS: Final[Mapping[Per, Callable[[float], Period]]] = {
    "day": lambda at: Period(midnight(at), midnight(at, 1)),
    "week": _week,
    "month": _month,
    "total": lambda _: Period(0.0, math.inf),
}
