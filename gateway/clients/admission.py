"""Admits calls of clients: first their budget, then their limits, and never a line. Providers' limits come after it.

A call takes its share of all or of nothing: what is missing gives back what was taken before.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.budgets import Budgets
from gateway.clients.client import Client, has_limits
from gateway.clients.engines import Engines
from gateway.clients.refill import refill_limits, spent_in
from gateway.clients.share import NO_SHARE, BudgetShare, LimitShare, Share, WholeShare
from gateway.config.clients import Client as Settings
from gateway.config.rate_limit import RateLimit
from gateway.core.answer import PER_MICRO, Usage
from gateway.core.clock import Clock
from gateway.core.errors import Limited, PriceUnknown, RequestTooLargeForLimit
from gateway.core.texts import printable
from gateway.limits.rate_limiter import ONE_REQUEST
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.slots import Need, RowStatus
from gateway.limits.token_reserves import RequestSize
from gateway.observe.costs import CostOf
from gateway.observe.ledger import Ledger
from gateway.routing.router import Target

MOST_SAID: Final = 1_000
"""Targets without a price that the log names; callers may name any model of a provider."""

logger = logging.getLogger(__name__)


class ClientStatus(Struct, frozen=True):
    """A client now; None where it has no limit, or no budget."""

    name: str
    limits: RowStatus | None
    budget: BudgetView | None


class ClientUse:
    """What clients have used: the windows of their limits, and their budgets. It outlives a configuration.

    Args:
        clock: the time.
        engines: keep it.
    """

    def __init__(self, clock: Clock, engines: Engines) -> None:
        self.limiters = RateLimiters((), engines.clients)
        self.budgets = Budgets(engines.budgets)
        self._clock = clock
        self._settings: Mapping[str, Settings] = {}

    def configure(self, clients: Sequence[Settings], ledger: Ledger) -> None:
        """Take new settings over. A client that goes on keeps its windows and what it has spent.

        Args:
            clients: as configured.
            ledger: knows what was used before the process began.
        """
        self._settings = {client.name: client for client in clients}
        self.limiters.configure([_limit(client) for client in clients if has_limits(client)])
        refill_limits(self.limiters, ledger, self._clock.wall())
        self.budgets.configure(clients, lambda name, since: spent_in(ledger, name, since))

    def status(self, name: str | None = None) -> Sequence[ClientStatus]:
        """The clients now, in the order of the configuration.

        Args:
            name: of the only one; None for all.
        """
        limits = {key.provider: row for key, row in self.limiters.status().items()}
        budgets = self.budgets.views()
        return [
            ClientStatus(each, limits.get(each), budgets.get(each) if settings.budget else None)
            for each, settings in self._settings.items()
            if name is None or each == name
        ]


class Admitted(Struct, frozen=True):
    """A call that may be made.

    Attributes:
        share: what it holds; its holder closes it.
        targets: that may be asked.
        passed_over: those that may not, because nobody knows their price.
    """

    share: Share
    targets: tuple[Target, ...]
    passed_over: tuple[Target, ...] = ()


class _Estimate(Struct, frozen=True):
    """What a call will cost about, in millionths of a US dollar: at the most expensive of the targets."""

    micros: int
    is_free: bool
    targets: tuple[Target, ...]
    passed_over: tuple[Target, ...]


class ClientAdmission:
    """Admits the calls of one configuration.

    Args:
        use: what clients have used.
        cost_of: what a try costs.
    """

    def __init__(self, use: ClientUse, cost_of: CostOf) -> None:
        self._use = use
        self._cost_of = cost_of
        self._said: set[tuple[str, Target]] = set()

    def admit(
        self, client: Client, targets: tuple[Target, ...], size: Callable[[], RequestSize], at: float
    ) -> Admitted:
        """Take what a call needs of its client's budget and limits.

        Args:
            client: who asks.
            targets: of the route.
            size: the tokens of the call; called where they count.
            at: wall seconds at which it came.

        Raises:
            PriceUnknown: the budget passes targets without a price over, and there is no other.
            BudgetExhausted: not enough is left of the budget.
            Limited: a limit has no room now.
            RequestTooLargeForLimit: the call alone needs more than a limit.
        """
        settings = client.settings
        if settings is None:
            return Admitted(NO_SHARE, targets)
        if settings.budget is None:
            return Admitted(self._limited(settings, targets, size), targets)
        estimate = self._estimate(settings, targets, size(), at)
        reservation = self._use.budgets.reserve(client.name, at, estimate.micros, is_free=estimate.is_free)
        try:
            limits = self._limited(settings, estimate.targets, size)
        except BaseException:
            self._use.budgets.settle(client.name, reservation, 0)
            raise
        share = WholeShare(limits, self._budget_share(client.name, reservation))
        return Admitted(share, estimate.targets, estimate.passed_over)

    def _budget_share(self, name: str, reservation: Reservation) -> Share:
        return BudgetShare(name, reservation, self._use.budgets, self._cost_of)

    def _limited(self, settings: Settings, targets: Sequence[Target], size: Callable[[], RequestSize]) -> Share:
        limiters = self._use.limiters
        limiter = limiters.of(settings.name)
        if limiter is None:
            return NO_SHARE
        need, found = ONE_REQUEST, None
        if limiter.counts_tokens:
            found = size()
            need = Need(tokens=limiters.reserves.of(str(targets[0]), found))
        try:
            permit = limiter.admit(need)
        except (Limited, RequestTooLargeForLimit) as refused:
            whose = f"This is the gateway's limit for the key {settings.name!r}: "
            raise refused.with_message(whose + refused.message) from None
        return LimitShare(permit, need.tokens, limiters.reserves, found)

    def _estimate(self, settings: Settings, targets: tuple[Target, ...], size: RequestSize, at: float) -> _Estimate:
        allowed, passed_over, most, is_free = [], [], 0, True
        refuses = settings.budget is not None and settings.budget.unpriced == "refuse"
        for target in targets:
            prompt, completion = self._use.limiters.reserves.parts(str(target), size)
            cost = self._cost_of(target.provider, target.model, Usage(prompt, completion), at)
            if cost.amount is None and refuses:
                passed_over.append(target)
                continue
            if cost.amount is None:
                self._say_unpriced(settings.name, target)
            allowed.append(target)
            most = max(most, -(-(cost.amount or 0) // PER_MICRO))
            is_free = is_free and cost.source == "local"
        if not allowed:
            raise PriceUnknown(
                f"The key {settings.name!r} has a budget, and the gateway knows no price of this model: "
                "a row of `prices` sets one, and `unpriced: allow` counts it as 0.",
                param="model",
            )
        return _Estimate(most, is_free, tuple(allowed), tuple(passed_over))

    def _say_unpriced(self, client: str, target: Target) -> None:
        """Say, once, that a target counts as 0."""
        if (client, target) not in self._said and len(self._said) < MOST_SAID:
            self._said.add((client, target))
            logger.warning("%s has no price and counts as 0 in the budget of %s.", printable(str(target)), client)


def _limit(client: Settings) -> RateLimit:
    """The row of a client. It has no line: who is over it is told so at once."""
    return RateLimit(
        provider=client.name,
        requests_per_minute=client.requests_per_minute,
        requests_per_day=client.requests_per_day,
        tokens_per_minute=client.tokens_per_minute,
        max_concurrent=client.max_concurrent,
        max_queue_size=0,
        max_wait_seconds=0,
    )
