"""The numbers of calls that have ended, and when the gateway was started: one sequence for all workers.

A worker takes the numbers for its calls and remembers the calls under one lock of its own (gateway.observe.recent). So
whoever has read the last number and then asks a worker is told of every call that it has up to that number.
"""

from collections.abc import Callable
from typing import Protocol


class CallNumbers(Protocol):
    """The sequence. Safe to use from many threads.

    Attributes:
        started_at: wall seconds when the gateway was started, the same for all workers.
    """

    @property
    def started_at(self) -> float: ...

    @property
    def last(self) -> int:
        """The last number that was taken; 0 before the first."""

    def take(self, count: int) -> int:
        """Take so many numbers; returns the first one."""


class OwnNumbers:
    """Those of one process. RecentCalls' lock guards it.

    Args:
        now: wall seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.started_at = now()
        self.last = 0

    def take(self, count: int) -> int:
        first = self.last + 1
        self.last += count
        return first
