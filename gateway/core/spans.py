"""Durations as servers write them: `6m0s`, `2m59.56s`, `120ms`, `1h`."""

import re
from typing import Final

SPAN: Final = (
    r"(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m(?!s))?(?:(?P<s>\d{1,9}(?:\.\d{1,12})?) ?(?P<ms>m?)s(?:ec(?:ond)?s?)?)?"
)
"""As a part of a pattern; `seconds_of` reads the match."""
_ALONE: Final = re.compile(SPAN)


def span(text: str) -> float | None:
    """The seconds of a duration; None for any other text."""
    found = _ALONE.fullmatch(text)
    return seconds_of(found) if found else None


def seconds_of(found: re.Match[str]) -> float | None:
    """The seconds of a match; None where all its parts are empty."""
    hours, minutes, seconds = (found[name] for name in ("h", "m", "s"))
    if hours is minutes is seconds is None:
        return None
    return int(hours or 0) * 3600.0 + int(minutes or 0) * 60.0 + float(seconds or 0) / (1000.0 if found["ms"] else 1.0)
