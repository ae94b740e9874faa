"""Days of the local calendar, which a change of the clocks makes an hour longer or shorter."""

import time
from typing import Final

EARLIEST: Final = 86_400.0
"""Wall seconds: Windows knows no local time before 1970."""


def midnight(at: float, days: int = 0) -> float:
    """The wall seconds at which a local day began, that of `at` or one so many days later."""
    day = time.localtime(at)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday + days, 0, 0, 0, 0, 0, -1))


def day_of(at: float) -> str:
    """The local date of a time in wall seconds, as `2026-11-29`."""
    return time.strftime("%Y-%m-%d", time.localtime(max(at, EARLIEST)))
