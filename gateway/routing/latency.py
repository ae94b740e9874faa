"""How long a target takes to say its first word, and how long one waits for it.

A fixed limit is too long for a fast model that hangs and too short for one that thinks for forty seconds. So a
target's own past sets it. Plain arithmetic without a lock: whoever shares it brings one.
"""

import math
from collections import deque
from typing import Final

KEPT: Final = 50
"""Answers remembered, the latest of them."""
ENOUGH: Final = 5
"""Answers from which on the past says something."""
UNKNOWN: Final = 12.0
"""Seconds granted to a target that has not answered often enough to be known."""
SHORTEST: Final = 10.0
LONGEST: Final = 120.0
PATIENCE: Final = 3.0
"""Times the 95th percentile: one slow answer in twenty is no sign of a fault."""


class FirstContent:
    """The latest durations until first content of one target."""

    __slots__ = ("_seconds", "_slow")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._slow = 0  # of them, those that could make the limit longer than the shortest

    @property
    def samples(self) -> int:
        """Durations remembered, at most KEPT."""
        return len(self._seconds)

    def add(self, seconds: float) -> None:
        """First content came after so many seconds."""
        if len(self._seconds) == KEPT:
            self._slow -= _is_slow(self._seconds[0])
        self._slow += _is_slow(seconds)
        self._seconds.append(seconds)

    def limit(self) -> float:
        """Seconds to wait for first content before another candidate is started."""
        if len(self._seconds) < ENOUGH:
            return UNKNOWN
        if not self._slow:  # the usual case, without sorting them
            return SHORTEST
        return min(max(PATIENCE * self._p95(), SHORTEST), LONGEST)

    def _p95(self) -> float:
        """The nearest-rank percentile: the smallest duration that at least 95 % of all do not exceed."""
        ranked = sorted(self._seconds)
        return ranked[math.ceil(len(ranked) * 95 / 100) - 1]


def _is_slow(seconds: float) -> bool:
    return PATIENCE * seconds > SHORTEST
