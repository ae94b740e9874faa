"""What is remembered of failures, so that a target that fails is not asked first again at once.

A target that failed rests; while it rests, the others go before it. It is never left out: when nobody else is there
the one due soonest is asked, rather than failing without having asked.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import ProviderFailure, QuotaExhausted, RateLimited
from gateway.routing.router import Target


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a target rests after its first failure in a row; doubled at each further one, up to `longest`."""

    first: float
    longest: float


LIMITED: Final = Pace(first=5.0, longest=60.0)
SPENT: Final = Pace(first=600.0, longest=3600.0)
FAILED: Final = Pace(first=1.0, longest=30.0)
LONGEST_TOLD: Final = 86_400.0
REMEMBERED: Final = 1_000
"""Targets. Callers may write `provider/anything`, and what fails there must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Failures in a row, and until when (monotonic seconds) the target rests for them."""

    failures: int
    until: float


class Health:
    """The rests of the targets. Holds an entry for each that failed last, up to REMEMBERED, the latest of them; none
    for one that answered last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rests: dict[Target, Rest] = {}

    def order(self, targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
        """Who may be asked now, as given; and who rests, the one due soonest first."""
        now = self._clock.monotonic()
        with self._lock:
            due = {target: rest.until for target in targets if (rest := self._rests.get(target)) and rest.until > now}
        ready = [target for target in targets if target not in due]
        return ready, sorted((target for target in targets if target in due), key=due.__getitem__)

    def answered(self, target: Target) -> None:
        """It answered: nothing is held against it any more."""
        with self._lock:
            self._rests.pop(target, None)

    def failed(self, target: Target, failure: ProviderFailure) -> None:
        """It failed: it rests, if the failure is its own."""
        if not failure.held_against:
            return
        now = self._clock.monotonic()
        with self._lock:
            before = self._rests.pop(target, None)  # put in again, so that the first entry is the oldest
            failures = (before.failures if before else 0) + 1
            self._rests[target] = Rest(failures, now + _seconds(failure, failures))
            if len(self._rests) > REMEMBERED:
                del self._rests[next(iter(self._rests))]


def _seconds(failure: ProviderFailure, failures: int) -> float:
    told = failure.evidence.retry_after
    if told is not None and math.isfinite(told):
        return min(max(told, FAILED.first), LONGEST_TOLD)  # 0 is no rest, and the next call would hit it again
    pace = SPENT if isinstance(failure, QuotaExhausted) else LIMITED if isinstance(failure, RateLimited) else FAILED
    return min(pace.first * 2.0 ** min(failures - 1, 30), pace.longest)
