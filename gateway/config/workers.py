"""How many processes serve: `gateway.workers`."""

import os
import sys
from collections.abc import Iterator
from typing import Final

from gateway.config.faults import Problem
from gateway.config.schema import Config, Gateway

MOST_BY_ITSELF: Final = 8
"""Workers that `auto` starts at most: each takes about 50 MB, and a machine with more cores has other work too."""


def worker_count(settings: Gateway) -> int:
    """How many processes are to serve; `auto` is as many as this process has cores."""
    if settings.workers == "auto":
        return min(_cores(), MOST_BY_ITSELF)
    return settings.workers


def served_by_several(config: Config, platform: str = sys.platform) -> Iterator[Problem]:
    """Several workers run where the system can share listening sockets among processes."""
    if platform == "win32" and worker_count(config.gateway) > 1:
        message = "above 1 it needs Linux or macOS; on Windows run one"
        yield Problem(("gateway", "workers"), message, fatal=True)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))  # those that this process may use, as taskset and containers limit them
    return os.cpu_count() or 1
