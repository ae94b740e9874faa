"""What left for providers before the process began, as the ledger has it: for windows that reach back behind a start.

Calls of one minute and one target are one row, as a window of a day has cells of a minute, and count as of the latest
of them. Where the ledger cannot tell whether a request left, it counts.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

NEVER_LEFT: Final = ("resting", "limited", "unpriced", "login_required", "token_renewal_failed", "provider_unreachable")
"""Outcomes of targets that got no request."""
_SENT: Final = f"NOT IN ({', '.join('?' * len(NEVER_LEFT))})"
_TIME: Final = "at + coalesce(queue_ms, 0) / 1000.0"
_ONLY: Final = "substr(attempts, instr(attempts, '=') + 1)"
"""The outcome of a call with one try."""
# fmt: off
_CALLS: Final = (
    f"SELECT max({_TIME}), provider, account, model,"  # noqa: S608 - texts of this module
    f" sum(CASE WHEN id IN (SELECT call FROM tries) THEN 0 ELSE {_ONLY} {_SENT} END),"
    " sum(coalesce(input, 0) + coalesce(output, 0))"
    " FROM calls WHERE at >= ? AND at < ? AND provider <> '' AND attempts <> ''"
    " GROUP BY CAST(at / 60 AS INT), provider, account, model"
)
_TRIES: Final = (
    f"SELECT max({_TIME}), t.provider, t.account, t.model, count(*), 0"  # noqa: S608 - likewise
    " FROM tries t JOIN calls c ON c.id = t.call"
    f" WHERE at >= ? AND at < ? AND t.outcome {_SENT}"
    " GROUP BY CAST(at / 60 AS INT), t.provider, t.account, t.model"
)
_CLIENTS: Final = (
    f"SELECT max({_TIME}), client, '', '', sum(CASE WHEN id IN (SELECT call FROM tries)"  # noqa: S608 - likewise
    f" THEN id IN (SELECT call FROM tries WHERE outcome {_SENT}) ELSE {_ONLY} {_SENT} END),"
    " sum(coalesce(input, 0) + coalesce(output, 0))"
    " FROM calls WHERE at >= ? AND at < ? AND client <> '' AND attempts <> ''"
    " GROUP BY CAST(at / 60 AS INT), client"
)
# fmt: on


class Sent(NamedTuple):
    """What left for a target.

    Attributes:
        at: wall seconds.
        provider, account, model: who was asked.
        requests: how many requests.
        tokens: of input and output, as far as the provider has told them.
    """

    at: float
    provider: str
    account: str
    model: str
    requests: int
    tokens: int


def sent_between(connection: sqlite3.Connection, since: float, until: float) -> Sequence[Sent]:
    """What left in a period, in wall seconds. Raises sqlite3.Error.

    Args:
        connection: of the ledger.
        since: the first second.
        until: the first second after it.
    """
    single = connection.execute(_CALLS, (*NEVER_LEFT, since, until))
    found = [Sent(*row) for row in single]
    several = connection.execute(_TRIES, (since, until, *NEVER_LEFT))
    return [*found, *(Sent(*row) for row in several)]


def called_between(connection: sqlite3.Connection, since: float, until: float) -> Sequence[Sent]:
    """The calls of clients for which something left, each once, by the client in the place of the provider. Raises
    sqlite3.Error.

    Args:
        connection: of the ledger.
        since, until: as above.
    """
    found = connection.execute(_CLIENTS, (*NEVER_LEFT, *NEVER_LEFT, since, until))
    return [Sent(*row) for row in found]
