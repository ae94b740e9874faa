"""A row whose numbers and line processes share. Its name, its limits and the tickets of its own calls are a process's
own: all workers take a new configuration over by themselves, within a moment.

Who touches what: everything here belongs to whoever is in a step of the row's file. A ticket has a lock of its own
beside that, under which its thread sleeps; who calls it holds both.
"""

import threading
from collections.abc import Sequence

from gateway.limits.gauges import REQUESTS, Gauge
from gateway.limits.row import RowRules, Ticket
from gateway.limits.shared_line import SharedLine, Standing
from gateway.limits.slots import Need


class SharedTicket(Ticket):
    """A ticket that sleeps under a lock of its own, since others of its line sleep in other processes.

    Args:
        need, since: as in Ticket.
    """

    def __init__(self, need: Need, since: float) -> None:
        super().__init__(threading.Lock(), need, since)

    def call(self) -> None:
        with self:
            super().call()


class SharedRow(RowRules):
    """One row.

    Args:
        name, gauges, max_queue, max_wait: as in RowRules.
        line: its line.
    """

    def __init__(
        self, name: str, gauges: Sequence[Gauge], line: SharedLine, *, max_queue: int, max_wait: float
    ) -> None:
        super().__init__(name, gauges, max_queue=max_queue, max_wait=max_wait)
        self.line: SharedLine = line
        self._standing: dict[Ticket, Standing] = {}

    def join(self, ticket: Ticket) -> None:
        self._standing[ticket] = self.line.join(ticket.need, ticket.since)

    def keep(self, ticket: Ticket, now: float) -> None:
        """A call that waits has asked again. One that has fallen out of the line, because its process was stopped for
        so long, stands at its end again."""
        standing = self._place(ticket)
        if standing is not None:
            self.line.keep_alive(standing, now)
            self.line.sweep(now)
        elif not self.line.is_full:
            self._standing[ticket] = self.line.join(ticket.need, now)

    def leave(self, ticket: Ticket) -> None:
        standing = self._place(ticket)
        self._standing.pop(ticket, None)
        if standing is not None:
            was_first = self.line.is_first(standing)
            self.line.leave(standing)
            if was_first:
                self.call_first()

    def tickets(self) -> Sequence[Ticket]:
        return list(self._standing)

    def dismiss(self) -> None:
        for ticket, standing in self._standing.items():
            self.line.leave(standing)
            ticket.state = "gone"
            ticket.call()
        self._standing.clear()

    def call_first(self) -> None:
        for ticket in self._standing:
            ticket.call()
            break

    def blocking(self, now: float, need: Need, ticket: Ticket | None) -> Gauge | None:
        if self.line:
            self.line.sweep(now)
        return super().blocking(now, need, ticket)

    def fits_before(self, gauge: Gauge, ticket: Ticket | None, room: int) -> bool:
        standing = self._place(ticket)
        if standing is None:
            return room >= self.line.needs(gauge.of)
        return self.line.has_room_for(standing, gauge.of, room)

    def due(self, gauge: Gauge, now: float, need: Need, ticket: Ticket | None) -> float:
        standing = self._place(ticket)
        ahead = self.line.needs(gauge.of) if standing is None else self.line.ahead(standing, gauge.of)
        return gauge.due(now, ahead, min(need[gauge.of], gauge.limit))

    def calls_ahead(self, ticket: Ticket) -> int:
        """Calls before one in the line, at most."""
        standing = self._place(ticket)
        return len(self.line) if standing is None else self.line.ahead(standing, REQUESTS)

    def _place(self, ticket: Ticket | None) -> Standing | None:
        """Where a call stands; None where it does not, or not any more."""
        standing = None if ticket is None else self._standing.get(ticket)
        return standing if standing is not None and self.line.stands(standing) else None
