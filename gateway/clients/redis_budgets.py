"""The budgets of gateways that share a server.

A reservation is one round trip, a settlement a report. Every gateway writes what is its own in fields of its own, so
that it can write it again after the server was away or empty. While the server is away a gateway may use its share of
what was left of the budget when it heard of it last.

Who touches what: all budgets belong to whoever holds the lock; the server is asked under it only to restore one, which
is once in a generation of the server.
"""

import math
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.periods import Per, Period, period
from gateway.core.clock import Clock
from gateway.core.errors import LimitsUnavailable
from gateway.limits.redis_words import AWAY
from gateway.sharing.redis_link import RedisAway
from gateway.sharing.script import Argument, Command, Script
from gateway.sharing.shared_server import SharedServer

DAY: Final = 86_400
FOR_EVER: Final = 400 * DAY
"""What a budget without an end is kept for after it was used last, in seconds."""
FORGOTTEN: Final = -2
ATTEMPTS: Final = 3


class _Own:
    """What a gateway knows of one client's budget. Amounts are in millionths of a US dollar.

    Attributes:
        per, limit: as configured.
        present: the period.
        before: what the ledger knew of it at the start.
        spent, reserved: by this gateway's calls.
        others: spent and reserved by all others, as heard last.
        epoch: the generation of the server in which its own was written; 0 where it was not.
        allowance: what may still be reserved while the server is away; None where it is not known to be away.
    """

    def __init__(self, per: Per, limit: int, before: int, now: float) -> None:
        self.per = per
        self.limit = limit
        self.begin(period(per, now), before)

    def begin(self, present: Period, before: int) -> None:
        """Begin a period."""
        self.present = present
        self.before = self.others = before
        self.spent = self.reserved = 0
        self.epoch = 0
        self.allowance: int | None = None

    def view(self) -> BudgetView:
        """The budget as far as this gateway knows it."""
        return BudgetView(self.per, self.limit, self.spent + self.others, self.reserved, self.present.ends)


class RedisBudgets:
    """Implements gateway.clients.budget_engine.BudgetEngine.

    Args:
        server: where the budgets are.
        clock: the time.
    """

    def __init__(self, server: SharedServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._script = Script(files("gateway.clients").joinpath("budgets.lua").read_text(encoding="utf-8"))
        self._lock = threading.Lock()
        self._own: dict[str, _Own] = {}

    def configure(self, client: str, per: Per, limit: int, spent_since: Callable[[float], int]) -> None:
        now = self._clock.wall()
        with self._lock:
            known = self._own.get(client)
            if known is not None:
                known.limit = limit
                if known.per == per:
                    return
        spent = spent_since(period(per, now).begins)
        with self._lock:
            self._own[client] = _Own(per, limit, spent, now)

    def reserve(self, client: str, at: float, micros: int, *, is_free: bool) -> Reservation | BudgetView:
        with self._lock:
            own = self._own[client]
            if at >= own.present.ends:
                own.begin(period(own.per, at), 0)
        for _ in range(ATTEMPTS):
            try:
                answer = self._ask_to_reserve(client, own, micros, is_free=is_free)
            except RedisAway:
                return self._alone(own, at, micros, is_free=is_free)
            kind, *sums = answer
            if kind == FORGOTTEN:
                own.epoch = 0
                continue
            with self._lock:
                spent, reserved = sums
                own.others = max(0, spent + reserved - own.spent - own.reserved)
                own.allowance = None
                if kind == 0:
                    return BudgetView(own.per, own.limit, spent, reserved, own.present.ends)
                own.reserved += micros
                return Reservation(at, micros)
        return self._alone(own, at, micros, is_free=is_free)

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        with self._lock:
            if not reservation.is_open:
                return
            reservation.is_open = False
            own = self._own[client]
            if reservation.at < own.present.begins:
                return
            own.reserved -= reservation.micros
            own.spent += micros
            if own.allowance is not None:
                own.allowance += reservation.micros - micros
            if self._server.is_up and own.epoch == self._server.generation:
                self._server.tell(self._command(client, own, "settle", reservation.micros, micros))

    def views(self) -> Mapping[str, BudgetView]:
        with self._lock:
            now = self._clock.wall()
            known = dict(self._own)
            for own in known.values():
                if now >= own.present.ends:
                    own.begin(period(own.per, now), 0)
        try:
            answers = self._server.ask(*(self._command(name, own, "view") for name, own in known.items()))
        except RedisAway:
            return {name: own.view() for name, own in known.items()}
        return {
            name: BudgetView(own.per, own.limit, spent, reserved, own.present.ends) if own.epoch else own.view()
            for (name, own), (_, spent, reserved) in zip(known.items(), answers, strict=True)
        }

    def close(self) -> None:
        """The server is closed by whoever has made it."""

    def _ask_to_reserve(self, client: str, own: _Own, micros: int, *, is_free: bool) -> list[int]:
        """Raises RedisAway."""
        generation = self._server.generation
        if own.epoch != generation:
            with self._lock:
                if own.epoch != generation:
                    said = (own.spent, own.reserved, own.before)
                    self._server.ask(self._command(client, own, "restore", *said, epoch=generation))
                    own.epoch = generation
        command = self._command(client, own, "reserve", own.limit, micros, "1" if is_free else "")
        answer: list[int] = self._server.ask(command)[0]
        return answer

    def _alone(self, own: _Own, at: float, micros: int, *, is_free: bool) -> Reservation | BudgetView:
        """Reserve by this gateway's share of what was left."""
        if self._server.refuses:
            raise LimitsUnavailable(AWAY, retry_after=1.0)
        with self._lock:
            if own.allowance is None:
                left = own.limit - own.others - own.spent - own.reserved
                own.allowance = max(0, left) // self._server.members.count
            if not is_free and (micros > own.allowance or own.allowance <= 0):
                return own.view()
            own.allowance -= micros
            own.reserved += micros
            return Reservation(at, micros)

    def _command(self, client: str, own: _Own, operation: str, *said: Argument, epoch: int | None = None) -> Command:
        key = f"gw:{{{self._server.group}:budget:{client}}}:{own.present.begins:.0f}"
        rest = own.present.ends - self._clock.wall()
        seconds = FOR_EVER if math.isinf(rest) else max(0, math.ceil(rest)) + DAY
        kept = own.epoch if epoch is None else epoch
        return self._script.command([key], operation, self._server.gateway, kept, seconds, *said)
