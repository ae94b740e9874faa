"""What an admission costs, in one process: `python -m benchmarks.admissions`.

An admission is all that a call does to its limits: it asks, is sent, is settled, and ends. The rows are those of a
target with one row of requests a minute, with one row of every number, and with four rows of every number; in this
process's memory, and in a file that worker processes share. Figures are microseconds of processor time an admission,
the best of the rounds; only ratios of one run can be quoted. `p50` is the median of the time of a question, by a clock.
It runs the gateway's code in its own process, as `profiled` does.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.clock import SystemClock
from gateway.limits.local_engine import LocalEngine
from gateway.limits.permit import Permit
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.shared_engine import SharedEngine
from gateway.limits.slots import Need

ADMISSIONS: Final = 2_000
ROUNDS: Final = 10
NEED: Final = Need(tokens=800)
USAGE: Final = Usage(500, 200)
MOST: Final = 1_000_000
MANY: Final = 1_000_000_000
MODELS: Final = (None, "m*", "model", "mo*")
"""The patterns of four rows that fit one model."""


def main() -> int:
    """Print the table."""
    one = RateLimit(provider="p", requests_per_minute=MOST)
    ways: Mapping[str, list[RateLimit]] = {
        "1 row, requests a minute": [one],
        "4 rows, a number each": [
            one,
            RateLimit(provider="p", model="m*", tokens_per_minute=MANY),
            RateLimit(provider="p", model="model", requests_per_day=MANY),
            RateLimit(provider="p", model="mo*", max_concurrent=100_000),
        ],
        "1 row, every number": [_full(None)],
        "4 rows, every number": [_full(model) for model in MODELS],
    }
    engines = ["local"] if sys.platform == "win32" else ["local", "shared"]
    sys.stdout.write(f"{'us an admission':<34}{'asked':>9}{'p50':>9}{'whole':>9}{'ratio':>8}\n")
    first = 0.0
    for name, limits in ways.items():
        for engine in engines:
            asked, whole = (min(_timed(limits, engine, whole=each) for _ in range(ROUNDS)) for each in (False, True))
            first = first or whole
            figures = f"{asked:>9.2f}{_median(limits, engine):>9.2f}{whole:>9.2f}{whole / first:>8.2f}"
            sys.stdout.write(f"{name + ', ' + engine:<34}{figures}\n")
    return 0


def _full(model: str | None) -> RateLimit:
    return RateLimit(
        provider="p",
        model=model,
        requests_per_minute=MOST,
        requests_per_day=MANY,
        tokens_per_minute=MANY,
        tokens_per_day=MANY,
        max_concurrent=100_000,
    )


@contextmanager
def _limiters(limits: list[RateLimit], engine: str) -> Iterator[RateLimiters]:
    if engine == "local":
        yield RateLimiters(limits, LocalEngine(SystemClock()))
        return
    with TemporaryDirectory() as folder:
        shared = SharedEngine(Path(folder), "providers", 0, SystemClock())
        yield RateLimiters(limits, shared)
        shared.close()


def _taken(limiters: RateLimiters) -> Permit:
    limiter = limiters.of("p", "model")
    if limiter is None or (permit := limiter.try_acquire(NEED)) is None:
        raise RuntimeError("there is room")
    return permit


def _timed(limits: list[RateLimit], engine: str, *, whole: bool) -> float:
    """Microseconds of processor time an admission: its question alone, or all of it."""
    with _limiters(limits, engine) as limiters:
        permits = []
        began = time.thread_time()
        for _ in range(ADMISSIONS):
            permit = _taken(limiters)
            if whole:
                permit.sent()
                permit.settle(USAGE)
                permit.close()
            permits.append(permit)
        spent = time.thread_time() - began
        for permit in permits:
            permit.close()
    return spent / ADMISSIONS * 1e6


def _median(limits: list[RateLimit], engine: str) -> float:
    """Microseconds of a question, by a clock."""
    times = []
    with _limiters(limits, engine) as limiters:
        for _ in range(ADMISSIONS):
            began = time.perf_counter()
            permit = _taken(limiters)
            times.append(time.perf_counter() - began)
            permit.sent()
            permit.close()
    return median(times) * 1e6


if __name__ == "__main__":
    sys.exit(main())
