"""The budgets of all clients, by name. They outlive a configuration: a reload changes limits, and never what was spent.

Who touches what: every budget belongs to whoever holds the lock. The ledger is read outside it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from gateway.clients.budget import Budget, BudgetView, Reservation
from gateway.clients.periods import period
from gateway.config.clients import Client as Settings
from gateway.core.answer import MICROS
from gateway.core.clock import Clock
from gateway.core.errors import BudgetExhausted

SpentSince = Callable[[str, float], int]
"""What the ledger knows: what a client's calls have cost since a time, in millionths of a US dollar."""


class Budgets:
    """The budgets. Safe to use from many threads.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets: dict[str, Budget] = {}

    def configure(self, clients: Iterable[Settings], spent_since: SpentSince) -> None:
        """Take new settings over. Those of clients that are gone stay, for their calls and for a client of that name.

        Args:
            clients: as configured.
            spent_since: is asked about a budget that is new, or has another period.
        """
        for client in clients:
            settings = client.budget
            if settings is None:
                continue
            limit, now = round(settings.usd * MICROS), self._clock.wall()
            with self._lock:
                known = self._budgets.get(client.name)
                if known is not None:
                    known.configure(limit)
                if known is not None and known.per == settings.per:
                    continue
            spent = spent_since(client.name, period(settings.per, now).begins)
            with self._lock:
                if known is None:
                    self._budgets[client.name] = Budget(settings.per, limit, spent, now)
                else:
                    known.change(settings.per, spent, now)

    def reserve(self, client: str, at: float, micros: int, *, is_free: bool) -> Reservation:
        """Reserve what a call will cost about.

        Args:
            client: whose call.
            at: wall seconds at which it came.
            micros: the estimate, in millionths of a US dollar.
            is_free: it costs nothing for certain.

        Raises:
            BudgetExhausted: not that much is left.
        """
        with self._lock:
            budget = self._budgets[client]
            reservation = budget.reserve(at, micros, is_free=is_free)
            if reservation is not None:
                return reservation
            view = budget.view(at)
        raise BudgetExhausted(_exhausted(client, view, micros))

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        """A call has cost so much; 0: it was refused after all. Only the first report counts."""
        if reservation.is_open:
            with self._lock:
                self._budgets[client].settle(reservation, micros)

    def views(self) -> Mapping[str, BudgetView]:
        """All of them now."""
        with self._lock:
            now = self._clock.wall()
            return {name: budget.view(now) for name, budget in self._budgets.items()}


def dollars(micros: int) -> str:
    """`$0.0125`: with as many digits as it needs, two at least."""
    text = f"{micros / MICROS:,.6f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"


def _exhausted(client: str, view: BudgetView, micros: int) -> str:
    per = "in all" if view.per == "total" else f"a {view.per}"
    taken = f"{dollars(view.spent)} of {dollars(view.limit)} {per} are spent"
    reserved = f", {dollars(view.reserved)} reserved by calls under way" if view.reserved else ""
    anew = "It does not begin anew."
    if view.per != "total":
        anew = f"It begins anew at {time.strftime('%Y-%m-%d %H:%M', time.localtime(view.ends))} (local time)."
    needs = f"this call needs about {dollars(micros)}"
    return f"This gateway's budget for the key {client!r} is not enough: {taken}{reserved}; {needs}. {anew}"
