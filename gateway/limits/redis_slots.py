"""The admission engine for the rows of one target in a server that several gateways share.

A call asks the server in one round trip. Where the server is away, the local engine decides by this gateway's share;
for a while after its return both have to agree (gateway.limits.redis_engine says when). A waiting call asks when it
joins, when it is due, when it is called, and once a second, so that the server knows that it still waits.

Who touches what is said in gateway.limits.redis_provider.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from gateway.limits.local_slots import LocalSlots
from gateway.limits.redis_provider import ProviderRows, Sharing
from gateway.limits.redis_rows import RedisGrant, RedisRow, RedisTicket
from gateway.limits.redis_words import AWAY, refusal, too_large
from gateway.limits.slot_rules import SlotGrant
from gateway.limits.slots import Need, Refused, RowStatus, Terms, Wait, gone, late
from gateway.limits.slots_commands import MICROS, Mode, SlotsCommands
from gateway.sharing.redis_link import RedisAway

KEEP_ALIVE: Final = 1.0
"""Seconds after which a waiting call asks at least; the server forgets it after 3."""
ATTEMPTS: Final = 3
"""Between two of which the server has gone away or come back."""
TRY: Final = Terms()
REFUSED: Final = -1


class RedisSlots:
    """Implements gateway.limits.slots.Slots.

    Args:
        sharing: of the engine whose rows these are.
        provider: of the rows.
        rows: that fit the target.
        own: the same rows in the local engine.
        statuses: the rows of the provider as the server has them, by name; None where it is away.
    """

    def __init__(
        self,
        sharing: Sharing,
        provider: ProviderRows,
        rows: Sequence[RedisRow],
        own: LocalSlots,
        statuses: Callable[[], dict[str, RowStatus] | None],
    ) -> None:
        self.rows = tuple(rows)
        self.own = own
        self._sharing = sharing
        self._server = sharing.server
        self._clock = sharing.clock
        self._provider = provider
        self._statuses = statuses
        self._version = -1
        self._build()

    def ask(self, ticket: RedisTicket | None, need: Need, terms: Terms) -> RedisGrant | Wait | Refused:
        now = self._clock.monotonic()
        if ticket is not None and ticket.state == "gone":
            return gone(self.rows[0].name)
        if now >= terms.deadline:
            self.leave(ticket)
            return late(self.rows[0].name)
        if not terms.oversized and (refused := too_large(self.served, need)) is not None:
            return refused
        asking = ticket or RedisTicket(self._sharing.next_name(), self, need, terms, now)
        for _ in range(ATTEMPTS):
            try:
                return self._of_server(now, asking)
            except RedisAway:
                if self._server.refuses:
                    break
            with self._provider.lock:
                if self._provider.turn_alone():
                    return self._alone(asking)
        self.leave(asking)
        return Refused("away", AWAY, KEEP_ALIVE)

    def pause(self, ticket: RedisTicket, seconds: float) -> None:
        own = ticket.own
        if isinstance(own, Wait):
            self.own.pause(own.ticket, seconds)
            return
        ticket.sleep(self._clock, seconds)

    def leave(self, ticket: RedisTicket | None) -> None:
        if ticket is None:
            return
        with self._provider.lock:
            if self._provider.waiting.pop(ticket, ticket) is ticket or ticket.state != "waiting":
                return
            ticket.state = "over"
            own = ticket.own
            if isinstance(own, Wait):
                self.own.leave(own.ticket)
            elif own is None and self._provider.is_there:
                self._server.tell(self.commands.leave(self._provider.epoch, ticket.id, ticket.need))
        if isinstance(own, RedisGrant):
            self.release(own)
        self._provider.call_first()

    def sent(self, grant: RedisGrant) -> None:
        with self._provider.lock:
            if not grant.is_open or grant.was_sent:
                return
            grant.was_sent = True
            self.own.sent(grant.own)
            if grant.granted_at and self._provider.is_there:
                grant.sent_at = grant.granted_at + math.ceil((self._clock.monotonic() - grant.at) * MICROS)
                if self._has_windows:
                    self._tell_sent(grant)

    def settle(self, grant: RedisGrant, tokens: int) -> None:
        with self._provider.lock:
            if not grant.is_open or not grant.was_sent:
                return
            change, grant.tokens = tokens - grant.tokens, tokens
            self.own.settle(grant.own, tokens)
            if change and grant.sent_at and self._has_tokens and self._provider.is_there:
                self._server.tell(self.commands.settle(self._provider.epoch, grant.sent_at, change))
        if change < 0:
            self._provider.call_first()

    def release(self, grant: RedisGrant) -> None:
        with self._provider.lock:
            if not grant.is_open:
                return
            grant.is_open = False
            self._provider.open.pop(grant, None)
            self.own.release(grant.own)
            frees = self._has_places or not grant.was_sent
            if frees and grant.granted_at and self._provider.is_there:
                self._tell_release(grant)
        if frees:
            self._provider.call_first()

    def expected_wait(self) -> float:
        return max(row.wait for row in self.status())

    def status(self) -> tuple[RowStatus, ...]:
        found = self._statuses()
        if found is None or not all(row.name in found for row in self.rows):
            return self.own.status()
        return tuple(found[row.name] for row in self.rows)

    @property
    def served(self) -> Sequence[RedisRow]:
        """Its rows that are in the configuration."""
        if self._version != self._provider.version:
            self._build()
        return self._served

    @property
    def commands(self) -> SlotsCommands:
        """The commands for them."""
        if self._version != self._provider.version:
            self._build()
        return self._commands

    def _build(self) -> None:
        self._version = self._provider.version
        self._served = [row for row in self.rows if not row.is_lifted]
        terms = [row.terms for row in self._served]
        self._commands = SlotsCommands(self._sharing.script, self._provider.base, self._server.gateway, terms)
        has = [any(row.numbers[place] for row in terms) for place in range(5)]
        self._has_places, self._has_windows, self._has_tokens = has[0], any(has[1:]), has[2] or has[4]

    def _of_server(self, now: float, ticket: RedisTicket) -> RedisGrant | Wait | Refused:
        """What the server answers a call. Raises RedisAway."""
        if ticket.has_waited and not self._is_due(now, ticket):
            return Wait(ticket, ticket.next_ask - now)
        if isinstance(ticket.own, (RedisGrant, Refused)):  # of the time when the server was away
            return self._over(ticket, ticket.own)
        mode: Mode = "wait" if ticket.has_waited else "queue" if ticket.terms.queue else "try"
        own = self._own_share(ticket) if self._sharing.is_guarded else None
        if isinstance(own, Refused):
            if mode == "try" or self._is_full(ticket):
                return own
            mode = "hold"
        try:
            answer = self._provider.question(
                lambda epoch: self.commands.ask(epoch, ticket.id, ticket.need, mode, ticket.terms.deadline - now)
            )
        except BaseException:
            self._give_back(own)
            raise
        if isinstance(answer, int):
            with self._provider.lock:
                counted = own if isinstance(own, SlotGrant) else self.own.count(ticket.need)
                return self._over(ticket, self._provider.keep(ticket, counted, now, answer))
        self._give_back(own)
        if answer[0] == REFUSED:
            return refusal(self.served, answer, ticket.need)
        return self._wait(now, ticket, answer, own)

    def _is_due(self, now: float, ticket: RedisTicket) -> bool:
        return ticket.was_called() or now >= ticket.next_ask or ticket.own is not None

    def _own_share(self, ticket: RedisTicket) -> SlotGrant | Refused:
        """What this gateway's share has for a call, when those that have waited longer have taken theirs."""
        with self._provider.lock:
            before = sum(each is not ticket and each.since < ticket.since for each in self._provider.waiting)
            answer = self.own.ask(None, ticket.need, TRY)
            if isinstance(answer, SlotGrant) and before:
                self.own.release(answer)
                return Refused("full", "calls wait before it.", KEEP_ALIVE)
        return Refused("full") if isinstance(answer, Wait) else answer

    def _give_back(self, own: SlotGrant | Refused | None) -> None:
        if isinstance(own, SlotGrant):
            with self._provider.lock:
                self.own.release(own)

    def _is_full(self, ticket: RedisTicket) -> bool:
        """Whether a line is too full for a call that comes anew."""
        if ticket.has_waited:
            return False
        return any(len(self._provider.waiting) >= row.terms.max_queue for row in self.served)

    def _wait(
        self, now: float, ticket: RedisTicket, answer: Sequence[int], own: SlotGrant | Refused | None
    ) -> Wait | Refused:
        """Stay in the lines, unless the call has waited for as long as it may."""
        _, _, _, row, unit, _, _, wait = answer
        ends = ticket.since + self.served[row - 1].terms.max_wait
        if ticket.has_waited and now >= ends:
            self.leave(ticket)
            return refusal(self.served, answer, ticket.need, waited=True)
        is_timed = unit != 1 or isinstance(own, Refused)
        share = own.seconds if isinstance(own, Refused) else 0.0
        due = max(wait / MICROS, share) if is_timed else KEEP_ALIVE
        seconds = min(due, KEEP_ALIVE, ends - now, ticket.terms.deadline - now)
        with self._provider.lock:
            if ticket.state == "waiting":
                ticket.stand()
                self._provider.waiting.setdefault(ticket)
                ticket.own = None
                ticket.next_ask = now + max(seconds, 0.0)
        return Wait(ticket, max(seconds, 0.0))

    def _alone(self, ticket: RedisTicket) -> RedisGrant | Wait | Refused:
        """What the local engine answers a call. Under the lock."""
        own = ticket.own
        if own is None or isinstance(own, Wait):
            before = own.ticket if isinstance(own, Wait) else None
            terms = ticket.terms._replace(oversized=True)  # what fits the limit may be more than a share of it
            found = self.own.ask(before, ticket.need, terms)
            own = ticket.own = self._provider.keep(ticket, found) if isinstance(found, SlotGrant) else found
        if not isinstance(own, Wait):
            return self._over(ticket, own)
        ticket.stand()
        self._provider.waiting.setdefault(ticket)
        return Wait(ticket, own.seconds)

    def _over(self, ticket: RedisTicket, answer: RedisGrant | Refused) -> RedisGrant | Refused:
        """A call does not wait any more."""
        with self._provider.lock:
            ticket.state = "over"
            self._provider.waiting.pop(ticket, None)
        return answer

    def _tell_sent(self, grant: RedisGrant) -> None:
        epoch = self._provider.epoch
        self._server.tell(self.commands.sent(epoch, grant.id, grant.need, grant.granted_at, grant.sent_at))

    def _tell_release(self, grant: RedisGrant) -> None:
        command = self.commands.release(
            self._provider.epoch, grant.id, grant.need, grant.granted_at, was_sent=grant.was_sent
        )
        self._server.tell(command)
