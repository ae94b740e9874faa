"""What one gateway has of a provider's rows that stand in a server, and how it gets there.

The rows are in the server as of an epoch: the generation of the server (gateway.sharing.shared_server) in which this
gateway has written there what is its own. All of it is here too, under the provider's lock: the grants in the engine
`own` (a local one, which counts every grant, so that it can go on alone), those that are open, and the waiting tickets
in the order in which they came. A ticket stands in one line:

    the server's --- the server is away ----------------> the local one (all of the provider, by whoever sees it first)
    the local one -- it is back, and all is restored ---> the server's (likewise)
    either --------- granted, refused, left, dismissed -> over

What a grant reports leaves for the server only while the epoch is the server's generation; else `restore` carries it.
`restore` is the one question that is asked under the lock: no grant may come between what it has read and its answer.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.limits.gauges import Uses
from gateway.limits.local_slots import LocalSlots
from gateway.limits.redis_rows import RedisGrant, RedisRow, RedisTicket
from gateway.limits.row_key import RowKey
from gateway.limits.slot_rules import SlotGrant
from gateway.limits.slots import DAY, Wait
from gateway.limits.slots_commands import MICROS, UNITS, Holding, SlotsCommands, Standing
from gateway.sharing.redis_link import RedisAway
from gateway.sharing.script import Argument, Command, Script
from gateway.sharing.shared_server import SharedServer

NO_EPOCH: Final = 0
FORGOTTEN: Final = -2
"""The server knows nothing of this gateway."""


class Sharing(Protocol):
    """What all providers of one engine share.

    Attributes:
        server: where the rows are.
        script: the admission script.
        clock: the time.
        is_guarded: this gateway's share binds beside the server, as it has come back lately.
    """

    server: SharedServer
    script: Script
    clock: Clock
    is_guarded: bool

    def own_slots(self, key: RowKey) -> LocalSlots:
        """One row in the local engine."""

    def hold_to_shares(self) -> None:
        """Have the local engine's rows the limits that bind now."""

    def next_name(self) -> str:
        """A name for a ticket and its grant that no other has."""


class ProviderRows:
    """All rows of one provider.

    Attributes:
        base: of its keys in the server.
        lock: guards the rest.
        rows: in the configuration's order.
        version: counts configurations.
        epoch: as above; NO_EPOCH where nothing of this gateway is there.
        open: grants that are not over, in their order.
        waiting: tickets in their order.

    Args:
        base: as above.
        sharing: as above.
    """

    def __init__(self, base: str, sharing: Sharing) -> None:
        self.base = base
        self.lock = threading.RLock()
        self.rows: dict[RowKey, RedisRow] = {}
        self.version = 0
        self.epoch = NO_EPOCH
        self.open: dict[RedisGrant, None] = {}
        self.waiting: dict[RedisTicket, None] = {}
        self._sharing = sharing
        self._server = sharing.server
        self._is_alone = False
        self._asked = 0.0

    def configure(self, limits: Mapping[RowKey, RateLimit]) -> Mapping[RowKey, RedisRow]:
        """Have these rows. One that goes on is the same; one that goes has room for everything.

        Args:
            limits: of the provider.

        Returns:
            The rows.
        """
        with self.lock:
            before, self.rows = self.rows, dict[RowKey, RedisRow]()
            for key, limit in limits.items():
                row = self.rows[key] = before.get(key) or RedisRow(key, self.base)
                row.configure(limit)
            for key, row in before.items():
                row.is_lifted = key not in limits
            self.version += 1
            return dict(self.rows)

    @property
    def is_there(self) -> bool:
        """Whether what is this gateway's own is in the server, so that reports may follow it."""
        return self._server.is_up and self.epoch == self._server.generation

    def question(self, command: Callable[[int], Command]) -> int | Sequence[int]:
        """Ask the server; before the first question in its generation write there what is this gateway's own.

        Args:
            command: makes the question, of an epoch.

        Returns:
            The script's answer: when a grant was given, or what is in the way.

        Raises:
            RedisAway: the server does not answer.
        """
        now = self._sharing.clock.monotonic()
        if now - self._asked > DAY:
            self.epoch = NO_EPOCH  # the server has forgotten it, as nothing of it counts any more
        self._asked = now
        for _ in range(2):
            if self.epoch != self._server.generation:
                self.restore()
            epoch = self.epoch
            answer: int | Sequence[int] = self._server.ask(command(epoch))[0]
            if answer != FORGOTTEN:
                return answer
            self._server.forgotten(epoch)
        raise RedisAway("it forgets what is written there")

    def turn_alone(self) -> bool:
        """Have the tickets stand in the local lines, where the server is away. Under the lock.

        Returns:
            Whether it is away.
        """
        if self._server.is_up:
            return False
        if not self._is_alone:
            self._is_alone = True
            self._sharing.hold_to_shares()
            for ticket in self.waiting:
                answer = ticket.slots.own.ask(None, ticket.need, ticket.terms)
                ticket.own = self.keep(ticket, answer) if isinstance(answer, SlotGrant) else answer
                ticket.call()
        return True

    def keep(self, ticket: RedisTicket, own: SlotGrant, at: float | None = None, granted_at: int = 0) -> RedisGrant:
        """Have a grant for a call. Under the lock.

        Args:
            ticket: of the call.
            own: what it has of the local engine.
            at: monotonic seconds of its question; None for now.
            granted_at: microseconds of the server's clock; 0 where the server has not granted it.
        """
        now = self._sharing.clock.monotonic()
        grant = RedisGrant(ticket, own, now if at is None else at, granted_at, now)
        self.open[grant] = None
        return grant

    def restore(self) -> None:
        """Write in the server what is this gateway's own, in place of what is there of it. The tickets stand in its
        lines afterwards.

        Raises:
            RedisAway: the server does not answer.
        """
        with self.lock:
            generation = self._server.generation
            if self.epoch == generation:
                return
            asked = self._sharing.clock.monotonic()
            rows = list(self.rows.items())
            commands = self._commands([row for _, row in rows])
            offset = self._server.ask(commands.time())[0] - asked * MICROS
            standing = [ticket for ticket in self.waiting if ticket.own is None or isinstance(ticket.own, Wait)]
            self._date(offset)
            command = commands.restore(
                generation,
                [self._holding(key, row, offset) for key, row in rows],
                [Standing(each.id, each.need, _marks(each, rows)) for each in standing],
            )
            if self._server.ask(command)[0] != 1:
                raise RedisAway("it knows a later state of this gateway")
            self.epoch, self._is_alone = generation, False
            for ticket in standing:
                self._to_server(ticket)

    def renewals(self) -> Sequence[Command]:
        """What keeps the places of its open grants."""
        with self.lock:
            if not self.is_there:
                return ()
            found: dict[Any, list[RedisGrant]] = {}
            for grant in self.open:
                if grant.need.places:
                    found.setdefault(grant.slots, []).append(grant)
            return [
                slots.commands.renew(self.epoch, [[each.id for each in grants] for _ in slots.served])
                for slots, grants in found.items()
                if slots.served
            ]

    def dismiss(self) -> None:
        """The provider has gone from the configuration: who waits fails, now."""
        with self.lock:
            waiting, self.waiting = self.waiting, {}
            for ticket in waiting:
                ticket.state = "gone"
        for ticket in waiting:
            ticket.call()

    def call_first(self) -> None:
        """Call who has waited for longest: there may be room."""
        with self.lock:
            first = next(iter(self.waiting), None)
        if first is not None:
            first.call()

    def _commands(self, rows: Sequence[RedisRow]) -> SlotsCommands:
        return SlotsCommands(self._sharing.script, self.base, self._server.gateway, [row.terms for row in rows])

    def _date(self, offset: float) -> None:
        """Give open grants their times in the server's clock, as `restore` writes them."""
        for grant in self.open:
            if not grant.granted_at:
                grant.granted_at = math.ceil(grant.at * MICROS + offset)
            if grant.own.sent_at is not None and not grant.sent_at:
                grant.sent_at = math.ceil(grant.own.sent_at * MICROS + offset)

    def _holding(self, key: RowKey, row: RedisRow, offset: float) -> Holding:
        uses = self._sharing.own_slots(key).uses()[0]
        open_here = [grant for grant in self.open if row in grant.slots.rows]
        pairs: list[Sequence[tuple[Argument, Argument]]] = []
        for unit in UNITS:
            if unit == "maxConcurrent":
                pairs.append([(grant.id, "") for grant in open_here if grant.need.places])
                continue
            found = _dated(uses.get(unit, ()), offset)
            if unit == "requestsPerMinute":
                sent: list[tuple[Argument, Argument]] = [(f"{self._sharing.next_name()}r", at) for at, _ in found]
                unsent = [(grant.id, grant.granted_at) for grant in open_here if not grant.was_sent and unit in uses]
                pairs.append([*sent, *unsent])
            else:
                pairs.append(found)
        return Holding(tuple(pairs))

    def _to_server(self, ticket: RedisTicket) -> None:
        """A ticket stands in the server's lines, and in the local ones no more."""
        if isinstance(ticket.own, Wait):
            ticket.slots.own.leave(ticket.own.ticket)
        ticket.own = None
        ticket.call()


def _dated(uses: Uses, offset: float) -> list[tuple[int, int]]:
    return [(math.ceil(at * MICROS + offset), amount) for at, amount in uses]


def _marks(ticket: RedisTicket, rows: Sequence[tuple[RowKey, RedisRow]]) -> str:
    return "".join("1" if row in ticket.slots.rows else "-" for _, row in rows)
