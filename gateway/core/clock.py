"""Time as a thing that is passed in.

Whoever waits or measures takes a Clock by constructor, so that tests drive time instead of sleeping through it. Only
this file names the real clocks.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the gateway asks of time; all values are seconds."""

    def monotonic(self) -> float:
        """A clock that never goes back: for durations, deadlines and windows."""

    def wall(self) -> float:
        """Seconds since the epoch: for what people or other machines read."""

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        """Wait on `condition`, which the caller holds, for at most `timeout` seconds; False when the time ran out."""


class SystemClock:
    """The real clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        return condition.wait(timeout)
