"""The limits of gateways that share a server: which rows there are, and which limits bind.

    the server answers -----------------> it decides; the local engine counts every grant of this gateway
    it is away -------------------------> the local engine decides, by this gateway's share of each number:
                                          max(1, number // gateways that were there last)
    it is back, for one window ---------> both have to agree: another gateway may write later what it has granted.
                                          A day ends early with the return of the last gateway that was there

So the local engine's rows have the shares as their limits while those bind, and else the whole numbers, which never
bind: no gateway has more than all together.
"""

import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import count
from typing import Final

import msgspec

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.limits.engine import PastUse, SlotsOf
from gateway.limits.gauges import UNITS
from gateway.limits.local_engine import LocalEngine
from gateway.limits.local_slots import LocalSlots
from gateway.limits.redis_provider import ProviderRows
from gateway.limits.redis_rows import RedisRow
from gateway.limits.redis_slots import RedisSlots
from gateway.limits.row_key import RowKey
from gateway.limits.slots import DAY, MINUTE, RowStatus, Slots, UnitStatus
from gateway.limits.slots_commands import MICROS, WORDS_OF_STATUS, SlotsCommands, script_text
from gateway.limits.slots_commands import UNITS as UNIT_NAMES
from gateway.sharing.redis_link import RedisAway
from gateway.sharing.script import Command, Script
from gateway.sharing.shared_server import SharedServer

STATUS_AGE: Final = 0.1
"""Seconds for which a status is as good as new; a page asks for all rows one by one."""


class RedisEngine:
    """Implements gateway.limits.engine.LimitEngine, and follows the server.

    Args:
        server: where the rows are.
        clock: the time.
        kind: whose limits, "" for providers; a part of the keys.
        script: the admission script; a test's own.
    """

    def __init__(self, server: SharedServer, clock: Clock, kind: str = "", script: Script | None = None) -> None:
        self.server = server
        self.clock = clock
        self.script = script or Script(script_text())
        self.is_guarded = False
        self._kind = kind
        self._own = LocalEngine(clock)
        self._own_slots: SlotsOf = self._own.configure({}, None)
        self._lock = threading.Lock()  # guards the local engine's configuration and what it is made of
        self._limits: Mapping[RowKey, RateLimit] = {}
        self._served: Container[str] | None = None
        self._bound: tuple[int, bool, bool] = (1, False, False)
        self._providers: dict[str, ProviderRows] = {}
        self._names = count(1)
        self._known: tuple[float, Mapping[str, dict[str, RowStatus]]] = (-1.0, {})
        server.follow(self)

    def configure(self, limits: Mapping[RowKey, RateLimit], served: Container[str] | None) -> SlotsOf:
        with self._lock:
            self._limits, self._served = limits, served
            self._bound = self._binding()
            own_slots = self._own_slots = self._configure_own()
        by_provider: dict[str, dict[RowKey, RateLimit]] = {name: {} for name in self._providers}
        for key, limit in limits.items():
            by_provider.setdefault(key.provider, {})[key] = limit
        new = {name: ProviderRows(self._base(name), self) for name in by_provider if name not in self._providers}
        providers = self._providers = {**self._providers, **new}
        rows: dict[RowKey, RedisRow] = {}
        for name, theirs in by_provider.items():
            rows.update(providers[name].configure(theirs))
            if served is not None and name not in served:
                providers[name].dismiss()
        numbers = {f"{unit} of {key}": number for key, limit in limits.items() for unit, number in _numbers(limit)}
        self.server.members.describe(self._kind, numbers)

        def slots_of(keys: Sequence[RowKey]) -> RedisSlots:
            name = keys[0].provider
            own = _local(own_slots(keys))
            return RedisSlots(self, providers[name], [rows[key] for key in keys], own, lambda: self._statuses(name))

        return slots_of

    def unfilled(self) -> Sequence[RowKey]:
        """None: a day's window is in the server, and a gateway's ledger knows its own calls alone."""
        return ()

    def refill(self, key: RowKey, uses: Iterable[PastUse]) -> None:
        """There is nothing to refill."""

    def close(self) -> None:
        """The server is closed by whoever has made it."""

    def own_slots(self, key: RowKey) -> LocalSlots:
        """One row in the local engine."""
        return _local(self._own_slots([key]))

    def next_name(self) -> str:
        """A name for a ticket and its grant that no other has."""
        return f"{self.server.gateway}-{next(self._names)}"

    def hold_to_shares(self) -> None:
        """Have the local engine's rows the limits that bind now."""
        with self._lock:
            bound = self._binding()
            self.is_guarded = self.server.is_up and (bound[1] or bound[2])
            if bound != self._bound:
                self._bound = bound
                self._configure_own()

    def away(self) -> None:
        for provider in self._providers.values():
            with provider.lock:
                provider.turn_alone()

    def back(self) -> None:
        self.hold_to_shares()
        for provider in self._providers.values():
            if not provider.rows:
                continue
            try:
                provider.restore()
            except RedisAway:
                return  # it is said where it happened, and the next question restores

    def beat(self) -> None:
        self.hold_to_shares()

    def renewals(self) -> Sequence[Command]:
        return [command for provider in self._providers.values() for command in provider.renewals()]

    def call(self, name: str) -> None:
        """Call the ticket of this name, where it waits here: it may have room now."""
        for provider in self._providers.values():
            with provider.lock:
                found = next((ticket for ticket in provider.waiting if ticket.id == name), None)
            if found is not None:
                found.call()
                return

    def _binding(self) -> tuple[int, bool, bool]:
        """How many share, and whether the shares bind in windows of a minute, and of a day."""
        is_away = not self.server.is_up
        minute, day = is_away or self.server.guards(MINUTE), is_away or self.server.guards(DAY)
        return (self.server.members.count if minute or day else 1), minute, day

    def _configure_own(self) -> SlotsOf:
        """Under the lock."""
        count, minute, day = self._bound
        shares = {
            key: _shared(limit, count if minute else 1, count if day else 1) for key, limit in self._limits.items()
        }
        return self._own.configure(shares, self._served)

    def _base(self, provider: str) -> str:
        return f"gw:{{{self.server.group}:{self._kind}{provider}}}"

    def _statuses(self, name: str) -> dict[str, RowStatus] | None:
        """The rows of a provider as the server has them, by name; None where it is away."""
        now = self.clock.monotonic()
        at, known = self._known
        if not 0 <= now - at < STATUS_AGE:
            try:
                known = self._ask_statuses()
            except RedisAway:
                return None
            self._known = (now, known)
        return known.get(name)

    def _ask_statuses(self) -> Mapping[str, dict[str, RowStatus]]:
        """All rows of all providers, in one round trip."""
        asked = {name: rows for name, each in self._providers.items() if (rows := list(each.rows.values()))}
        answers = self.server.ask(
            *(
                SlotsCommands(
                    self.script, self._providers[name].base, self.server.gateway, [row.terms for row in rows]
                ).status()
                for name, rows in asked.items()
            )
        )
        return {
            name: {row.name: _status(row, answer[place * WORDS_OF_STATUS :]) for place, row in enumerate(rows)}
            for (name, rows), answer in zip(asked.items(), answers, strict=True)
        }


def _local(slots: Slots) -> LocalSlots:
    """What a local engine gives."""
    if not isinstance(slots, LocalSlots):
        raise TypeError("a local engine gives LocalSlots")
    return slots


def _status(row: RedisRow, found: Sequence[int]) -> RowStatus:
    units = tuple(
        UnitStatus(unit, limit, used)
        for unit, limit, used in zip(UNIT_NAMES, row.terms.numbers, found, strict=False)
        if limit
    )
    return RowStatus(row.name, units, found[len(UNIT_NAMES)], found[len(UNIT_NAMES) + 1] / MICROS)


def _numbers(limit: RateLimit) -> Iterable[tuple[str, int]]:
    for unit, setting in zip(UNIT_NAMES, UNITS, strict=True):
        number = getattr(limit, setting)
        if number is not None:
            yield unit, number


def _shared(limit: RateLimit, minute: int, day: int) -> RateLimit:
    """The row with a gateway's share of each number, among so many gateways; in windows of a day among others."""
    shares = {}
    for setting in UNITS:
        number, gateways = getattr(limit, setting), day if setting.endswith("_day") else minute
        shares[setting] = number if number is None else max(1, number // gateways)
    return msgspec.structs.replace(limit, **shares)
