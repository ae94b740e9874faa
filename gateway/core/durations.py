"""Durations in words, for messages to people."""

import math


def in_words(seconds: float) -> str:
    """A duration, rounded up: `1 second`, `45 seconds`, `2 minutes 10 seconds`; without seconds from one hour on."""
    whole = math.ceil(round(seconds, 6))  # 60.000000000001 is a rounding error of a sum, not one more second
    if whole <= 60:
        return f"{whole} {plural('second', whole)}"
    minutes, rest = divmod(whole, 60) if whole < 3600 else (math.ceil(whole / 60), 0)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (rest, "second")]
    return " ".join(f"{count} {plural(unit, count)}" for count, unit in parts if count)


def plural(noun: str, count: int) -> str:
    """The noun in the singular or plural form that fits the count."""
    return noun if count == 1 else f"{noun}s"
