"""Waiting for a person: until something has happened or a time has come, and Ctrl-C ends it on every system.

Both login flows wait for minutes in the main thread. On Windows a lock that is waited for does not see Ctrl-C, so the
wait is made of short ones; between two of them the interrupt is raised.
"""

import threading
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock

SLICE: Final = 0.5
"""Seconds that Ctrl-C takes at most, on Windows."""


def wait_until(clock: Clock, condition: threading.Condition, deadline: float, over: Callable[[], bool]) -> bool:
    """Wait until `over()`, which is asked whenever `condition` is notified; False when the deadline came first.

    Args:
        clock: the time.
        condition: held by the caller.
        deadline: in the clock's monotonic seconds.
        over: whether there is nothing to wait for any more.
    """
    while not over():
        left = deadline - clock.monotonic()
        if left <= 0:
            return False
        clock.wait(condition, min(left, SLICE))
    return True
