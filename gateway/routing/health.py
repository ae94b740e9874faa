"""The health of targets: which ones may be asked now, which cool down, and how long each takes until first content.

A call enters a target (`Health.enter`) and reports the outcome on its ticket (`HealthTicket`). This module decides what
each kind of failure means, and it has the clock and the lock. The arithmetic is in breaker.py, cooldowns.py and
latency.py. No target is skipped for good: where all cool down, a call may force its entry into one after the other
rather than fail unasked.
"""

import threading
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from gateway.core.clock import Clock
from gateway.core.provider_failures import (
    CredentialRefused,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    UnsupportedByTarget,
)
from gateway.routing.breaker import Breaker, BreakerEntry, BreakerState
from gateway.routing.cooldowns import CooldownReason, Cooldowns
from gateway.routing.latency import FirstContent
from gateway.routing.router import Target

REMEMBERED: Final = 1_000
"""Targets. Callers may name `provider/anything`, and invented names must not fill the memory."""

REJECTIONS: Final[tuple[tuple[type[ProviderFailure], CooldownReason], ...]] = (
    (RateLimited, "rate_limited"),
    (QuotaExhausted, "quota"),
    (TargetModelMissing, "model_missing"),
    (CredentialRefused, "key_refused"),
)
"""Failures that only a working provider gives. They start a cooldown, and the breaker does not count them."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The status of a target, for people. The names of the attributes are keys in the JSON of `explain`.

    Attributes:
        state: "resting" while it cools down, otherwise the breaker's state.
        due: seconds until it may be asked; 0 if it may be asked now.
        why: why it is skipped; None if it is not.
        failures: failures in a row, of those that its breaker counts.
        stream_limit, whole_limit: seconds until the first content of a stream and of a whole answer.
        stream_samples, whole_samples: the number of answers behind these limits.
        cannot: the number of requests that it could not serve, though others can be (UnsupportedByTarget).
    """

    state: BreakerState | Literal["resting"]
    due: float
    why: CooldownReason | None
    failures: int
    stream_limit: float
    whole_limit: float
    stream_samples: int
    whole_samples: int
    cannot: int = 0


class _Record:
    """What is known of one target. Health's lock guards it."""

    __slots__ = ("breaker", "cannot", "cooldowns", "streams", "under_way", "wholes")

    def __init__(self, random: Callable[[], float]) -> None:
        self.breaker = Breaker(random)
        self.cooldowns = Cooldowns()
        self.streams = FirstContent()
        self.wholes = FirstContent()
        self.under_way = 0
        self.cannot = 0

    def due(self, now: float) -> float:
        return max(self.cooldowns.due(now), self.breaker.due(now))

    def first_content(self, *, streamed: bool) -> FirstContent:
        return self.streams if streamed else self.wholes

    def status(self, now: float) -> TargetStatus:
        state = self.breaker.state(now)
        reason = self.cooldowns.reason(now)
        return TargetStatus(
            state="resting" if reason else state,
            due=self.due(now),
            why=reason or ("failures" if state != "closed" else None),
            failures=self.breaker.failures,
            stream_limit=self.streams.limit(),
            whole_limit=self.wholes.limit(),
            stream_samples=self.streams.samples,
            whole_samples=self.wholes.samples,
            cannot=self.cannot,
        )

    def failed(self, entry: BreakerEntry, failure: ProviderFailure, now: float) -> None:
        if not failure.counts_against_target:
            self.cannot += isinstance(failure, UnsupportedByTarget)
            self.breaker.release(entry)
            return
        reason: CooldownReason = next((each for kind, each in REJECTIONS if isinstance(failure, kind)), "failures")
        if reason == "failures":
            self.breaker.failed(entry, now)
        else:
            self.breaker.rejected(entry)
        self.cooldowns.start(reason, now, failure.evidence.retry_after, entry=entry, entered=self.breaker.entered)


class HealthTicket:
    """One call's entry to a target, on which the call reports its outcome. Safe to use from any thread.

    The first verdict (`answered`, `failed`, `close`) counts; later ones are ignored. Every ticket needs a verdict:
    without one a probe would be under way for ever.

    Attributes:
        target: the target that the call asks.
        probing: whether this call is the probe of an open breaker.
    """

    def __init__(
        self, target: Target, record: _Record, entry: BreakerEntry, lock: threading.Lock, clock: Clock
    ) -> None:
        self.target = target
        self.probing = entry.probing
        self._record = record
        self._entry = entry
        self._lock = lock
        self._clock = clock
        self._has_content = False
        self._over = False

    def __repr__(self) -> str:
        return f"HealthTicket({self.target}{', probing' if self.probing else ''}{', over' if self._over else ''})"

    def first_content(self, seconds: float, *, streamed: bool) -> None:
        """The first content is there. A verdict may follow. Only the first report counts.

        Args:
            seconds: from sending the request to first content.
            streamed: whether the answer is a stream.
        """
        with self._lock:
            if self._over or self._has_content:
                return
            self._has_content = True
            self._record.first_content(streamed=streamed).add(seconds)
            self._record.breaker.first_content(self._entry)

    def answered(self) -> None:
        """The call ended well: the target works, and cooldowns from before this call went in are over."""
        with self._lock:
            if self._take_verdict():
                self._record.breaker.succeeded(self._clock.monotonic())
                self._record.cooldowns.lift(self._entry)

    def failed(self, failure: ProviderFailure) -> None:
        """The call failed. The kind of failure decides what that means for the target."""
        with self._lock:
            if self._take_verdict():
                self._record.failed(self._entry, failure, self._clock.monotonic())

    def close(self) -> None:
        """The call ended without a verdict: the caller left, another target was faster, or the gateway is to blame."""
        with self._lock:
            if self._take_verdict():
                self._record.breaker.release(self._entry)

    def _take_verdict(self) -> bool:
        """Whether this verdict is the first, which counts."""
        if self._over:
            return False
        self._over = True
        self._record.under_way -= 1
        return True


class Health:
    """The health of all targets. Safe to use from many threads.

    It remembers the REMEMBERED targets that were asked last, and besides them only targets with a call under way.

    Args:
        clock: the time.
        random: returns a value from 0 to 1, so that gateways that saw the same failure do not come back in step.
    """

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._records: dict[Target, _Record] = {}  # the least recently asked first

    def order(self, targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
        """The targets that may be asked now, in the order given; and the others, the one due soonest first."""
        with self._lock:
            now = self._clock.monotonic()
            due = [(self._due(target, now), target) for target in targets]
        ready = [target for seconds, target in due if seconds <= 0]
        if len(ready) == len(due):
            return ready, []
        others = sorted(((seconds, target) for seconds, target in due if seconds > 0), key=_seconds)
        return ready, [target for _, target in others]

    def due(self, targets: Sequence[Target]) -> float | None:
        """Seconds until the first of these targets may be asked: 0 if one may be asked now, None without targets.

        While another call probes a target, the time is unknown and counts as one second.
        """
        with self._lock:
            now = self._clock.monotonic()
            return min((self._due(target, now) for target in targets), default=None)

    def enter(self, target: Target, *, forced: bool = False) -> HealthTicket | None:
        """Enter a target, in order to ask it.

        Args:
            target: the one to ask.
            forced: enter it although it cools down or its breaker is open. The call is a probe only where one is due.

        Returns:
            A ticket, which needs a verdict; None if the target is skipped now or another call probes it.
        """
        with self._lock:
            now = self._clock.monotonic()
            if not forced and self._due(target, now) > 0:
                return None
            record = self._latest(target)
            record.under_way += 1
            return HealthTicket(target, record, record.breaker.enter(now), self._lock, self._clock)

    def forget(self, providers: Container[str]) -> None:
        """Forget the targets of providers that are asked elsewhere, or by another credential, from now on. Calls under
        way report to what is forgotten."""
        with self._lock:
            self._records = {each: known for each, known in self._records.items() if each.provider not in providers}

    def limit(self, target: Target, *, streamed: bool) -> float:
        """Seconds that the target gets for its first content, from its own past."""
        with self._lock:
            return self._known(target).first_content(streamed=streamed).limit()

    def first_content(self, target: Target) -> tuple[float, float, int] | None:
        """How long the target's latest streams took until their first content: the seconds that half of them did not
        exceed, and 95 % of them, and how many they were. None where there was none."""
        with self._lock:
            streams = self._known(target).streams
            found = streams.percentiles()
            return (*found, streams.samples) if found else None

    def describe(self, target: Target) -> TargetStatus:
        """The target's status now, for people."""
        with self._lock:
            return self._known(target).status(self._clock.monotonic())

    def _due(self, target: Target, now: float) -> float:
        record = self._records.get(target)
        return record.due(now) if record else 0.0

    def _known(self, target: Target) -> _Record:
        """A record to read only: looking at a target does not make it remembered."""
        return self._records.get(target) or _Record(self._random)

    def _latest(self, target: Target) -> _Record:
        """The target's record, now the latest of those remembered."""
        record = self._records.pop(target, None) or _Record(self._random)
        spare = len(self._records) + 1 - REMEMBERED
        if spare > 0:
            idle = (each for each, known in self._records.items() if not known.under_way)
            for each in list(islice(idle, spare)):
                del self._records[each]
        self._records[target] = record
        return record


def _seconds(due: tuple[float, Target]) -> float:
    return due[0]
