"""Rows and engines for tests, and what of them is used."""

import threading
from collections.abc import Sequence

from gateway.core.clock import Clock
from gateway.limits.gauges import Gauge, RequestsPerMinute
from gateway.limits.local_slots import LocalSlots
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.row import Row
from gateway.limits.slots import MINUTE


def requests_row(
    name: str, limit: int, *, max_queue: int, max_wait: float, clock: Clock, window: float = MINUTE
) -> RateLimiter:
    """The limits of a target with one row, which counts requests."""
    return RateLimiter(
        name, slots([RequestsPerMinute(limit, window)], clock=clock, name=name, max_queue=max_queue, max_wait=max_wait)
    )


def slots(
    *rows: Sequence[Gauge], clock: Clock, name: str = "p", max_queue: int = 50, max_wait: float = 1e6
) -> LocalSlots:
    """An engine with so many rows of these gauges."""
    lock = threading.Lock()
    made = [Row(name, gauges, max_queue=max_queue, max_wait=max_wait, lock=lock) for gauges in rows]
    return LocalSlots(made, clock)


def used(limiter: RateLimiter) -> int:
    """What counts now of the first number of the first row."""
    return limiter.status()[0].units[0].used
