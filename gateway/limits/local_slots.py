"""The admission engine in this process's memory.

Who touches what: as in the rules. A ticket's thread sleeps on it only after it has looked, under the lock, that it was
not called since it asked last. Who is first in all its lines waits for time alone, or is called; any other is called
when it becomes the first.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

from gateway.core.clock import Clock
from gateway.limits.gauges import CountedGauge, Uses
from gateway.limits.row import Row, Ticket
from gateway.limits.slot_rules import SlotGrant, SlotRules
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

    def count(self, need: Need) -> SlotGrant:
        """Count what another engine has granted, whether there is room or not."""
        with self._lock:
            now = self._clock.monotonic()
            gauges = [gauge for row in self._rows if not row.is_lifted for gauge in row.gauges if need[gauge.of]]
            for gauge in gauges:
                cast(CountedGauge, gauge).count_in(now, need[gauge.of])
            return SlotGrant(now, 0.0, need, gauges)

    def uses(self) -> Sequence[Mapping[str, Uses]]:
        """What has left and counts, by the unit, for each row."""
        with self._lock:
            now = self._clock.monotonic()
            return [{each.unit: cast(CountedGauge, each).uses(now) for each in row.gauges} for row in self._rows]

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
