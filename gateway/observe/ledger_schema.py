"""The tables of the ledger, and how an older file is brought to them.

`calls` has a row a call, `tries` a row a try of the calls that took more than one, and `days` the sums of each local
day, which stay when the calls have gone. Costs are millionths of a US dollar; a cost that is NULL is not known, and
`cost_source` is then UNPRICED, unless nothing was used that could cost.
"""

from collections.abc import Sequence
from typing import Final

UNPRICED: Final = "unknown"
"""The `cost_source` of a call that has used tokens, or may have, whose price is not known."""

FIRST: Final = """
CREATE TABLE calls(id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, request_id TEXT, client TEXT NOT NULL,
    alias TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL,
    status INT, error TEXT, streamed INT, queue_ms INT, first_ms INT, total_ms INT, input INT, cached INT,
    cache_write INT, output INT, reasoning INT, cost INT, cost_source TEXT, attempts TEXT);
CREATE INDEX calls_at ON calls(at);
CREATE TABLE tries(call INT NOT NULL, n INT NOT NULL, provider TEXT, account TEXT, model TEXT, outcome TEXT, ms INT,
    their_id TEXT, PRIMARY KEY(call, n)) WITHOUT ROWID;
CREATE TABLE days(day TEXT, client TEXT, alias TEXT, provider TEXT, account TEXT, model TEXT, endpoint TEXT,
    calls INT NOT NULL, failed INT NOT NULL, input INT NOT NULL, cached INT NOT NULL, cache_write INT NOT NULL,
    output INT NOT NULL, reasoning INT NOT NULL, cost INT, unpriced INT NOT NULL,
    PRIMARY KEY(day, client, alias, provider, account, model, endpoint)) WITHOUT ROWID;
"""

MIGRATIONS: Final[Sequence[str]] = (FIRST,)
"""The statements that bring a file of schema N to N + 1, by N. An empty file has schema 0 (`PRAGMA user_version`)."""

AT_ONCE: Final = 40
"""Calls that one statement inserts; their 920 values are fewer than the 999 that SQLite before 3.32 takes. With every
statement Python lets go of its lock, and waits for it behind the threads of calls: beside four busy ones a call takes
7.8 us of the ledger's thread in place of 8.8, and is written after 30 us in place of 50."""
_CALL: Final = f"({', '.join('?' * 23)})"
INSERT_CALL: Final = f"INSERT INTO calls VALUES{_CALL}"
INSERT_CALLS: Final = f"INSERT INTO calls VALUES{', '.join([_CALL] * AT_ONCE)}"
INSERT_TRY: Final = f"INSERT INTO tries VALUES({', '.join('?' * 8)})"
ADD_TO_DAY: Final = f"""
INSERT INTO days VALUES({", ".join("?" * 16)})
ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, failed = failed + excluded.failed,
    input = input + excluded.input, cached = cached + excluded.cached, cache_write = cache_write + excluded.cache_write,
    output = output + excluded.output, reasoning = reasoning + excluded.reasoning,
    cost = CASE WHEN cost IS NULL THEN excluded.cost ELSE cost + coalesce(excluded.cost, 0) END,
    unpriced = unpriced + excluded.unpriced
"""


def statements(script: str) -> list[str]:
    """The single statements of a script: one transaction can then hold them all, which `executescript` would end."""
    return [each.strip() for each in script.split(";") if each.strip()]
