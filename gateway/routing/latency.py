"""How long a target takes until its first content, and how long to wait for that.

A fixed limit is too long for a fast model that hangs and too short for one that thinks for forty seconds. So a target's
own past sets the limit. Plain arithmetic: the caller holds the lock.
"""

from collections import deque
from typing import Final

from gateway.core.percentiles import percentile

KEPT: Final = 50
"""Answers remembered, the latest ones."""
ENOUGH: Final = 5
"""Answers from which on the past sets the limit."""
UNKNOWN: Final = 12.0
"""Seconds for a target that has not answered often enough."""
SHORTEST: Final = 10.0
LONGEST: Final = 120.0
PATIENCE: Final = 3.0
"""The limit is this many times the 95th percentile: one slow answer in twenty is no sign of a fault."""


class FirstContent:
    """The latest durations until first content of one target."""

    __slots__ = ("_seconds", "_slow")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._slow = 0  # how many of them could make the limit longer than SHORTEST

    @property
    def samples(self) -> int:
        """Durations remembered, at most KEPT."""
        return len(self._seconds)

    def add(self, seconds: float) -> None:
        """Record the seconds until first content of one answer."""
        if len(self._seconds) == KEPT:
            self._slow -= _is_slow(self._seconds[0])
        self._slow += _is_slow(seconds)
        self._seconds.append(seconds)

    def limit(self) -> float:
        """Seconds to wait for first content before another candidate is started."""
        if len(self._seconds) < ENOUGH:
            return UNKNOWN
        if not self._slow:  # the usual case, which needs no sorting
            return SHORTEST
        return min(max(PATIENCE * self._p95(), SHORTEST), LONGEST)

    def percentiles(self) -> tuple[float, float] | None:
        """The seconds that half of the durations do not exceed, and 95 % of them; None where there are none."""
        ranked = sorted(self._seconds)
        return (percentile(ranked, 50), percentile(ranked, 95)) if ranked else None

    def _p95(self) -> float:
        return percentile(sorted(self._seconds), 95)


def _is_slow(seconds: float) -> bool:
    return PATIENCE * seconds > SHORTEST
