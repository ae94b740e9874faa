"""Spans of time in words, for messages to people."""

import math


def in_words(seconds: float) -> str:
    """A span, rounded up: `1 second`, `45 seconds`, `3 minutes`, `2 hours 5 minutes`."""
    seconds = round(seconds, 6)  # 60.000000000001 is what remains of a sum, not a second more
    if seconds <= 60:
        whole = math.ceil(seconds)
        return f"{whole} {plural('second', whole)}"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    return " ".join(f"{count} {plural(unit, count)}" for count, unit in parts if count)


def plural(noun: str, count: int) -> str:
    """The noun for a count."""
    return noun if count == 1 else f"{noun}s"
