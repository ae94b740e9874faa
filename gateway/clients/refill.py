"""What the ledger knows of clients at a start: their calls of the last 24 hours, and what they have spent."""

import logging
from typing import TYPE_CHECKING

from gateway.core.local_days import day_of
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.refill import FLUSH_SECONDS, refill
from gateway.observe.ledger import Ledger
from gateway.observe.ledger_store import NoLedger, UnreadableLedger

if TYPE_CHECKING:
    import sqlite3

logger = logging.getLogger(__name__)


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
    if ledger.store is None:
        return 0

    def spent(connection: "sqlite3.Connection") -> int:
        rows = connection.execute("SELECT sum(cost) FROM days WHERE client = ? AND day >= ?", (client, day_of(since)))
        return rows.fetchone()[0] or 0

    ledger.flush(FLUSH_SECONDS)
    try:
        return ledger.store.read(spent)
    except NoLedger:
        return 0
    except UnreadableLedger as failure:
        logger.warning("What %s has spent is not known: the ledger %s %s.", client, ledger.store.path, failure)
        return 0
