"""What is known of the targets: who may be asked now, who rests, and how long each takes to begin.

A call takes its turn at a target (`Health.enter`) and says how it went (`Trial`). Here each kind of failure gets its
meaning; the arithmetic is in breaker.py, rests.py and latency.py, which know no clock and no lock. Nobody is ever left
out for good: where all rest, a call may force its turn rather than fail without having asked.
"""

import threading
from collections.abc import Callable, Sequence
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
)
from gateway.routing.breaker import Breaker, BreakerState, Entry
from gateway.routing.latency import FirstContent
from gateway.routing.rests import Rests, Why
from gateway.routing.router import Target

REMEMBERED: Final = 1_000
"""Targets. Callers may write `provider/anything`, and what they invent must not fill the memory."""

TURNED_AWAY: Final[tuple[tuple[type[ProviderFailure], Why], ...]] = (
    (RateLimited, "rate_limited"),
    (QuotaExhausted, "quota"),
    (TargetModelMissing, "model_missing"),
    (CredentialRefused, "key_refused"),
)
"""Failures that only a working provider gives: they make a target rest and are not counted by its breaker."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target stands, for people.

    Attributes:
        state: "resting" where a rest binds, else the breaker's.
        due: seconds until it may be asked; 0 where it may be now.
        why: what it rests for; None where it does not.
        failures: in a row, as far as its breaker counts them.
        stream_limit, whole_limit: seconds it has for the first content of a stream and of a whole answer.
        stream_samples, whole_samples: answers that these limits rest on.
    """

    state: BreakerState | Literal["resting"]
    due: float
    why: Why | None
    failures: int
    stream_limit: float
    whole_limit: float
    stream_samples: int
    whole_samples: int


class _Record:
    """What is known of one target."""

    __slots__ = ("breaker", "rests", "streams", "under_way", "wholes")

    def __init__(self, random: Callable[[], float]) -> None:
        self.breaker = Breaker(random)
        self.rests = Rests()
        self.streams = FirstContent()
        self.wholes = FirstContent()
        self.under_way = 0

    def due(self, now: float) -> float:
        return max(self.rests.due(now), self.breaker.due(now))

    def first_content(self, *, streamed: bool) -> FirstContent:
        return self.streams if streamed else self.wholes

    def standing(self, now: float) -> Standing:
        state = self.breaker.state(now)
        resting = self.rests.why(now)
        return Standing(
            state="resting" if resting else state,
            due=self.due(now),
            why=resting or ("failures" if state != "closed" else None),
            failures=self.breaker.failures,
            stream_limit=self.streams.limit(),
            whole_limit=self.wholes.limit(),
            stream_samples=self.streams.samples,
            whole_samples=self.wholes.samples,
        )

    def failed(self, entry: Entry, failure: ProviderFailure, now: float) -> None:
        if not failure.counts_against_target:
            self.breaker.gives_back(entry)
            return
        why: Why = next((why for kind, why in TURNED_AWAY if isinstance(failure, kind)), "failures")
        if why == "failures":
            self.breaker.failed(entry, now)
        else:
            self.breaker.lives(entry)
        self.rests.begin(why, now, failure.evidence.retry_after, entry=entry, entered=self.breaker.entered)


class Trial:
    """One call's turn at a target. The first verdict (`answered`, `failed`, `close`) counts, and any later one is
    ignored; every turn needs one, or a probe would be under way for ever. Any thread may say it.

    Attributes:
        target: whose turn it is.
        probing: whether this call is the one that finds out if the target is back.
    """

    def __init__(self, target: Target, record: _Record, entry: Entry, lock: threading.Lock, clock: Clock) -> None:
        self.target = target
        self.probing = entry.probing
        self._record = record
        self._entry = entry
        self._lock = lock
        self._clock = clock
        self._spoke = False
        self._over = False

    def __repr__(self) -> str:
        return f"Trial({self.target}{', probing' if self.probing else ''}{', over' if self._over else ''})"

    def speaks(self, seconds: float, *, streamed: bool) -> None:
        """First content is there. A verdict may follow; only the first content of a turn counts.

        Args:
            seconds: from asking to first content.
            streamed: whether the answer comes as a stream.
        """
        with self._lock:
            if self._over or self._spoke:
                return
            self._spoke = True
            self._record.first_content(streamed=streamed).add(seconds)
            self._record.breaker.speaking(self._entry)

    def answered(self) -> None:
        """It ended well: the target is in order, and what it rested for when this call went in is forgotten."""
        with self._lock:
            if self._ends():
                self._record.breaker.succeeded(self._clock.monotonic())
                self._record.rests.lift(self._entry)

    def failed(self, failure: ProviderFailure) -> None:
        """It failed. What that means for the target is the failure's to say."""
        with self._lock:
            if self._ends():
                self._record.failed(self._entry, failure, self._clock.monotonic())

    def close(self) -> None:
        """It ended without a verdict: the caller left, another target was faster, the fault is ours."""
        with self._lock:
            if self._ends():
                self._record.breaker.gives_back(self._entry)

    def _ends(self) -> bool:
        """Whether this verdict is the first."""
        if self._over:
            return False
        self._over = True
        self._record.under_way -= 1
        return True


class Health:
    """The health of all targets, safe to use from any thread. Remembers REMEMBERED targets, the latest asked, and
    beyond that only those with a call under way.

    Args:
        clock: the time.
        random: a value from 0 to 1, so that gateways that saw the same failure do not come back in step.
    """

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._records: dict[Target, _Record] = {}  # the least recently asked first

    def order(self, targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
        """Who may be asked now, in the order given; and the others, the one due soonest first."""
        with self._lock:
            now = self._clock.monotonic()
            due = [(self._due(target, now), target) for target in targets]
        ready = [target for seconds, target in due if seconds <= 0]
        if len(ready) == len(due):
            return ready, []
        resting = sorted(((seconds, target) for seconds, target in due if seconds > 0), key=_seconds)
        return ready, [target for _, target in resting]

    def due(self, targets: Sequence[Target]) -> float | None:
        """Seconds until the first of them may be asked, 0 where one may be now; None where there are none.

        Where another call probes a target, that is not known, and a second is given."""
        with self._lock:
            now = self._clock.monotonic()
            return min((self._due(target, now) for target in targets), default=None)

    def enter(self, target: Target, *, forced: bool = False) -> Trial | None:
        """Take a turn at the target.

        Args:
            target: whom to ask.
            forced: ask it even while it rests. It is a probe only where one is due.

        Returns:
            The turn, to be ended by its taker; None where the target rests or another call is probing it.
        """
        with self._lock:
            now = self._clock.monotonic()
            if not forced and self._due(target, now) > 0:
                return None
            record = self._latest(target)
            record.under_way += 1
            return Trial(target, record, record.breaker.enter(now), self._lock, self._clock)

    def limit(self, target: Target, *, streamed: bool) -> float:
        """Seconds that the target has for its first content, judged by its own past."""
        with self._lock:
            return self._known(target).first_content(streamed=streamed).limit()

    def describe(self, target: Target) -> Standing:
        """How it stands now, for people."""
        with self._lock:
            return self._known(target).standing(self._clock.monotonic())

    def _due(self, target: Target, now: float) -> float:
        record = self._records.get(target)
        return record.due(now) if record else 0.0

    def _known(self, target: Target) -> _Record:
        """To read only: asking about a target does not make it remembered."""
        return self._records.get(target) or _Record(self._random)

    def _latest(self, target: Target) -> _Record:
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
