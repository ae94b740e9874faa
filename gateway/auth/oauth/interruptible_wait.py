"""A wait for a condition or a deadline that Ctrl-C can interrupt on every system.

Both login flows wait for a person, for minutes and in the main thread. On Windows a blocked lock does not see Ctrl-C.
The wait is therefore a series of short ones, and the interrupt is raised between two of them.
"""

import threading
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock

SLICE: Final = 0.5
"""Seconds until Ctrl-C takes effect on Windows, at most."""


def wait_until(clock: Clock, condition: threading.Condition, deadline: float, over: Callable[[], bool]) -> bool:
    """Wait until `over()` is true. It is evaluated whenever `condition` is notified.

    Args:
        clock: the time.
        condition: held by the caller.
        deadline: in the clock's monotonic seconds.
        over: whether the wait is over.

    Returns:
        False if the deadline came first.
    """
    while not over():
        left = deadline - clock.monotonic()
        if left <= 0:
            return False
        clock.wait(condition, min(left, SLICE))
    return True


class Stop:
    """Ends a wait of another thread. Safe to use from many threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._is_set = False

    def set(self) -> None:
        """End the wait that is under way, and all later ones."""
        with self._condition:
            self._is_set = True
            self._condition.notify_all()

    def wait(self, clock: Clock, deadline: float) -> bool:
        """Wait until the deadline, in the clock's monotonic seconds; whether it was ended before."""
        with self._condition:
            return wait_until(clock, self._condition, deadline, lambda: self._is_set)
