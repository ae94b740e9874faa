"""The admission engine over rows that worker processes share.

The rules are those of one process; the lock is a step of the rows' file, so what a call does to its rows happens whole
or not at all, whatever dies in it. Nobody can be woken in another process. So a call that waits sleeps until its own
time, by what stands before it, and for a place, whose time nobody knows, it looks again soon; the more stand before it,
the later. In its own process it is called as ever.
"""

import math
from collections.abc import Sequence
from typing import Final

from gateway.core.clock import Clock
from gateway.limits.gauges import Gauge
from gateway.limits.row import RowRules, Ticket
from gateway.limits.shared_row import SharedRow, SharedTicket
from gateway.limits.slot_rules import SlotRules
from gateway.limits.slots import Need, Refused, Terms, Wait
from gateway.sharing.words import Words

NEAR: Final = 64
"""Calls before one in the line, up to which it sleeps until its own time. Further behind it only looks every 250 ms."""
PLACE_LOOK: Final = 0.01
"""Seconds after which the first in a line looks again for a place."""


class SharedSlots(SlotRules):
    """Implements gateway.limits.slots.Slots.

    Args:
        rows: that fit the target; all are in one file.
        words: the file.
        clock: the time.
    """

    def __init__(self, rows: Sequence[SharedRow], words: Words, clock: Clock) -> None:
        super().__init__(rows, words, clock)
        self._shared = tuple(rows)

    def pause(self, ticket: Ticket, seconds: float) -> None:
        with ticket:
            if ticket.state == "waiting" and not ticket.is_called:
                self._clock.wait(ticket, seconds)

    def _new_ticket(self, need: Need, now: float) -> Ticket:
        return SharedTicket(need, now)

    def _stay(self, now: float, ticket: Ticket, terms: Terms, blocked_by: tuple[RowRules, Gauge]) -> Wait | Refused:
        for row in self._shared:
            row.keep(ticket, now)
        return super()._stay(now, ticket, terms, blocked_by)

    def _pause(self, now: float, ticket: Ticket) -> float:
        longest = 0.0
        for row in self._shared:
            ahead = row.calls_ahead(ticket)
            if ahead > NEAR:
                return math.inf
            for gauge in row.gauges:
                if row.is_lifted or row.has_room(gauge, now, ticket.need, ticket):
                    continue
                if gauge.is_timed:
                    longest = max(longest, row.due(gauge, now, ticket.need, ticket) - now)
                else:
                    longest = max(longest, PLACE_LOOK * (1 + ahead))
        return longest
