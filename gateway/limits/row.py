"""A row of `rateLimits`: its numbers, and the line of the calls that wait for any of them.

A row is a value of the engine that owns it, under that engine's lock. Rows of one provider share one lock, because a
call may take from several of them in one step. The rules are the same wherever the line is kept.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Container, Sequence, Sized
from typing import Final, Literal

from gateway.limits.gauges import Gauge, RequestsPerDay, TokensPerDay
from gateway.limits.slots import Need, RowStatus, UnitStatus

ONE: Final = Need(1, 1, 1)
"""The least that a call can take."""


class Ticket(threading.Condition):
    """The place of a waiting call in the lines of its rows, over their lock.

    Its states, all changed under the lock: `waiting` (it stands in every line of its rows) until its own thread asks
    again and is granted, refused or leaves (`over`: it stands in no line), or until its provider goes (`gone`: as over,
    and the thread has yet to be told).

    Attributes:
        need: what it waits for.
        state: as above.
        since: monotonic seconds at which it joined.
        is_called: something has changed for it since it asked last, so that a sleep would come too late.
        blocked_by: the row and gauge that had no room for it when it asked last; asked first the next time.
    """

    def __init__(self, lock: threading.Lock, need: Need, since: float) -> None:
        super().__init__(lock)
        self.need = need
        self.since = since
        self.state: Literal["waiting", "over", "gone"] = "waiting"
        self.is_called = False
        self.blocked_by: tuple[RowRules, Gauge] | None = None

    def call(self) -> None:
        """Wake it, whether it sleeps already or is about to."""
        self.is_called = True
        self.notify()


class RowRules(ABC):
    """One row, wherever its line is kept.

    Attributes:
        name: for people.
        gauges: its numbers.
        max_queue: calls that may wait in its line.
        max_wait: seconds; a call that is known to wait longer is refused.
        line: the calls that wait.
        is_lifted: it is not in the configuration any more, so it has room for everything.

    Args:
        name, gauges, max_queue, max_wait: as above.
    """

    line: Sized

    def __init__(self, name: str, gauges: Sequence[Gauge], *, max_queue: int, max_wait: float) -> None:
        self.name = name
        self.gauges = tuple(gauges)
        self.max_queue = max_queue
        self.max_wait = max_wait
        self.is_lifted = False

    @abstractmethod
    def join(self, ticket: Ticket) -> None:
        """Stand at the end of the line."""

    @abstractmethod
    def leave(self, ticket: Ticket) -> None:
        """Stand in the line no more. Who is first then may have room, and is called."""

    @abstractmethod
    def tickets(self) -> Sequence[Ticket]:
        """Those of this process's calls that wait, first come first."""

    @abstractmethod
    def dismiss(self) -> None:
        """Its provider has gone from the configuration: who waits for it fails, now. What was granted counts on."""

    @abstractmethod
    def call_first(self) -> None:
        """Call the first of this process's calls in the line, if there is one."""

    def has_room(self, gauge: Gauge, now: float, need: Need, ticket: Ticket | None) -> bool:
        """Whether a number has room for a call and for all before it. A need above the whole limit has it when nothing
        counts."""
        amount = need[gauge.of]
        if not amount:
            return True
        room = gauge.limit - gauge.used(now) - (amount if amount < gauge.limit else gauge.limit)
        if room < 0 or not self.line:
            return room >= 0
        return self.fits_before(gauge, ticket, room)

    @abstractmethod
    def fits_before(self, gauge: Gauge, ticket: Ticket | None, room: int) -> bool:
        """Whether so much of a number is enough for all before a call in the line, which is not empty."""

    @abstractmethod
    def due(self, gauge: Gauge, now: float, need: Need, ticket: Ticket | None) -> float:
        """When a number has room for a call: the last in the line, or one in it."""

    def configure(self, gauges: Sequence[Gauge], *, max_queue: int, max_wait: float) -> None:
        """Take new settings over. Calls in the line stay there, and the first of them may have room now."""
        self.gauges = tuple(gauges)
        self.max_queue = max_queue
        self.max_wait = max_wait
        self.call_first()

    def lift(self) -> None:
        """It has gone from the configuration: nobody waits for it any more."""
        self.is_lifted = True
        for ticket in self.tickets():
            ticket.call()

    def blocking(self, now: float, need: Need, ticket: Ticket | None) -> Gauge | None:
        """The first number without room for a call and for all before it in the line; None where all have room.

        Args:
            now: monotonic seconds.
            need: of the call.
            ticket: its place in the line; None where it would come last.
        """
        if self.is_lifted:
            return None
        if self.line:
            return next((gauge for gauge in self.gauges if not self.has_room(gauge, now, need, ticket)), None)
        for gauge in self.gauges:  # as has_room, for the call that is alone: on the way of every admission
            limit, amount = gauge.limit, need[gauge.of]
            if amount and limit - gauge.used(now) < (amount if amount < limit else limit):
                return gauge
        return None

    def wait(self, now: float) -> float:
        """Seconds that a call of the least need would wait."""
        if self.is_lifted or self.blocking(now, ONE, None) is None:
            return 0.0
        return max(self.due(gauge, now, ONE, None) for gauge in self.gauges) - now

    def status(self, now: float) -> RowStatus:
        """The status now."""
        units = tuple(UnitStatus(gauge.unit, gauge.limit, gauge.used(now)) for gauge in self.gauges)
        return RowStatus(self.name, units, len(self.line), self.wait(now))


class Row(RowRules):
    """A row whose line is in this process's memory.

    Attributes:
        lock: of the engine; every attribute but the name belongs to it.
        line: the calls that wait, first come first.
        waiting_needs: the sums of what they wait for, by position in a Need.

    Args:
        name, gauges, max_queue, max_wait, lock: as above.
    """

    def __init__(
        self, name: str, gauges: Sequence[Gauge], *, max_queue: int, max_wait: float, lock: threading.Lock
    ) -> None:
        super().__init__(name, gauges, max_queue=max_queue, max_wait=max_wait)
        self.lock = lock
        self.line: deque[Ticket] = deque()
        self.waiting_needs = [0, 0, 0]

    def join(self, ticket: Ticket) -> None:
        self.line.append(ticket)
        for place, amount in enumerate(ticket.need):
            self.waiting_needs[place] += amount

    def leave(self, ticket: Ticket) -> None:
        was_first = self.line[0] is ticket
        if was_first:
            self.line.popleft()
        else:
            self.line.remove(ticket)
        for place, amount in enumerate(ticket.need):
            self.waiting_needs[place] -= amount
        if was_first:
            self.call_first()

    def tickets(self) -> Sequence[Ticket]:
        return self.line

    def dismiss(self) -> None:
        for ticket in self.line:
            ticket.state = "gone"
            ticket.call()
        self.line.clear()
        self.waiting_needs = [0, 0, 0]

    def call_first(self) -> None:
        if self.line:
            self.line[0].call()

    def fits_before(self, gauge: Gauge, ticket: Ticket | None, room: int) -> bool:
        if ticket is None:
            return room >= self.waiting_needs[gauge.of]
        for before in self.line:  # it ends with the first who has no room, so it is no longer than those who may go
            if before is ticket:
                return True
            room -= before.need[gauge.of]
            if room < 0:
                return False
        raise ValueError("the ticket is not in the line")

    def due(self, gauge: Gauge, now: float, need: Need, ticket: Ticket | None) -> float:
        """When a number has room for a call: the last in the line, or the first in it."""
        ahead = self.waiting_needs[gauge.of] if ticket is None else 0
        return gauge.due(now, ahead, min(need[gauge.of], gauge.limit))

    def refill(self, units: Container[str], at: float, requests: int, tokens: int, now: float) -> None:
        """Count in the day windows of these units what left at `at`."""
        for gauge in self.gauges:
            if gauge.unit in units and isinstance(gauge, (RequestsPerDay, TokensPerDay)):
                gauge.add(now, at, (requests, tokens)[gauge.of])
