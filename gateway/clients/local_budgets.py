"""The budgets of one process, in its own memory.

Who touches what: every budget belongs to whoever holds the lock. The ledger is read outside it.
"""

import threading
from collections.abc import Callable, Mapping

from gateway.clients.budget import Budget, BudgetView, Reservation
from gateway.clients.periods import Per, period
from gateway.core.clock import Clock


class LocalBudgets:
    """Implements gateway.clients.budget_engine.BudgetEngine. Budgets of clients that are gone stay, for their calls
    and for a client of that name.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets: dict[str, Budget] = {}

    def configure(self, client: str, per: Per, limit: int, spent_since: Callable[[float], int]) -> None:
        now = self._clock.wall()
        with self._lock:
            known = self._budgets.get(client)
            if known is not None:
                known.configure(limit)
                if known.per == per:
                    return
        spent = spent_since(period(per, now).begins)
        with self._lock:
            if known is None:
                self._budgets[client] = Budget(per, limit, spent, now)
            else:
                known.change(per, spent, now)

    def reserve(self, client: str, at: float, micros: int, *, is_free: bool) -> Reservation | BudgetView:
        with self._lock:
            budget = self._budgets[client]
            return budget.reserve(at, micros, is_free=is_free) or budget.view(at)

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        if reservation.is_open:
            with self._lock:
                self._budgets[client].settle(reservation, micros)

    def views(self) -> Mapping[str, BudgetView]:
        with self._lock:
            now = self._clock.wall()
            return {name: budget.view(now) for name, budget in self._budgets.items()}

    def close(self) -> None:
        """It has nothing open."""
