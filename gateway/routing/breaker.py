"""When a target that keeps failing is left alone, and how it comes back: a circuit breaker, as a machine.

No clock, no lock, no thread: time and chance are handed in, so that it can be held against a simple model. Whoever
shares it brings the lock. It counts outcomes and knows nothing of what a failure means; that is health.py's business.

    closed ----------- too many failures ----------> open
    open ------------- its time is over -----------> half-open: exactly one call probes
    half-open -------- the probe fails ------------> open, twice as long as before
    half-open -------- the probe begins to speak --> on probation: all calls go in, the next failure opens it again
    anything --------- a call ends well -----------> closed

A call that entered before the breaker opened says nothing about the target since, so its failure counts neither while
it is open nor afterwards. Its success does count: an opening is a guess, and any good answer is evidence against it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct

IN_A_ROW: Final = 5
"""Failures in a row that open it."""
MANY: Final = 10
"""Calls in the window from which on half of them failing opens it."""
BUCKET: Final = 5.0
"""Seconds. The window moves on by whole buckets: it covers the last 55 to 60 seconds."""
BUCKETS: Final = 12
FIRST_OPENING: Final = 5.0
"""Seconds, doubled at each failed probe."""
LONGEST_OPENING: Final = 30.0
JITTER: Final = 0.2
"""The share of an opening that chance may take off, so that many gateways do not probe in step. Taken off and never
added: no opening is longer than LONGEST_OPENING."""
LOOK_AGAIN: Final = 1.0
"""Seconds. When a probe under way will know more is not known; this keeps a caller that waits from spinning."""

BreakerState = Literal["closed", "open", "half-open"]


class Entry(Struct, frozen=True):
    """A call that went in: its number, from 1 upwards, and whether it went in as the probe."""

    number: int
    probing: bool


class Breaker:
    """One target's breaker. Times are monotonic seconds, from call to call never earlier than before.

    Args:
        random: a value from 0 to 1, the share of the jitter that an opening gets.
    """

    __slots__ = ("_entered", "_failures", "_openings", "_outcomes", "_phase", "_probe", "_random", "_since", "_until")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._phase: Literal["closed", "open", "probation"] = "closed"
        self._entered = 0
        self._since = 0  # a call with this number or a lower one came too early for its failure to count
        self._failures = 0
        self._outcomes = _Outcomes()
        self._openings = 0
        self._until = 0.0
        self._probe = 0  # the number of the latest probe of this opening; 0 where none is under way

    @property
    def failures(self) -> int:
        """Failures in a row that counted."""
        return self._failures

    @property
    def entered(self) -> int:
        """The number of the latest call that went in."""
        return self._entered

    def state(self, now: float) -> BreakerState:
        """Its state in the field's words; probation is a half-open one that lets every call in."""
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

    def enter(self, now: float) -> Entry:
        """A call goes in. Whether it may (`due`) is the caller's to ask: one that is forced goes in all the same."""
        self._entered += 1
        probing = self._phase == "open" and self.due(now) <= 0
        if probing:
            self._probe = self._entered
        return Entry(self._entered, probing)

    def speaking(self, entry: Entry) -> None:
        """The call's stream has begun to speak. Of a probe it means that others need not wait for its end."""
        if self._phase == "open" and entry.number == self._probe:
            self._phase = "probation"
            self._since = self._entered

    def succeeded(self, now: float) -> None:
        """A call ended well: closed, and nothing is left of the failures before."""
        if self._phase != "closed":
            self._close()
        self._failures = 0
        self._outcomes.add(now, failed=False)

    def failed(self, entry: Entry, now: float) -> None:
        """The call failed, and it was the target's fault."""
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

    def lives(self, entry: Entry) -> None:
        """The call ended without an answer, but for a reason that only a working provider gives: a probe has its
        answer, and to any other call it is no outcome."""
        if self._phase != "closed" and entry.number == self._probe:
            self._close()

    def gives_back(self, entry: Entry) -> None:
        """The call ended without a verdict: where it was the probe, the next call may be."""
        if self._phase == "open" and entry.number == self._probe:
            self._probe = 0

    def _open(self, now: float) -> None:
        length = min(FIRST_OPENING * 2.0 ** min(self._openings, 10), LONGEST_OPENING)
        self._until = now + length * (1.0 - JITTER * self._random())
        self._openings += 1
        self._phase = "open"
        self._probe = 0
        self._since = self._entered
        self._outcomes = _Outcomes()

    def _close(self) -> None:
        # The probe stays known: it may still be speaking, and if it breaks off then that is a failure like any other.
        self._phase = "closed"
        self._openings = 0
        self._failures = 0


@dataclass(slots=True)
class _Bucket:
    slot: int
    calls: int = 0
    failures: int = 0


class _Outcomes:
    """Calls and failures of the last minute, in at most BUCKETS counts however many calls there are."""

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
        """Whether at least half of at least MANY calls failed, as of the last one added."""
        calls = sum(bucket.calls for bucket in self._buckets)
        return calls >= MANY and 2 * sum(bucket.failures for bucket in self._buckets) >= calls
