"""The last days of the ledger, kept for a moment: reading them opens its file."""

import threading
from typing import Final

from gateway.core.answer import MICROS
from gateway.core.clock import Clock
from gateway.core.local_days import day_of, midnight
from gateway.observe.ledger_store import LedgerStore, NoLedger, UnreadableLedger
from gateway.server.status_json import DAYS, Day

FRESH_SECONDS: Final = 2.0
"""For which sums are shown again while calls come; the page asks as often."""
LONGEST_SECONDS: Final = 60.0
"""Likewise while none comes: another process may have written."""


class DaySums:
    """The sums. Safe to use from many threads.

    Args:
        store: the ledger's; None where nothing is kept.
        clock: the time.
    """

    def __init__(self, store: LedgerStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._read_at: float | None = None
        self._read_for = 0
        self._days: tuple[Day, ...] | None = None

    def days(self, last_call: int) -> tuple[Day, ...] | None:
        """The last DAYS days, the oldest first; None where they cannot be read.

        Args:
            last_call: the number of the latest call: as long as it is the same, little changes.
        """
        store, now = self._store, self._clock.monotonic()
        if store is None:
            return None
        with self._lock:
            age = None if self._read_at is None else now - self._read_at
            fresh = LONGEST_SECONDS if last_call == self._read_for else FRESH_SECONDS
            if age is None or age >= fresh:
                self._days, self._read_at, self._read_for = _read(store, self._clock.wall()), now, last_call
            return self._days


def _read(store: LedgerStore, now: float) -> tuple[Day, ...] | None:
    from gateway.observe.usage import Period, Sums, usage  # noqa: PLC0415 - SQLite, which no start needs
    from gateway.observe.usage_forms import known_cost  # noqa: PLC0415

    names = [day_of(midnight(now, -back)) for back in reversed(range(DAYS))]
    try:
        period = Period(midnight(now, 1 - DAYS), None, now)
        found = dict(store.read(lambda connection: usage(connection, period, "day")).rows)
    except NoLedger:
        found = {}
    except UnreadableLedger:
        return None
    days = []
    for name in names:
        sums = found.get(name, Sums())
        cost = known_cost(sums)
        days.append(Day(name, sums.calls, sums.failed, None if cost is None else cost / MICROS, sums.unpriced))
    return tuple(days)
