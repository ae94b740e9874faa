"""Time as a dependency.

Code that waits or measures takes a Clock in its constructor, so that tests control time instead of sleeping. Only this
module uses the real clocks.
"""

import sys
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The clock that the gateway uses; all values are in seconds."""

    def monotonic(self) -> float:
        """Time that never goes back, for durations, deadlines and windows."""

    def wall(self) -> float:
        """Seconds since the epoch, for output to people and other machines."""

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        """Wait on `condition`, whose lock the caller holds, for at most `timeout` seconds. Returns False on timeout."""


class SystemClock:
    """The real clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        return condition.wait(timeout)


def boot_time() -> float:
    """Seconds since some time in the past, those included that the machine has slept: for what a connection has idled.

    Linux and macOS stop the usual monotonic clock in sleep, and have another one (clock_gettime(2)); Windows does not.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()
