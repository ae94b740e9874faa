"""The rules of an admission engine: what one step does to the rows that fit a target.

A call takes its share of all rows in one step, or of none. The rows of a provider share one lock, so a step needs no
order of locks, and two calls cannot hold each other up. A call that must wait stands in the line of every row of its
target; all lines have the calls in the order in which they came, so the first of all is first in each of its lines.

Who touches what: windows, lines, tickets and grants belong to whoever holds the lock. A grant goes from held (taken) to
sent to closed, each once. Where rows are kept, and how a ticket sleeps, is what engines differ in
(gateway.limits.local_slots, gateway.limits.shared_slots).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

from gateway.core.clock import Clock
from gateway.core.durations import in_words
from gateway.limits.gauges import TOKENS, Gauge
from gateway.limits.row import RowRules, Ticket
from gateway.limits.slots import Need, Refused, RowStatus, Terms, Wait, gone, late


class SlotGrant:
    """What a call has taken of its rows. It belongs to the engine's lock.

    Attributes:
        granted: monotonic seconds at which it was taken.
        waited: seconds in the line.
        is_open: something of it can still change. It never opens again.
    """

    __slots__ = ("gauges", "granted", "is_open", "need", "sent_at", "tokens", "waited")

    def __init__(self, granted: float, waited: float, need: Need, gauges: Sequence[Gauge]) -> None:
        self.granted = granted
        self.waited = waited
        self.need = need
        self.gauges = gauges
        self.tokens = need.tokens
        self.sent_at: float | None = None
        self.is_open = True


class SlotRules(ABC):
    """Implements gateway.limits.slots.Slots, but for the sleep.

    Args:
        rows: that fit the target; all have the same lock.
        lock: theirs.
        clock: the time.
    """

    def __init__(self, rows: Sequence[RowRules], lock: AbstractContextManager[object], clock: Clock) -> None:
        self._rows = tuple(rows)
        self._lock = lock
        self._clock = clock

    def ask(self, ticket: Ticket | None, need: Need, terms: Terms) -> SlotGrant | Wait | Refused:
        with self._lock:
            now = self._clock.monotonic()
            if ticket is not None and ticket.state == "gone":
                return gone(self._rows[0].name)
            if now >= terms.deadline:
                self._leave(ticket)
                return late(self._rows[0].name)
            if not terms.oversized and (refused := self._too_large(now, need)) is not None:
                return refused
            blocked_by = self._blocked_by(now, need, ticket)
            if ticket is None:
                return self._take(now, need, 0.0) if blocked_by is None else self._join(now, need, terms)
            if blocked_by is None:
                self._leave(ticket)
                return self._take(now, need, now - ticket.since)
            return self._stay(now, ticket, terms, blocked_by)

    @abstractmethod
    def pause(self, ticket: Ticket, seconds: float) -> None:
        """As in Slots."""

    @abstractmethod
    def _new_ticket(self, need: Need, now: float) -> Ticket:
        """A ticket that stands in no line yet."""

    @abstractmethod
    def _pause(self, now: float, ticket: Ticket) -> float:
        """Seconds after which it may have room; infinity where it is called, or nobody can say."""

    def leave(self, ticket: Ticket) -> None:
        with self._lock:
            self._leave(ticket)

    def sent(self, grant: SlotGrant) -> None:
        with self._lock:
            if not grant.is_open or grant.sent_at is not None:
                return
            now = grant.sent_at = self._clock.monotonic()
            is_held = False
            for gauge in grant.gauges:
                gauge.sent(now, grant.granted, grant.need[gauge.of])
                is_held = is_held or gauge.is_held
            grant.is_open = is_held

    def settle(self, grant: SlotGrant, tokens: int) -> None:
        if not grant.is_open:  # mostly nothing of it is counted in tokens, and this saves the lock
            return
        with self._lock:
            if not grant.is_open or grant.sent_at is None:
                return
            now, change = self._clock.monotonic(), tokens - grant.tokens
            grant.tokens = tokens
            for gauge in grant.gauges:
                if gauge.of == TOKENS:
                    gauge.settle(now, grant.sent_at, change)
            if change < 0:
                self._call_firsts()

    def release(self, grant: SlotGrant) -> None:
        if not grant.is_open:  # mostly all is said already, and this saves the lock
            return
        with self._lock:
            if not grant.is_open:
                return
            grant.is_open = False
            now, frees = self._clock.monotonic(), grant.sent_at is None
            for gauge in grant.gauges:
                if grant.sent_at is None:
                    gauge.give_back(now, grant.granted, grant.need[gauge.of])
                else:
                    gauge.end(now, grant.sent_at, grant.need[gauge.of])
                    frees = frees or not gauge.is_timed
            if frees:
                self._call_firsts()

    def expected_wait(self) -> float:
        with self._lock:
            now = self._clock.monotonic()
            return max(row.wait(now) for row in self._rows)

    def status(self) -> tuple[RowStatus, ...]:
        with self._lock:
            now = self._clock.monotonic()
            return tuple(row.status(now) for row in self._rows)

    def _blocked_by(self, now: float, need: Need, ticket: Ticket | None) -> tuple[RowRules, Gauge] | None:
        """A row and its number that have no room; None where all have."""
        if ticket is not None and ticket.blocked_by is not None:
            row, gauge = ticket.blocked_by  # mostly it has no room still, which is found without a walk along the line
            if not row.is_lifted and gauge in row.gauges and not row.has_room(gauge, now, need, ticket):
                return ticket.blocked_by
        for row in self._rows:
            if (found := row.blocking(now, need, ticket)) is not None:
                return row, found
        return None

    def _too_large(self, now: float, need: Need) -> Refused | None:
        """The refusal of a need that no window could ever hold."""
        for row in self._rows:
            for gauge in row.gauges:
                if need[gauge.of] > gauge.limit and not row.is_lifted:
                    return Refused("too_large", _in_words(row, gauge, now, need, "it could never have room"))
        return None

    def _take(self, now: float, need: Need, waited: float) -> SlotGrant:
        gauges: list[Gauge] = []
        for row in self._rows:
            if not row.is_lifted:
                for gauge in row.gauges:
                    if amount := need[gauge.of]:
                        gauge.take(now, amount)
                        gauges.append(gauge)
        return SlotGrant(now, waited, need, gauges)

    def _join(self, now: float, need: Need, terms: Terms) -> Wait | Refused:
        """Stand in the lines, unless a row refuses that."""
        blocks = [
            (row, gauge, row.due(gauge, now, need, None) - now)
            for row in self._rows
            if not row.is_lifted
            for gauge in row.gauges
            if not row.has_room(gauge, now, need, None)
        ]
        longest = max(wait for _, _, wait in blocks)
        remaining = terms.deadline - now
        refusals = [(*each, why) for each in blocks if (why := _why_not(*each, remaining, terms)) is not None]
        if refusals:
            row, gauge, wait, why = max(refusals, key=lambda each: each[2])
            return Refused("full", _in_words(row, gauge, now, need, f"{why}{_free(gauge, wait)}"), longest)
        ticket = self._new_ticket(need, now)
        for row in self._rows:
            row.join(ticket)
        return Wait(ticket, 0.0)

    def _stay(self, now: float, ticket: Ticket, terms: Terms, blocked_by: tuple[RowRules, Gauge]) -> Wait | Refused:
        """Stay in the lines, unless the call has waited for as long as it may."""
        row, gauge = blocked_by
        ends = ticket.since + row.max_wait
        if now >= ends:
            wait = row.due(gauge, now, ticket.need, ticket) - now
            self._leave(ticket)
            end = f"a request waits at most {in_words(row.max_wait)} for it; {_free(gauge, wait)}"
            return Refused("full", _in_words(row, gauge, now, ticket.need, end), wait)
        ticket.blocked_by, ticket.is_called = blocked_by, False
        return Wait(ticket, min(self._pause(now, ticket), ends - now, terms.deadline - now))

    def _leave(self, ticket: Ticket | None) -> None:
        if ticket is not None and ticket.state == "waiting":
            ticket.state = "over"
            for row in self._rows:
                row.leave(ticket)

    def _call_firsts(self) -> None:
        for row in self._rows:
            row.call_first()


def _why_not(row: RowRules, gauge: Gauge, wait: float, remaining: float, terms: Terms) -> str | None:
    """Why a call does not wait for a number of a row, as the begin of what it is told; None where it does."""
    if not terms.queue:
        return ""
    if len(row.line) >= row.max_queue:
        return f"{row.max_queue} requests wait already; " if row.max_queue else "requests do not wait for it; "
    if wait > row.max_wait if gauge.is_timed else not row.max_wait:
        return f"a request waits at most {in_words(row.max_wait)} for it; "
    if gauge.is_timed and wait >= remaining:
        return "the request's time is over before; "
    return None


def _free(gauge: Gauge, wait: float) -> str:
    return f"free in {'' if gauge.is_timed else 'about '}{in_words(wait)}"


def _in_words(row: RowRules, gauge: Gauge, now: float, need: Need, end: str) -> str:
    """`tokensPerMinute of openai: 29,400 of 30,000 used, this call needs about 1,800; free in 12 seconds.`"""
    used = f"{gauge.unit} of {row.name}: {gauge.used(now):,} of {gauge.limit:,} used"
    needs = f", this call needs about {need.tokens:,}" if gauge.of == TOKENS else ""
    waiting = f", {len(row.line):,} waiting" if row.line else ""
    return f"{used}{needs}{waiting}; {end}."
