"""In which order a call asks its targets, where a strategy decides that: an alias's weights, a provider's accounts.

The order is made once a call, from who is ready at that moment: who is logged in, does not rest, and has room in its
limits. What rests stays in the order, because dispatch knows when to ask it all the same. A share is counted when the
order is made, so that calls at once do not all choose the same; where another was asked in the end, the count moves to
that one, and where nobody was, it is given back. A route without strategies never comes here.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from gateway.auth.auth_manager import AuthManager
from gateway.limits.rate_limiters import RateLimiters
from gateway.routing.accounts import Account, AccountPool
from gateway.routing.health import Health
from gateway.routing.rotation import Rotation
from gateway.routing.router import Route, Target

Session = Callable[[], str]
"""Gives what tells the sessions of a `sticky` provider apart."""


def no_session() -> str:
    return ""


class _Choice:
    """What one rotation has chosen for a call.

    Args:
        rotation: that has chosen.
        weights: of those who took part.
        members: their names there, by target.
        once: only the first request that leaves is counted, as failover is no turn of an alias; else each member's is.
    """

    def __init__(
        self,
        rotation: Rotation[Hashable],
        weights: Mapping[Hashable, int],
        members: Mapping[Target, Hashable],
        *,
        once: bool,
    ) -> None:
        self._rotation = rotation
        self._weights = dict(weights)
        self._members = members
        self._once = once
        self._reserved: Hashable | None = None
        self._has_sent = False

    def reserve(self, member: Hashable) -> None:
        """Count a member that is to be asked first."""
        self._reserved = member
        self._rotation.count(member, self._weights)

    def sent(self, target: Target) -> None:
        """A request has left."""
        member = self._members.get(target)
        if member is None or (self._once and self._has_sent):
            return
        if member != self._reserved:
            self.close()
            if member in self._weights:
                self._rotation.count(member, self._weights)
        self._reserved, self._has_sent = None, True
        self._weights.pop(member, None)  # a second request to it is no other turn

    def close(self) -> None:
        """Give back what was counted and not asked. Idempotent."""
        if self._reserved is not None:
            self._rotation.give_back(self._reserved, self._weights)
            self._reserved = None


class Turn:
    """The order of one call. Its holder closes it when the call has its answer or none.

    Attributes:
        targets: whom to ask, in order.
    """

    def __init__(self, targets: tuple[Target, ...], choices: Sequence[_Choice], lock: threading.Lock) -> None:
        self.targets = targets
        self._choices = choices
        self._lock = lock

    def sent(self, target: Target) -> None:
        """A request to a target has left. Any thread."""
        if self._choices:
            with self._lock:
                for choice in self._choices:
                    choice.sent(target)

    def close(self) -> None:
        """Count nothing that was not asked. Idempotent."""
        if self._choices:
            with self._lock:
                for choice in self._choices:
                    choice.close()


class _Ready(Struct, frozen=True):
    """Who may be asked now.

    Attributes:
        accounts: each target's, in file order; the target itself where its provider has no accounts.
        ready: logged in, not resting, and with room.
        logged_out: without a credential that a call could use.
        full: without room in their limits.
    """

    accounts: Mapping[Target, Sequence[Target]]
    ready: frozenset[Target]
    logged_out: frozenset[Target]
    full: frozenset[Target]

    def any_of(self, target: Target) -> bool:
        return any(each in self.ready for each in self.accounts[target])


ALONE: Final[Mapping[str, AccountPool]] = {}


class Turns:
    """Makes the orders. Safe to use from many threads.

    Attributes:
        sticky: whether any provider tells sessions apart.

    Args:
        health: who rests.
        limiters: who has room.
        auth: who is logged in.
        pools: the accounts of the providers that have some.
    """

    def __init__(
        self, health: Health, limiters: RateLimiters, auth: AuthManager, pools: Mapping[str, AccountPool] = ALONE
    ) -> None:
        self._health = health
        self._limiters = limiters
        self._auth = auth
        self._pools = pools
        self.sticky = any(pool.strategy == "sticky" for pool in pools.values())
        self._lock = threading.Lock()  # guards the rotations
        self._rotations: dict[Hashable, Rotation[Hashable]] = {}

    def decide(self, route: Route) -> bool:
        """Whether a strategy decides the order of a route's targets."""
        if route.shares:
            return True
        return bool(self._pools) and any(target.provider in self._pools for target in route.targets)

    def take(self, route: Route, session: Session) -> Turn:
        """The order for a call, which counts."""
        return self._turn(route, session, taking=True)

    def look(self, route: Route, session: Session = no_session) -> tuple[Target, ...]:
        """The order that a call would have now. Nothing is counted."""
        return self._turn(route, session, taking=False).targets

    def reason(self, route: Route, target: Target) -> str:
        """Why a target of a route stands where it stands, for people; "" where no strategy decides that."""
        parts = []
        if route.shares:
            share = route.shares[target.shared]
            total = sum(each.weight for each in route.shares.values() if each.priority == share.priority)
            parts.append(f"weight {share.weight} of {total}" if share.weight else "weight 0: a fallback")
        pool = self._pools.get(target.provider)
        if pool is not None:
            account = next(each for each in pool.accounts if each.name == target.account)
            weight = "" if pool.strategy == "priority" else f", weight {account.weight}"
            parts.append(f"account of priority {account.priority}{weight}, chosen by {pool.strategy}")
        return "; ".join(parts)

    def expanded(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """The targets with each of their accounts, in file order."""
        if not self._pools:
            return tuple(targets)
        return tuple(each for target in targets for each in self._accounts(target))

    def _turn(self, route: Route, session: Session, *, taking: bool) -> Turn:
        now = self._now(route.targets)
        choices: list[_Choice] = []
        with self._lock:
            targets = self._by_weight(route, now, choices, taking=taking) if route.shares else route.targets
            first = next((target for target in targets if now.any_of(target)), None)
            order: list[Target] = []
            for target in targets:
                accounts = self._by_account(target, now, session, choices, taking=taking and target is first)
                order += sorted(accounts, key=lambda each: (each in now.logged_out, _waits(route, now, each)))
        return Turn(tuple(order), choices if taking else (), self._lock)

    def _now(self, targets: Sequence[Target]) -> _Ready:
        accounts = {target: self._accounts(target) for target in targets}
        every = [each for found in accounts.values() for each in found]
        logged_out = frozenset(each for each in every if each.account and not self._auth.can_call(each.login))
        full = frozenset(each for each in every if self._wait(each) > 0)
        ready = frozenset(self._health.order(every)[0]) - logged_out - full
        return _Ready(accounts, ready, logged_out, full)

    def _accounts(self, target: Target) -> Sequence[Target]:
        pool = self._pools.get(target.provider)
        if pool is None or target.account:
            return (target,)
        return [Target(target.provider, target.model, name) for name in pool.names]

    def _wait(self, target: Target) -> float:
        limiter = self._limiters.of(target.provider, target.model, target.account)
        return limiter.expected_wait() if limiter else 0.0

    def _by_weight(self, route: Route, now: _Ready, choices: list[_Choice], *, taking: bool) -> list[Target]:
        """The targets of an alias: of each priority the ready ones by their turns, then fallbacks, then the others."""
        order: list[Target] = []
        unique = dict.fromkeys(target for target in route.targets)
        for priority, found in groupby(unique, key=lambda target: route.shares[target].priority):
            tier = list(found)
            weights = {each: route.shares[each].weight for each in tier if now.any_of(each)}
            members: dict[Target, Hashable] = {each: route.shares[each].place for each in tier}
            rotation = self._rotation((route.alias, priority))
            asked_by = {own: members[each] for each in tier for own in now.accounts[each]}
            chosen = _shared_out(rotation, weights, members, asked_by, choices, once=True, taking=taking)
            order += [*chosen, *sorted((each for each in tier if each not in weights), key=_is_fallback(route))]
        return order

    def _by_account(
        self, target: Target, now: _Ready, session: Session, choices: list[_Choice], *, taking: bool
    ) -> list[Target]:
        """A target's accounts in the order of the provider's strategy."""
        pool = self._pools.get(target.provider)
        if pool is None or target.account:
            return [target]
        own = {each.account: each for each in now.accounts[target]}
        if pool.strategy == "priority":
            return [own[name] for name in pool.names]
        if pool.strategy == "sticky":
            return [own[account.name] for account in pool.of_session(session)]
        order: list[Target] = []
        for tier in pool.tiers:
            first = now.ready.isdisjoint(order)
            order += self._in_turn(target.provider, tier, own, now, choices, taking=taking and first)
        return order

    def _in_turn(  # noqa: PLR0913 - one tier of a turn
        self,
        provider: str,
        tier: Sequence[Account],
        own: Mapping[str, Target],
        now: _Ready,
        choices: list[_Choice],
        *,
        taking: bool,
    ) -> list[Target]:
        weights = {own[each.name]: each.weight for each in tier if own[each.name] in now.ready}
        members: dict[Target, Hashable] = {own[each.name]: each.name for each in tier}
        rotation = self._rotation((provider, "@", tier[0].priority))
        chosen = _shared_out(rotation, weights, members, members, choices, once=False, taking=taking)
        return [*chosen, *(own[each.name] for each in tier if own[each.name] not in weights)]

    def _rotation(self, key: Hashable) -> Rotation[Hashable]:
        return self._rotations.setdefault(key, Rotation())


def _shared_out(  # noqa: PLR0913 - one choice, written once for targets and accounts
    rotation: Rotation[Hashable],
    weights: Mapping[Target, int],
    members: Mapping[Target, Hashable],
    asked_by: Mapping[Target, Hashable],
    choices: list[_Choice],
    *,
    once: bool,
    taking: bool,
) -> list[Target]:
    """The ready ones in turn, and behind them those of weight 0. Notes the choice, and counts it if it is `taking`."""
    parts = {members[each]: weight for each, weight in weights.items() if weight}
    order = rotation.order(parts)
    choice = _Choice(rotation, parts, asked_by, once=once)
    if order and taking:
        choice.reserve(order[0])
    choices.append(choice)
    by_member = {members[each]: each for each in weights}
    return [*(by_member[member] for member in order), *(each for each, weight in weights.items() if not weight)]


def _is_fallback(route: Route) -> Callable[[Target], bool]:
    return lambda target: not route.shares[target].weight


def _waits(route: Route, now: _Ready, target: Target) -> bool:
    """Whether the call would stand in line there, where another account has room."""
    return route.when_limited == "wait" and target in now.full
