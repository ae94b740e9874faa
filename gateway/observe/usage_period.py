"""The period of a usage report, from what people write: `7d`, `24h`, `2026-11-01`."""

import re
import time
from typing import Final

from gateway.core.local_days import midnight
from gateway.observe.usage import Period

DEFAULT: Final = "7d"
FORMS: Final = "7d, 24h or 2026-11-01"
_AGO: Final = re.compile(r"([0-9]{1,5})([dh])", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0}


class BadPeriod(ValueError):
    """A period that nobody can mean. `name`: since or until."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def period(since: str, until: str | None, now: float) -> Period:
    """The period.

    Args:
        since: so many days or hours ago, or a local day from its beginning.
        until: likewise, and a day to its end; None for now.
        now: wall seconds.

    Raises:
        BadPeriod: a text has another form, or there is nothing between the two.
    """
    first = _time("since", since, now, days=0)
    last = None if until is None else _time("until", until, now, days=1)
    if (now if last is None else last) <= first:
        raise BadPeriod("since", f"since ({since}) must be before {'now' if until is None else f'until ({until})'}")
    return Period(first, None if last is not None and last > now else last, now)


def _time(name: str, text: str, now: float, days: int) -> float:
    if (ago := _AGO.fullmatch(text)) is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        if _DATE.fullmatch(text):
            return midnight(time.mktime(time.strptime(text, "%Y-%m-%d")), days)
    except (ValueError, OverflowError):
        pass
    raise BadPeriod(name, f"{name} must be like {FORMS}")
