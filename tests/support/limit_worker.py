"""A process whose threads call a provider under limits that it shares with others:
`python -m tests.support.limit_worker FOLDER NUMBER LIMIT WINDOW PLACES THREADS`. It ends when its standard input ends.

Each call is a line in FOLDER/calls-NUMBER, written before its request leaves: when it came, when it was granted and
when it left, in monotonic seconds, which are those of all processes.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.core.clock import SystemClock
from gateway.limits.gauges import Gauge, MaxConcurrent, RequestsPerMinute
from gateway.limits.rate_limiter import RateLimiter
from tests.support.limits import SharedRows

HELD = 0.002
"""Seconds that a call is under way."""


def rows(folder: Path, number: int, limit: int, window: float, places: int) -> SharedRows:
    """The rows, as one worker has them."""
    gauges: Sequence[Sequence[Gauge]] = [[RequestsPerMinute(limit, window)], [MaxConcurrent(places)]]
    return SharedRows(folder / "rows", gauges, SystemClock(), number, name="p", max_queue=10_000, max_wait=1e6)


def main() -> int:
    folder, number, limit, window, places, threads = sys.argv[1:]
    limiter = RateLimiter("p", rows(Path(folder), int(number), int(limit), float(window), int(places)).slots(0, 1))
    calls = os.open(Path(folder) / f"calls-{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            came = time.monotonic()
            permit = limiter.acquire(deadline=came + 1e6, left=lambda: False)
            granted = time.monotonic()
            os.write(calls, f"{came} {granted} {time.monotonic()}\n".encode())
            permit.sent()
            time.sleep(HELD)
            permit.close()

    running = [threading.Thread(target=call, daemon=True) for _ in range(int(threads))]
    for each in running:
        each.start()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdin.read()
    over.set()
    for each in running:
        each.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
