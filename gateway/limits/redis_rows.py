"""What one gateway has of a provider's rows that stand in a server: rows, tickets, grants, and who owns them.

A provider's rows are in the server as of an epoch: the generation of the connection in which this gateway has written
there what is its own. Three places hold what is its own, all under the provider's lock: `own` engine (a local one, in
which every grant counts too, so that it can go on alone), `open` grants, `waiting` tickets in the order in which they
came. A ticket stands in one line:

    server ---- the server is away -----------------> own (all of the provider in their order, by whoever sees it first)
    own ------- the server is back, and restored ---> server (the same)
    either ---- granted, refused, left, gone -------> over

A grant counts in `own` from the beginning. What it reports to the server leaves only while the provider's epoch is the
server's; else `restore` carries it.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from gateway.config.rate_limit import RateLimit
from gateway.limits.gauges import UNITS
from gateway.limits.local_slots import LocalGrant
from gateway.limits.row_key import RowKey
from gateway.limits.slots import Need, Refused, Terms, Wait
from gateway.limits.slots_commands import RowTerms

if TYPE_CHECKING:
    from gateway.limits.redis_slots import RedisSlots

NO_EPOCH: Final = 0


class RedisRow:
    """A row. It outlives a configuration.

    Attributes:
        name: for people.
        terms: what the server is told of it.
        is_lifted: it is not in the configuration any more, so it has room for everything.

    Args:
        key: what it is known by.
        base: of its provider's keys in the server.
        limit: its settings.
    """

    def __init__(self, key: RowKey, base: str, limit: RateLimit) -> None:
        self.name = str(key)
        self._key = f"{base}:{self.name}{'' if key.is_own else '+'}"
        self.is_lifted = False
        self.configure(limit)

    def configure(self, limit: RateLimit) -> None:
        """Have other settings."""
        numbers = tuple(getattr(limit, setting) or 0 for setting in UNITS)
        self.terms = RowTerms(self._key, limit.max_queue_size, limit.max_wait_seconds, numbers)
        self.is_lifted = False


class RedisTicket(threading.Condition):
    """The place of a waiting call. All but `call` belongs to its provider's lock, or to its own thread.

    Attributes:
        id: in the server.
        slots: of the rows that it waits for.
        need, terms: what it asks for.
        since: monotonic seconds at which it joined.
        state: `waiting`, `gone` (its provider is not served any more) or `over`.
        next_ask: monotonic seconds; before it the server is not asked unless it was called.
        own: the answer of the local engine, while it stands there.
        refusal: why it had no room when it asked last.
    """

    def __init__(self, name: str, slots: "RedisSlots", need: Need, terms: Terms, since: float) -> None:
        super().__init__(threading.Lock())
        self.id = name
        self.slots = slots
        self.need = need
        self.terms = terms
        self.since = since
        self.state: Literal["waiting", "gone", "over"] = "waiting"
        self.next_ask = since
        self.own: LocalGrant | Wait | Refused | None = None
        self.refusal: Refused | None = None
        self._is_called = False

    def call(self) -> None:
        """Something has changed for it: it asks now."""
        with self:
            self._is_called = True
            self.notify()

    def was_called(self) -> bool:
        """Whether it was called since it was asked this last."""
        with self:
            called, self._is_called = self._is_called, False
            return called

    @property
    def is_called(self) -> bool:
        """As `was_called`, and it stays so. Under its own lock."""
        return self._is_called


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

    def __init__(  # noqa: PLR0913, PLR0917 - what it consists of
        self, name: str, slots: "RedisSlots", need: Need, own: LocalGrant, at: float, granted_at: int, waited: float
    ) -> None:
        self.id = name
        self.slots = slots
        self.need = need
        self.own = own
        self.at = at
        self.granted_at = granted_at
        self.waited = waited
        self.sent_at = 0
        self.was_sent = False
        self.tokens = need.tokens
        self.is_open = True


class ProviderRows:
    """All rows of one provider.

    Attributes:
        base: of its keys in the server.
        lock: guards all but `rows`, which are changed by a configuration only.
        rows: in the configuration's order.
        version: counts configurations, so that who has built something of the rows builds it anew.
        epoch: as above; NO_EPOCH where nothing of this gateway is there.
        is_new: nothing was ever written there.
        open: grants that are not over, in their order.
        waiting: tickets in their order.
        is_alone: waiting tickets stand in the local lines.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.lock = threading.RLock()
        self.rows: dict[RowKey, RedisRow] = {}
        self.version = 0
        self.epoch = NO_EPOCH
        self.is_new = True
        self.open: dict[RedisGrant, None] = {}
        self.waiting: dict[RedisTicket, None] = {}
        self.is_alone = False

    def served_rows(self) -> Sequence[RedisRow]:
        """The rows that are in the configuration."""
        return [row for row in self.rows.values() if not row.is_lifted]

    def dismiss(self) -> None:
        """The provider has gone from the configuration: who waits fails, now."""
        with self.lock:
            waiting, self.waiting = self.waiting, {}
            for ticket in waiting:
                ticket.state = "gone"
        for ticket in waiting:
            ticket.call()
