"""The calls that ended last, and the last hour by minute: what the page shows of calls, kept in memory.

The ledger's thread fills it with records as every sink gets them: priced, without secrets, with bounded names.
"""

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.core.percentiles import percentile
from gateway.core.records import CallRecord
from gateway.observe.call_numbers import CallNumbers, OwnNumbers

MINUTE: Final = 60
MINUTES: Final = 60
MAX_CALLS: Final = 50
MAX_SAMPLES: Final = 500
"""Streams of one minute whose first content is remembered, the latest ones."""
TOO_MANY: Final = 429
CALLER_LEFT: Final = "caller_left"
Outcome: TypeAlias = Literal["answered", "failed", "refused", "cancelled"]
"""Of a call. `failed`: no target could answer, or the answer broke off. `refused`: the request is to blame (4xx but
429). `cancelled`: its caller has left."""


def outcome_of(record: CallRecord) -> Outcome:
    """How a call ended."""
    if record.error is None:
        return "answered"
    if record.error == CALLER_LEFT:
        return "cancelled"
    return "refused" if 400 <= record.status < 500 and record.status != TOO_MANY else "failed"


class Numbered(Struct, frozen=True):
    """A call with its number: from 1 on, in the order in which calls ended."""

    id: int
    record: CallRecord


class MinuteCounts(Struct, frozen=True):
    """What ended in one minute, as it can be added. `number`: minutes since 1970. `first_ms`: milliseconds until the
    first content of its streams, of at most MAX_SAMPLES of each worker."""

    number: int
    answered: int
    failed: int
    refused: int
    cancelled: int
    input: int
    output: int
    first_ms: tuple[int, ...]


class Minute(Struct, frozen=True):
    """What ended in one minute. `number`: minutes since 1970. The percentiles are milliseconds until the first content
    of its streams; None where it had none."""

    number: int
    answered: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    input: int = 0
    output: int = 0
    first_p50_ms: int | None = None
    first_p95_ms: int | None = None


class RecentCalls:
    """The last MAX_CALLS calls and the last MINUTES minutes. Safe to use from many threads.

    Attributes:
        numbers: of the calls, those of other workers among them.

    Args:
        now: wall seconds.
        numbers: as above; own ones where one process serves alone.
    """

    def __init__(self, now: Callable[[], float], numbers: CallNumbers | None = None) -> None:
        self.numbers: CallNumbers = numbers or OwnNumbers(now)
        self._now = now
        self._lock = threading.Lock()  # guards all below
        self._calls: deque[Numbered] = deque(maxlen=MAX_CALLS)
        self._minutes: dict[int, _Counting] = {}

    def take(self, records: list[CallRecord]) -> None:
        """Calls that have ended. The ledger's thread calls this."""
        minutes: dict[int, list[CallRecord]] = {}  # which are added up at once: 0.5 us a call in place of 1.4
        for record in records:
            number = math.floor((record.at + record.total_ms / 1000) / MINUTE)
            minutes.setdefault(number, []).append(record)
        with self._lock:
            start = self.numbers.take(len(records))
            shown = range(max(0, len(records) - MAX_CALLS), len(records))
            self._calls.extend([Numbered(start + place, records[place]) for place in shown])
            for number, those in minutes.items():
                self._minutes.setdefault(number, _Counting(number)).add(those)
            first = max(self._minutes, default=0) - MINUTES
            self._minutes = {number: each for number, each in self._minutes.items() if number > first}

    @property
    def last(self) -> int:
        """The number of the latest call; 0 before the first."""
        return self.numbers.last

    def calls(self, after: int, limit: int) -> Sequence[Numbered]:
        """The latest calls with a number above `after`, the newest first. A number that is not given yet counts as 0:
        it is from before a restart."""
        with self._lock:
            known, after = list(self._calls), after if after <= self.last else 0
        return [each for each in reversed(known) if each.id > after][:limit]

    def counts(self) -> list[MinuteCounts]:
        """Of the last MINUTES minutes those in which calls ended."""
        with self._lock:
            return [each.counts() for each in self._minutes.values()]


class _Counting:
    """One minute while calls may still end in it. Needs the caller's lock."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._outcomes: Counter[Outcome] = Counter()
        self._input = self._output = 0
        self._first_ms: deque[int] = deque(maxlen=MAX_SAMPLES)

    def add(self, records: Sequence[CallRecord]) -> None:
        failed = [outcome_of(each) for each in records if each.error is not None]
        self._outcomes["answered"] += len(records) - len(failed)
        self._outcomes.update(failed)
        self._input += sum([each.input or 0 for each in records])
        self._output += sum([each.output or 0 for each in records])
        self._first_ms.extend([each.first_ms for each in records if each.streamed and each.first_ms is not None])

    def counts(self) -> MinuteCounts:
        outcomes = self._outcomes
        return MinuteCounts(
            self._number,
            outcomes["answered"],
            outcomes["failed"],
            outcomes["refused"],
            outcomes["cancelled"],
            self._input,
            self._output,
            tuple(self._first_ms),
        )


def added(counts: Iterable[MinuteCounts]) -> list[MinuteCounts]:
    """The counts of several workers as one has them: of the latest MINUTES minutes, in their order."""
    found: dict[int, MinuteCounts] = {}
    for each in counts:
        before = found.get(each.number)
        found[each.number] = each if before is None else _sum(before, each)
    first = max(found, default=0) - MINUTES
    return [found[number] for number in sorted(found) if number > first]


def minutes_of(counts: Iterable[MinuteCounts], now: float) -> Sequence[Minute]:
    """The last MINUTES minutes, the oldest first; the last one is not over.

    Args:
        counts: at most one of each minute.
        now: wall seconds.
    """
    last = math.floor(now / MINUTE)
    found = {each.number: _minute(each) for each in counts}
    return [found.get(number) or Minute(number) for number in range(last - MINUTES + 1, last + 1)]


def _sum(one: MinuteCounts, other: MinuteCounts) -> MinuteCounts:
    return MinuteCounts(
        one.number,
        one.answered + other.answered,
        one.failed + other.failed,
        one.refused + other.refused,
        one.cancelled + other.cancelled,
        one.input + other.input,
        one.output + other.output,
        one.first_ms + other.first_ms,
    )


def _minute(counts: MinuteCounts) -> Minute:
    ranked = sorted(counts.first_ms)
    return Minute(
        counts.number,
        counts.answered,
        counts.failed,
        counts.refused,
        counts.cancelled,
        counts.input,
        counts.output,
        percentile(ranked, 50) if ranked else None,
        percentile(ranked, 95) if ranked else None,
    )
