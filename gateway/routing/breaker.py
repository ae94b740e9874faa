"""A circuit breaker as a state machine: when a target that keeps failing is skipped, and how it comes back.

It has no clock, no lock and no thread: the caller passes time and chance in and holds the lock, so that a test can
compare it with a simple model. It counts outcomes and does not know what a failure means; health.py does.

    closed ----------- too many failures ---------> open
    open ------------- its time is over ----------> half-open: exactly one call probes
    half-open -------- the probe fails -----------> open, twice as long as before
    half-open -------- the probe has content -----> on probation: all calls go in, the next failure opens it again
    anything --------- a call ends well ----------> closed

A call that went in before the breaker opened is no evidence about the time since. So its failure counts neither while
the breaker is open nor afterwards. Its success does count: an opening is a guess, and any good answer is evidence
against it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct

IN_A_ROW: Final = 5
"""Failures in a row that open it."""
MANY: Final = 10
"""Calls in the window. With at least so many, it opens when half of them have failed."""
BUCKET: Final = 5.0
"""Seconds. The window moves on by whole buckets: it covers the last 55 to 60 seconds."""
BUCKETS: Final = 12
FIRST_OPENING: Final = 5.0
"""Seconds, doubled at each failed probe."""
LONGEST_OPENING: Final = 30.0
JITTER: Final = 0.2
"""The share of an opening that chance may take off, so that many gateways do not probe in step. Chance never adds to
it: no opening is longer than LONGEST_OPENING."""
LOOK_AGAIN: Final = 1.0
"""Seconds. It is unknown when a probe under way will end; this keeps a waiting caller from spinning."""

BreakerState = Literal["closed", "open", "half-open"]


class BreakerEntry(Struct, frozen=True):
    """A call that went in: its number, from 1 upwards, and whether it is the probe."""

    number: int
    probing: bool


class Breaker:
    """One target's breaker. Times are monotonic seconds, from call to call never earlier than before.

    Args:
        random: returns a value from 0 to 1, the share of JITTER that is taken off an opening.
    """

    __slots__ = ("_entered", "_failures", "_openings", "_outcomes", "_phase", "_probe", "_random", "_since", "_until")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._phase: Literal["closed", "open", "probation"] = "closed"
        self._entered = 0
        self._since = 0  # the failures of calls up to this number do not count
        self._failures = 0
        self._outcomes = _Outcomes()
        self._openings = 0
        self._until = 0.0
        self._probe = 0  # the number of this opening's latest probe; 0 where none is under way

    @property
    def failures(self) -> int:
        """Failures in a row, of those that count."""
        return self._failures

    @property
    def entered(self) -> int:
        """The number of the latest call that went in."""
        return self._entered

    def state(self, now: float) -> BreakerState:
        """Its state in the usual terms. Probation is shown as half-open; it lets every call in."""
        if self._phase == "closed":
            return "closed"
        return "open" if self._phase == "open" and now < self._until else "half-open"

    def due(self, now: float) -> float:
        """Seconds until a call may go in; 0 where one may now."""
        if self._phase != "open":
            return 0.0
        if now < self._until:
            return self._until - now
        return LOOK_AGAIN if self._probe else 0.0

    @property
    def is_open(self) -> bool:
        """Whether it waits for a probe to have content, or for the time of one."""
        return self._phase == "open"

    def opening(self, now: float) -> tuple[float, int] | None:
        """Until when it lets no call in, and which opening in a row this is; None where it does."""
        return (self._until, self._openings) if self._phase == "open" and now < self._until else None

    def adopt(self, until: float, openings: int) -> None:
        """It has opened elsewhere. Calls under way are no evidence about the time since, as after an opening here."""
        self._start(until, openings)

    def adopt_success(self) -> None:
        """A probe elsewhere has had content: a breaker that is open closes."""
        if self._phase == "open":
            self._close()

    def enter(self, now: float) -> BreakerEntry:
        """A call goes in. The caller asks `due` first; a forced call goes in although the breaker is open."""
        self._entered += 1
        probing = self._phase == "open" and self.due(now) <= 0
        if probing:
            self._probe = self._entered
        return BreakerEntry(self._entered, probing)

    def first_content(self, entry: BreakerEntry) -> None:
        """The call's stream has its first content. If the call is the probe, others need not wait for its end."""
        if self._phase == "open" and entry.number == self._probe:
            self._phase = "probation"
            self._since = self._entered

    def succeeded(self, now: float) -> None:
        """A call ended well: the breaker closes and forgets the failures before."""
        if self._phase != "closed":
            self._close()
        self._failures = 0
        self._outcomes.add(now, failed=False)

    def failed(self, entry: BreakerEntry, now: float) -> None:
        """The call failed, and the target is to blame."""
        probe = entry.number == self._probe
        if not probe and (self._phase == "open" or entry.number <= self._since):
            return
        self._failures += 1
        if self._phase != "closed":
            self._open(now)
            return
        self._outcomes.add(now, failed=True)
        if self._failures >= IN_A_ROW or self._outcomes.mostly_failed():
            self._open(now)

    def rejected(self, entry: BreakerEntry) -> None:
        """The target rejected the call for a reason that only a working provider gives. For a probe that is enough; for
        any other call it is no outcome."""
        if self._phase != "closed" and entry.number == self._probe:
            self._close()

    def release(self, entry: BreakerEntry) -> None:
        """The call ended without a verdict. If it was the probe, the next call may be the probe."""
        if self._phase == "open" and entry.number == self._probe:
            self._probe = 0

    def _open(self, now: float) -> None:
        length = min(FIRST_OPENING * 2.0 ** min(self._openings, 10), LONGEST_OPENING)
        self._start(now + length * (1.0 - JITTER * self._random()), self._openings + 1)

    def _start(self, until: float, openings: int) -> None:
        self._until = until
        self._openings = openings
        self._phase = "open"
        self._probe = 0
        self._since = self._entered
        self._outcomes = _Outcomes()

    def _close(self) -> None:
        # The probe stays known: its stream may still run, and if it breaks off, that is a failure like any other.
        self._phase = "closed"
        self._openings = 0
        self._failures = 0


@dataclass(slots=True)
class _Bucket:
    slot: int
    calls: int = 0
    failures: int = 0


class _Outcomes:
    """Calls and failures of the last minute, in at most BUCKETS buckets for any number of calls."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque(maxlen=BUCKETS)

    def add(self, now: float, *, failed: bool) -> None:
        slot = int(now // BUCKET)
        while self._buckets and self._buckets[0].slot <= slot - BUCKETS:
            self._buckets.popleft()
        if not self._buckets or self._buckets[-1].slot != slot:
            self._buckets.append(_Bucket(slot))
        self._buckets[-1].calls += 1
        self._buckets[-1].failures += failed

    def mostly_failed(self) -> bool:
        """Whether at least MANY calls are known and half of them failed, as of the last one added."""
        calls = sum(bucket.calls for bucket in self._buckets)
        return calls >= MANY and 2 * sum(bucket.failures for bucket in self._buckets) >= calls
