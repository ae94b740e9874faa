"""What the ledger costs a call, and what a call costs the ledger: `python -m benchmarks.ledger_costs`.

A call makes one record and hands it over, on its own thread; the rest is the ledger's. The two are measured apart, each
as the median of five rounds, the first with the ledger's thread at work beside it.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.core.answer import Usage
from gateway.core.clock import SystemClock
from gateway.core.records import ANSWERED, CallRecord, TryRecord
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.handler.call_record import record_of
from gateway.observe.ledger import BATCH, Ledger
from gateway.observe.ledger_file import LedgerFile
from gateway.observe.ledger_store import LedgerStore
from gateway.routing.router import Target

ROUNDS: Final = 5
CALLS: Final = 10_000


def main() -> None:
    """Measure and print."""
    clock = SystemClock()
    call = _call(clock)
    record = record_of(call, 200, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "usage.db"
        ledger = Ledger(clock, lambda text: text, LedgerStore(path, clock, clock.wall))
        _print("make the record", _median(lambda: record_of(call, 200, None)))
        _print("hand it over", _median(lambda: ledger.finished(record), lambda: ledger.flush(60)))
        ledger.close()
        file = LedgerFile(path)
        _print("write it, of 500", _batches(file, record))
        file.close()
        _print("bytes a call", path.stat().st_size / _count(path))


def _median(step: Callable[[], object], between: Callable[[], object] = lambda: None) -> float:
    """Microseconds a step."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            step()
        found.append((time.perf_counter() - start) / CALLS * 1e6)
        between()
    return statistics.median(found)


def _batches(file: LedgerFile, record: CallRecord) -> float:
    """Microseconds of processor time a call."""
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS // BATCH):
            file.write([record] * BATCH)
        found.append((time.process_time() - start) / CALLS * 1e6)
    return statistics.median(found)


def _count(path: Path) -> int:
    file = LedgerFile(path)
    count: int = file.connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    file.close()
    return count


def _call(clock: SystemClock) -> Call:
    call = Call("req_0123456789abcdef", clock, timeout=600.0, caller=NoCaller(lambda: False))
    call.model = call.alias = "best"
    call.target = Target("openai", "gpt-4o-mini")
    call.usage = Usage(1200, 340, 800)
    call.attempts.append(TryRecord("openai", "gpt-4o-mini", ANSWERED, ms=700, usage=call.usage))
    return call


def _print(what: str, figure: float) -> None:
    print(f"{what:<20} {figure:8.2f}")


if __name__ == "__main__":
    main()
