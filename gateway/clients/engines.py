"""Which engines keep what providers and clients have used: those of this process, or those that processes share."""

from typing import NamedTuple

from gateway.clients.budget_engine import BudgetEngine
from gateway.clients.local_budgets import LocalBudgets
from gateway.core.clock import Clock
from gateway.limits.engine import LimitEngine
from gateway.limits.local_engine import LocalEngine


class Engines(NamedTuple):
    """The engines of a runtime.

    Attributes:
        providers: keeps the limits of providers.
        clients: keeps those of clients.
        budgets: keeps the budgets of clients.
    """

    providers: LimitEngine
    clients: LimitEngine
    budgets: BudgetEngine

    def close(self) -> None:
        """Close all of them. Idempotent."""
        for each in self:
            each.close()


def local_engines(clock: Clock) -> Engines:
    """The engines of the only process, in its own memory."""
    return Engines(LocalEngine(clock), LocalEngine(clock), LocalBudgets(clock))
