"""Days of the local calendar, which a change of the clocks makes an hour longer or shorter."""

import time


def midnight(at: float, days: int = 0) -> float:
    """The wall seconds at which a local day began, that of `at` or one so many days later."""
    day = time.localtime(at)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday + days, 0, 0, 0, 0, 0, -1))
