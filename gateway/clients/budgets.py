"""The budgets of all clients, by name. They outlive a configuration: a reload changes limits, and never what was spent.

What keeps them is an engine; here are the settings, and what a refusal says.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.budget_engine import BudgetEngine
from gateway.config.clients import Client as Settings
from gateway.core.answer import MICROS
from gateway.core.errors import BudgetExhausted

SpentSince = Callable[[str, float], int]
"""What the ledger knows: what a client's calls have cost since a time, in millionths of a US dollar."""


class Budgets:
    """The budgets. Safe to use from many threads.

    Args:
        engine: keeps them.
    """

    def __init__(self, engine: BudgetEngine) -> None:
        self._engine = engine

    def configure(self, clients: Iterable[Settings], spent_since: SpentSince) -> None:
        """Take new settings over. Those of clients that are gone stay, for their calls and for a client of that name.

        Args:
            clients: as configured.
            spent_since: is asked about a budget that is new, or has another period.
        """
        for client in clients:
            if (settings := client.budget) is not None:
                limit = round(settings.usd * MICROS)
                self._engine.configure(client.name, settings.per, limit, partial(spent_since, client.name))

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
        found = self._engine.reserve(client, at, micros, is_free=is_free)
        if isinstance(found, BudgetView):
            raise BudgetExhausted(_exhausted(client, found, micros))
        return found

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        """A call has cost so much; 0: it was refused after all. Only the first report counts."""
        self._engine.settle(client, reservation, micros)

    def views(self) -> Mapping[str, BudgetView]:
        """All of them now."""
        return self._engine.views()


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
