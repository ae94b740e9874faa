"""Rows that stand in a server, and what calls of one gateway have of them: tickets and grants.

They are values; who owns them, and how a ticket goes from line to line, is said in gateway.limits.redis_provider.
"""

import threading
from typing import TYPE_CHECKING, Literal

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.limits.gauges import UNITS
from gateway.limits.row_key import RowKey
from gateway.limits.slot_rules import SlotGrant
from gateway.limits.slots import Need, Refused, Terms, Wait
from gateway.limits.slots_commands import RowTerms

if TYPE_CHECKING:
    from gateway.limits.redis_slots import RedisSlots


class RedisRow:
    """A row. It outlives a configuration; `configure` gives it its settings first.

    Attributes:
        name: for people.
        terms: what the server is told of it.
        is_lifted: it is not in the configuration any more, so it has room for everything.

    Args:
        key: what it is known by.
        base: of its provider's keys in the server.
    """

    terms: RowTerms

    def __init__(self, key: RowKey, base: str) -> None:
        self.name = str(key)
        self._key = f"{base}:{self.name}{'' if key.is_own else '+'}"
        self.is_lifted = False

    def configure(self, limit: RateLimit) -> None:
        """Have other settings."""
        numbers = tuple(getattr(limit, setting) or 0 for setting in UNITS)
        self.terms = RowTerms(self._key, limit.max_queue_size, limit.max_wait_seconds, numbers)


class RedisTicket:
    """One call that asks, and its place in the lines where it waits. All but `call` and `sleep` belongs to its
    provider's lock, or to its own thread.

    Attributes:
        id: in the server, also of its grant.
        slots: of the rows that it asks for.
        need, terms: what it asks.
        since: monotonic seconds at which it came.
        state: `waiting`, `gone` (its provider is not served any more) or `over`.
        next_ask: monotonic seconds; before it the server is not asked unless it was called.
        own: what the local engine has answered, while the server is away.
    """

    __slots__ = ("_bell", "_is_called", "id", "need", "next_ask", "own", "since", "slots", "state", "terms")

    def __init__(self, name: str, slots: "RedisSlots", need: Need, terms: Terms, since: float) -> None:
        self.id = name
        self.slots = slots
        self.need = need
        self.terms = terms
        self.since = since
        self.state: Literal["waiting", "gone", "over"] = "waiting"
        self.next_ask = since
        self.own: RedisGrant | Wait | Refused | None = None
        self._bell: threading.Condition | None = None  # most calls never wait
        self._is_called = False

    @property
    def has_waited(self) -> bool:
        """Whether it has stood in a line."""
        return self._bell is not None

    def stand(self) -> None:
        """It is about to stand in a line, where others see it."""
        if self._bell is None:
            self._bell = threading.Condition()

    def call(self) -> None:
        """Something has changed for it: it asks now."""
        if self._bell is not None:
            with self._bell:
                self._is_called = True
                self._bell.notify()

    def was_called(self) -> bool:
        """Whether it was called since it was asked this last."""
        called, self._is_called = self._is_called, False
        return called

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Sleep until it is called, for so many seconds at most."""
        if self._bell is not None:
            with self._bell:
                if not self._is_called and self.state == "waiting":
                    clock.wait(self._bell, seconds)


class RedisGrant:
    """What a call has taken. It belongs to its provider's lock.

    Attributes:
        id: in the server.
        slots: whose rows it was taken of.
        need: what it has taken.
        waited: seconds in the line.
        own: the same in the local engine.
        at: monotonic seconds that belong to `granted_at`.
        granted_at: microseconds of the server's clock at which it counts there; 0 where it is not there.
        sent_at: likewise, when its request left; 0 before, and where that is not there.
        was_sent: its request has left.
        tokens: that it counts for.
        is_open: something of it can still change. It never opens again.
    """

    __slots__ = (
        "at", "granted_at", "id", "is_open", "need", "own", "sent_at", "slots", "tokens", "waited", "was_sent",
    )  # fmt: skip

    def __init__(self, ticket: RedisTicket, own: SlotGrant, at: float, granted_at: int, now: float) -> None:
        self.id = ticket.id
        self.slots = ticket.slots
        self.need = ticket.need
        self.own = own
        self.at = at
        self.granted_at = granted_at
        self.waited = now - ticket.since if ticket.has_waited else 0.0
        self.sent_at = 0
        self.was_sent = False
        self.tokens = ticket.need.tokens
        self.is_open = True
