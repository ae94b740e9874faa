"""The admission engine in this process's memory.

Who touches what: as in the rules. A ticket's thread sleeps on it only after it has looked, under the lock, that it was
not called since it asked last. Who is first in all its lines waits for time alone, or is called; any other is called
when it becomes the first.
"""

import math
from collections.abc import Sequence

from gateway.core.clock import Clock
from gateway.limits.row import Row, Ticket
from gateway.limits.slot_rules import SlotRules
from gateway.limits.slots import Need


class LocalSlots(SlotRules):
    """Implements gateway.limits.slots.Slots.

    Args:
        rows: that fit the target; all have the same lock.
        clock: the time.
    """

    def __init__(self, rows: Sequence[Row], clock: Clock) -> None:
        super().__init__(rows, rows[0].lock, clock)
        self._lines = [row.line for row in rows]
        self._mutex = rows[0].lock

    def pause(self, ticket: Ticket, seconds: float) -> None:
        with self._lock:
            if ticket.state == "waiting" and not ticket.is_called:
                self._clock.wait(ticket, seconds)

    def _new_ticket(self, need: Need, now: float) -> Ticket:
        return Ticket(self._mutex, need, now)

    def _pause(self, now: float, ticket: Ticket) -> float:
        """Where others stand before it in a line, or room comes when a call ends, it is called."""
        if any(line[0] is not ticket for line in self._lines):
            return math.inf
        longest = 0.0
        for row in self._rows:
            for gauge in row.gauges:
                if row.is_lifted or row.has_room(gauge, now, ticket.need, ticket):
                    continue
                if not gauge.is_timed:
                    return math.inf
                longest = max(longest, row.due(gauge, now, ticket.need, ticket) - now)
        return longest
