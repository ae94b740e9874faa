"""The ledger: takes the records of calls from their threads; one of its own has them priced, shown and written.

To hand a record over is to put it into a queue. The thread takes what has come every half second, or 500 records at
once, asks for their costs, gives them to every sink (such as metrics), and writes them into the store. A store that
cannot be written costs no call anything: the records wait, bounded, and one line of the log says what is wrong. This
module knows neither SQLite nor prices.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from gateway.core.clock import Clock
from gateway.core.durations import plural
from gateway.core.records import DIRECT, OTHER, AttemptRecord, CallRecord, RecordSink
from gateway.observe.ledger_rows import without_secrets
from gateway.observe.ledger_store import LedgerStore

MAX_WAITING: Final = 20_000
"""Records that wait at most; beyond it the oldest are dropped. 500 calls a second and a disk that hangs for 40 s."""
BATCH: Final = 500
"""Records that are written at once: 4.3 us each in batches of 100 and 35 us one by one."""
GATHER_SECONDS: Final = 0.5
"""In which records gather. As much is lost where the process is killed."""
WARN_SECONDS: Final = 60.0
"""Between two lines about dropped records."""
CLOSE_SECONDS: Final = 1.0
"""What the last records get to be written."""
DIRECT_NAMES: Final = 1_000
"""Models asked for past the aliases that are told apart, so that callers cannot make rows as they like."""
Pricing = Callable[[CallRecord], CallRecord]
"""A record with its costs. Called on the ledger's thread."""

logger = logging.getLogger(__name__)


class Ledger:
    """One more observer of calls (gateway.observe.observers). Safe to use from many threads.

    Attributes:
        store: what keeps the calls; None where nothing does.

    Args:
        clock: for pauses.
        mask: takes secrets out of a text.
        store: as above.
    """

    def __init__(self, clock: Clock, mask: Callable[[str], str], store: LedgerStore | None) -> None:
        self.store = store
        self._clock = clock
        self._records = _Records(mask)
        self._sinks: tuple[RecordSink, ...] = ()
        self._lock = threading.RLock()  # guards all below
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[CallRecord] = deque()
        self._handed = 0
        self._settled = 0
        self._dropped = 0
        self._asleep = False  # the thread waits for the first record
        self._hurried = False  # somebody waits for the thread
        self._closing = False
        self._thread: threading.Thread | None = None
        # of the thread alone
        self._unwritten: deque[CallRecord] = deque()
        self._warn_at = 0.0
        self._warned = 0

    # Any thread -----------------------------------------------------------------------------------------------------

    def finished(self, record: CallRecord) -> None:
        """A call has ended. Never blocks: 10 us at most."""
        with self._lock:
            waiting = self._waiting
            waiting.append(record)
            self._handed += 1
            if len(waiting) > MAX_WAITING:
                waiting.popleft()
                self._dropped += 1
                self._settled += 1
            if self._asleep or len(waiting) == BATCH:
                self._asleep = False
                self._changed.notify_all()
            elif self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()

    def refused(self, record: CallRecord) -> None:
        """A call was refused at the door. It is a call like any other."""
        self.finished(record)

    def attempt_failed(self, record: AttemptRecord) -> None:
        """Nothing: the record of its call has it."""

    def add_sink(self, sink: RecordSink) -> None:
        """Give it the records of all calls from now on."""
        self._sinks = (*self._sinks, sink)

    def set_pricing(self, price: Pricing) -> None:
        """Price calls so from now on; what is written stays as it is."""
        self._records.price = price

    @property
    def dropped(self) -> int:
        """How many records were dropped because too many waited."""
        return self._dropped

    @property
    def fault(self) -> str | None:
        """Why the store cannot be written now; None where it can."""
        return self.store.fault if self.store else None

    def flush(self, timeout: float) -> bool:
        """Wait until what was handed over until now is shown, and written or found to be unwritable.

        Args:
            timeout: seconds.

        Returns:
            Whether it is.
        """
        with self._changed:
            goal, self._hurried = self._handed, True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= goal, timeout)

    def close(self) -> None:
        """Write the rest, for CLOSE_SECONDS at most, and end. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    # The thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._settle_next():  # a function of its own, so that nothing is held while it waits for more
            pass
        if self.store is not None:
            while self._unwritten and self._written(self.store):
                pass
            self.store.close()

    def _settle_next(self) -> bool:
        """Wait for the next records and see to them; False at the end."""
        if (batch := self._next()) is None:
            return False
        try:
            self._settle(batch)
        except Exception:
            logger.exception("The ledger has lost %d %s.", len(batch), plural("call", len(batch)))
        settled = len(batch)
        batch.clear()  # before anybody is told
        with self._changed:
            self._settled += settled
            self._changed.notify_all()
        return True

    def _next(self) -> list[CallRecord] | None:
        """The next records; none where only earlier ones are to be tried again. None at the end."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._asleep = True
                pause = self.store.retry_in if self.store and self._unwritten else None
                if pause is None:
                    self._changed.wait()
                elif pause > 0:
                    self._clock.wait(self._changed, pause)
                self._asleep = False
            if not (self._closing or self._hurried) and 0 < len(self._waiting) < BATCH:
                self._clock.wait(self._changed, GATHER_SECONDS)
            if self._closing and not self._waiting:
                return None
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._hurried = self._hurried and bool(self._waiting)
        return batch

    def _settle(self, batch: list[CallRecord]) -> None:
        finished = self._records.finished(batch)
        for sink in self._sinks if finished else ():
            try:
                sink.take(finished)
            except Exception:
                logger.exception("a reader of calls failed")
        if self.store is not None:
            self._unwritten.extend(finished)
            self._drop(len(self._unwritten) - MAX_WAITING)
            while self._unwritten and not self.store.retry_in and self._written(self.store):
                pass
        self._warn()

    def _written(self, store: LedgerStore) -> bool:
        """Write the oldest of what is unwritten; whether that went well."""
        batch = list(islice(self._unwritten, BATCH))
        try:
            if not store.write(batch):
                return False
        except Exception:  # tried again it would fail again
            logger.exception("The ledger has lost %d %s.", len(batch), plural("call", len(batch)))
        for _ in batch:
            self._unwritten.popleft()
        return True

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._unwritten.popleft()
        if count > 0:
            with self._changed:
                self._dropped += count

    def _warn(self) -> None:
        """Say once a minute how many records were dropped."""
        now, count = self._clock.monotonic(), self._dropped - self._warned
        if count and now >= self._warn_at:
            self._warn_at, self._warned = now + WARN_SECONDS, self._dropped
            logger.warning("The ledger has dropped %d %s: it cannot be written in time.", count, plural("call", count))


class _Records:
    """Makes records ready for everybody who reads them. One thread uses it.

    Attributes:
        price: gives a record its costs.

    Args:
        mask: takes secrets out of a text.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self.price: Pricing = _same
        self._mask = mask
        self._names: set[tuple[str, str]] = set()

    def finished(self, batch: Sequence[CallRecord]) -> list[CallRecord]:
        """The records without secrets, with costs, and with models that few enough records have."""
        priced = [self.price(each) for each in batch]
        return [self._bounded(each) for each in without_secrets(priced, self._mask)]

    def _bounded(self, record: CallRecord) -> CallRecord:
        """The model's name stays if the configuration has it, or if it is one of the first DIRECT_NAMES others."""
        if record.alias != DIRECT and "*" not in record.alias:
            return record
        name = (record.provider, record.model)
        if name not in self._names:
            if len(self._names) >= DIRECT_NAMES:
                return replace(record, model=OTHER)
            self._names.add(name)
        return record


def _same(record: CallRecord) -> CallRecord:
    return record
