"""What the ledger knows of clients at a start: their calls of the last 24 hours, and what they have spent."""

from typing import TYPE_CHECKING

from gateway.core.local_days import day_of
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.refill import refill, told_by
from gateway.observe.ledger import Ledger

if TYPE_CHECKING:
    import sqlite3


def refill_limits(limiters: RateLimiters, ledger: Ledger, now: float) -> None:
    """Refill the windows of a day of clients that are new. Without such windows nothing is read.

    Args:
        limiters: of clients.
        ledger: knows their calls.
        now: wall seconds.
    """
    refill(limiters, ledger, now, of_clients=True)


def spent_in(ledger: Ledger, client: str, since: float) -> int:
    """What a client's calls have cost since the begin of a day, in millionths of a US dollar, as far as it is known.

    Args:
        ledger: knows it.
        client: the name.
        since: wall seconds.
    """

    def spent(connection: "sqlite3.Connection") -> int:
        rows = connection.execute("SELECT sum(cost) FROM days WHERE client = ? AND day >= ?", (client, day_of(since)))
        return rows.fetchone()[0] or 0

    return told_by(ledger, spent, 0, f"What {client} has spent is not known")
