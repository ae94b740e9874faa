"""The contract of what keeps the budgets of clients: in this process, in a mapping of processes, or in a server.

An engine does what gateway.clients.budget does, for all clients by their names. What a refusal says is the same over
every engine (gateway.clients.budgets).
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.periods import Per


class BudgetEngine(Protocol):
    """Safe to use from many threads; `configure` by one at a time."""

    def configure(self, client: str, per: Per, limit: int, spent_since: Callable[[float], int]) -> None:
        """Have a budget with these settings. What was spent stays.

        Args:
            client: the name.
            per: what its period is.
            limit: millionths of a US dollar in a period.
            spent_since: what was spent since a time, in wall seconds; asked, under no lock, about a budget that is new
                or has another period.
        """

    def reserve(self, client: str, at: float, micros: int, *, is_free: bool) -> Reservation | BudgetView:
        """Reserve what a call will cost about.

        Args:
            client: whose call, of a budget that was configured.
            at: wall seconds at which it came.
            micros: the estimate, in millionths of a US dollar.
            is_free: it costs nothing for certain.

        Returns:
            The budget as it is, where not that much is left.
        """

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        """A call has cost so much; 0: it was refused after all. Only the first report counts."""

    def views(self) -> Mapping[str, BudgetView]:
        """All of them now."""

    def close(self) -> None:
        """Let go of what it has open. Idempotent; nothing is asked after it."""
