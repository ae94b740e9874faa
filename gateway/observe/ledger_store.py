"""Where the ledger is kept: a file or memory, opened when it is first needed, and tried again where it fails.

It decides when a file is opened, pruned and given up for a while, and says once what is wrong. What stands in the file
is the business of gateway.observe.ledger_file, which is imported with SQLite when the first call is over.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from gateway.core.clock import Clock
from gateway.core.records import CallRecord

if TYPE_CHECKING:
    import sqlite3

    from gateway.observe.ledger_file import LedgerFile

RETRY_SECONDS: Final = 30.0
"""Between two tries to write a store that fails."""
PRUNE_SECONDS: Final = 60.0
"""Between two looks for what is to be forgotten."""
MEMORY_CALLS: Final = 1_000
"""Calls that are kept in memory."""
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Keep(Struct, frozen=True):
    """How long and how much is kept.

    Attributes:
        days: single calls.
        summary_days: the sums of a day.
        max_bytes: of the file.
        calls: how many; None for as many as the others allow.
    """

    days: int = 30
    summary_days: int = 800
    max_bytes: int = 100 << 20
    calls: int | None = None


class LedgerFailure(Exception):
    """It cannot be written. The message says why and what to do."""


class NoLedger(Exception):
    """There is no ledger to read yet."""


class UnreadableLedger(Exception):
    """The file is no ledger that this version can read. The message goes on from its name."""


class LedgerStore:
    """The store. One thread writes; any may read.

    Attributes:
        path: the file; None for memory.
        fault: why it cannot be written now and what to do; None where it can.
        prunes: whether it forgets what is too old or too much; of several processes that write a file one does.

    Args:
        path: as above.
        clock: of the disk.
        now: the time of calls, in wall seconds.
    """

    def __init__(self, path: Path | None, clock: Clock, now: Callable[[], float]) -> None:
        self.path = path
        self.fault: str | None = None
        self.prunes = True
        self._clock = clock
        self._now = now
        self.configure(Keep())
        self._file: LedgerFile | None = None
        self._lock = threading.Lock()  # of the connection, where it is in memory and read by others
        self._retry_at = 0.0
        self._prune_at = 0.0

    def configure(self, keep: Keep) -> None:
        """Keep so much from now on; in memory at most MEMORY_CALLS."""
        self._keep = keep if self.path else Keep(keep.days, keep.summary_days, keep.max_bytes, MEMORY_CALLS)

    @property
    def retry_in(self) -> float:
        """Seconds until it may be written; 0 where it does not fail."""
        return max(0.0, self._retry_at - self._clock.monotonic()) if self.fault else 0.0

    def write(self, records: Sequence[CallRecord]) -> bool:
        """Add calls, all or none; whether they are written. Where not, `fault` says why. The ledger's thread."""
        try:
            self._write(records)
        except LedgerFailure as failure:
            self.close()
            self._failed(str(failure))
            return False
        if self.fault is not None:
            self.fault = None
            logger.info("The ledger %s is written again.", self.path)
        return True

    def read(self, query: "Callable[[sqlite3.Connection], T]") -> T:
        """What a query finds. Any thread.

        Raises:
            NoLedger: nothing was written yet.
            UnreadableLedger: it cannot be read.
        """
        if self.path is not None:
            from gateway.observe.ledger_reader import reading  # noqa: PLC0415 - SQLite, see above

            with reading(self.path) as connection:
                return query(connection)
        with self._lock:
            if self._file is None:
                raise NoLedger
            return query(self._file.connection)

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def _write(self, records: Sequence[CallRecord]) -> None:
        with self._lock:
            if self._file is None:
                from gateway.observe.ledger_file import LedgerFile  # noqa: PLC0415 - SQLite, see above

                self._file = LedgerFile(self.path)
            self._file.write(records)
            now = self._clock.monotonic()
            if self.prunes and now >= self._prune_at:
                more = self._file.prune(self._keep, self._now())
                self._prune_at = now if more else now + PRUNE_SECONDS

    def _failed(self, why: str) -> None:
        first, self.fault = self.fault is None, why
        self._retry_at = self._clock.monotonic() + RETRY_SECONDS
        if first:
            what = "Calls go on, and up to 20,000 wait to be written; it is tried again every 30 s."
            logger.warning("The ledger %s fails: %s. %s", self.path, why, what)
