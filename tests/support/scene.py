"""The real dispatch over providers that a test brings: attempts, failover, health, limits, credentials."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.auth.auth_manager import AuthManager
from gateway.auth.renewal import Refresher
from gateway.auth.sources import CredentialSource, NoCredential
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.config import schema
from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.dispatch.attempt import Attempt, AttemptPolicy
from gateway.dispatch.failover import Failover
from gateway.dispatch.turns import Turns
from gateway.limits.rate_limiters import RateLimiters
from gateway.observe.logs import CallLog
from gateway.observe.observers import Observers
from gateway.providers.base import Provider
from gateway.routing.accounts import AccountPool
from gateway.routing.health import Health, HealthTicket
from gateway.routing.lessons import Lessons
from gateway.routing.retry_budget import RetryBudgets
from gateway.routing.router import Target
from tests.support.limits import engine_of


class WatchedHealth(Health):
    """Remembers every ticket."""

    def __init__(self, clock: Clock, random: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__(clock, random)
        self.tickets: list[HealthTicket] = []

    def enter(self, target: Target, *, forced: bool = False) -> HealthTicket | None:
        ticket = super().enter(target, forced=forced)
        if ticket is not None:
            self.tickets.append(ticket)
        return ticket

    def open(self) -> list[HealthTicket]:
        """The tickets without a verdict."""
        return [ticket for ticket in self.tickets if not repr(ticket).endswith("over)")]


class Dispatch:
    """The parts that a call is dispatched by.

    Args:
        folder: for the token store.
        providers: by name.
        clock: the time of all parts.
        limits: at most one a provider.
        sources: the credentials of the providers that need one.
        timeouts: of the providers that do not have the default.
        logins: renews tokens.
        observers: get failed attempts.
        pools: the accounts of the providers that have some; `sources` has their credentials, as `NAME@account`.
    """

    def __init__(
        self,
        folder: Path,
        providers: Mapping[str, Provider],
        clock: Clock,
        *,
        limits: Sequence[RateLimit] = (),
        sources: Mapping[str, CredentialSource] | None = None,
        timeouts: Mapping[str, schema.Timeouts] | None = None,
        logins: Refresher | None = None,
        observers: Observers | None = None,
        pools: Mapping[str, AccountPool] | None = None,
    ) -> None:
        self.health = WatchedHealth(clock)
        self.budgets = RetryBudgets()
        self.limiters = RateLimiters((), engine_of(clock))
        self.limiters.configure(limits, accounts={name: pool.names for name, pool in (pools or {}).items()})
        self.lessons = Lessons(clock)
        self.store = TokenStore(folder / "tokens.json", clock)
        self.timeouts = {name: schema.Timeouts() for name in providers} | dict(timeouts or {})
        self.auth = AuthManager(
            {name: NoCredential() for name in providers} | dict(sources or {}),
            self.store,
            WatchedFiles([], clock),
            clock,
            clients=None if logins is None else lambda _: logins,
        )
        policy = AttemptPolicy(self.limiters, self.health, self.budgets, self.timeouts, self.lessons)
        attempt = Attempt(providers, policy, self.auth, observers or Observers([CallLog()]), lambda: 0.5)
        self.turns = Turns(self.health, self.limiters, self.auth, pools or {})
        self.failover = Failover(attempt, self.health, clock, self.turns)
