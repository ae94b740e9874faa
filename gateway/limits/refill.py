"""Windows of a day know after a start, or when a reload brings them, what the ledger knows of the last 24 hours."""

import logging
from typing import TYPE_CHECKING, Final, TypeVar

from gateway.limits.engine import PastUse
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.slots import DAY
from gateway.observe.ledger import Ledger
from gateway.observe.ledger_store import NoLedger, UnreadableLedger

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from gateway.observe.past_calls import Sent

FLUSH_SECONDS: Final = 1.0
"""What calls that have just ended get to be written first."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


def refill(limiters: RateLimiters, ledger: Ledger, now: float, *, of_clients: bool = False) -> None:
    """Refill the windows of a day that are new. Without such windows nothing is read.

    Args:
        limiters: with the windows.
        ledger: knows what was sent.
        now: wall seconds.
        of_clients: the windows count the calls of clients and not the requests to providers.
    """
    keys = limiters.unfilled()
    if not keys or ledger.store is None:
        return

    def sent(connection: "sqlite3.Connection") -> "Sequence[Sent]":
        from gateway.observe.past_calls import called_between, sent_between  # noqa: PLC0415 - SQLite, where it is needed

        return (called_between if of_clients else sent_between)(connection, now - DAY, now)

    nothing: Sequence[Sent] = ()
    found = told_by(ledger, sent, nothing, "The limits of a day begin anew")
    for key in keys:
        fitting = (each for each in found if key.fits(each.provider, each.model, each.account))
        limiters.refill(key, (PastUse(each.at, each.requests, each.tokens) for each in fitting))


def told_by(ledger: Ledger, query: "Callable[[sqlite3.Connection], T]", otherwise: T, lost: str) -> T:
    """What the ledger knows of calls that have ended.

    Args:
        ledger: that is asked.
        query: finds it in the file.
        otherwise: what is known where there is no ledger, or none that can be read.
        lost: what that means, for the log.
    """
    if ledger.store is None:
        return otherwise
    ledger.flush(FLUSH_SECONDS)
    try:
        return ledger.store.read(query)
    except NoLedger:
        return otherwise
    except UnreadableLedger as failure:
        logger.warning("%s: the ledger %s %s.", lost, ledger.store.path, failure)
        return otherwise
