"""What calls cost the ledger and the log, piece by piece: `python -m benchmarks.ledger_costs`.

A call makes one record and one line of the log, and hands them over, on its own thread; the rest is the ledger's. Each
figure is the median of several rounds in microseconds of processor time a call, of records that differ as those of
short chats do, in batches of 500 (and of 50, where that is said). Only what is named is at work meanwhile, but for
`hand it over`, where the ledger's thread writes beside it.
"""

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.clock import SystemClock
from gateway.core.records import ANSWERED, CallRecord, RecordSink, TryRecord
from gateway.core.secrets import Secret
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.handler.call_record import record_of
from gateway.observe.costs import with_costs
from gateway.observe.ledger import BATCH, Ledger
from gateway.observe.ledger_file import LedgerFile
from gateway.observe.ledger_rows import call_row, day_rows, without_secrets
from gateway.observe.ledger_store import LedgerStore
from gateway.observe.log_format import JsonFormatter
from gateway.observe.logs import CallLog, queue_for, set_up
from gateway.observe.masking import Masker
from gateway.observe.metrics.sums import Sums
from gateway.observe.price_table import PriceTable
from gateway.observe.prices import Cost, Prices
from gateway.observe.recent import RecentCalls
from gateway.routing.router import Target

ROUNDS: Final = 15
CALLS: Final = 10_000
SMALL: Final = 50
TARGET: Final = Target("openai", "gpt-4o-mini")
T = TypeVar("T")


def main() -> None:
    """Measure and print."""
    clock = SystemClock()
    call = _call(clock)
    records = [_varied(record_of(call, 200, None), number) for number in range(CALLS)]
    masker = Masker([Secret(f"a-secret-of-the-configuration-{number}") for number in range(4)])
    _print("make the record", _each(lambda record: record_of(call, 200, None), records))
    _log(masker, records)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(clock, lambda text: text, LedgerStore(Path(folder) / "handed.db", clock, clock.wall))
        _print("hand it over", _each(ledger.finished, records, lambda: ledger.flush(60)))
        ledger.close()
        _thread(masker, records)
        path = Path(folder) / "usage.db"
        for size in (BATCH, SMALL):
            file = LedgerFile(path)
            _print(f"write it, of {size}", _batches(file.write, records, size))
            file.close()
        _print("bytes a call", path.stat().st_size / _count(path))


def _log(masker: Masker, records: Sequence[CallRecord]) -> None:
    """What the line of a call costs the call's own thread."""
    root, own = logging.getLogger(), logging.getLogger("gateway")
    before = root.level, own.level
    with open(os.devnull, "w") as nowhere:
        queue = queue_for(nowhere, "json")
        handler = set_up("info", "json", masker, queue)
        _print("log it", _each(CallLog().finished, records))
        queue.close(60)
    root.removeHandler(handler)
    root.setLevel(before[0])
    own.setLevel(before[1])
    form = JsonFormatter(masker)
    _print("of that, make its line", _each(lambda record: form.call("INFO", record.at, record), records))


def _thread(masker: Masker, records: Sequence[CallRecord]) -> None:
    """What a call costs the ledger's thread before it is written."""
    prices = Prices((), PriceTable())

    def cost_of(provider: str, model: str, usage: Usage, at: float) -> Cost:
        return prices.cost("openai", provider, model, usage, at)

    price = partial(with_costs, cost_of=cost_of)
    sums, recent = Sums(), RecentCalls(SystemClock.wall)
    sums.configure([TARGET], {"openai": "openai"})
    priced = [price(each) for each in records]
    sinks: Sequence[tuple[str, RecordSink]] = (("add it up", sums), ("remember it", recent))
    _print("price it", _each(price, records))
    _print("search it for secrets", _batches(lambda batch: without_secrets(batch, masker.mask), priced))
    for what, sink in sinks:
        _print(what, _batches(sink.take, priced))
        _print(f"{what}, of {SMALL}", _batches(sink.take, priced, SMALL))
    rows = [call_row(number, each) for number, each in enumerate(priced)]
    _print("make its row", _each(lambda each: call_row(1, each), priced))
    _print("add it to its day", _batches(day_rows, rows))


def _each(
    step: Callable[[CallRecord], object], records: Sequence[CallRecord], between: Callable[[], object] = lambda: None
) -> float:
    """Microseconds a step, of this thread alone."""
    found = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for record in records:
            step(record)
        found.append((time.thread_time() - start) / len(records) * 1e6)
        between()
    return statistics.median(found)


def _batches(step: Callable[[list[T]], object], things: Sequence[T], size: int = BATCH) -> float:
    """Microseconds a thing, where a step takes several at once."""
    batches = [list(things[start : start + size]) for start in range(0, len(things), size)]
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for batch in batches:
            step(batch)
        found.append((time.process_time() - start) / len(things) * 1e6)
    return statistics.median(found)


def _count(path: Path) -> int:
    file = LedgerFile(path)
    count: int = file.connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    file.close()
    return count


def _call(clock: SystemClock) -> Call:
    call = Call("req_0123456789abcdef", clock, timeout=600.0, caller=NoCaller(lambda: False))
    call.model = call.alias = "best"
    call.target = TARGET
    call.usage = Usage(1200, 340, 800)
    call.attempts.append(TryRecord(TARGET.provider, TARGET.model, ANSWERED, ms=700, usage=call.usage))
    return call


def _varied(record: CallRecord, number: int) -> CallRecord:
    """The record of another call: another id, another time."""
    return replace(
        record,
        at=record.at + number / 2_000,
        request_id=f"req_{number:016x}",
        total_ms=number % 7 + 1,
        tries=tuple(replace(each, ms=number % 5 + 1) for each in record.tries),
    )


def _print(what: str, figure: float) -> None:
    print(f"{what:<24} {figure:8.2f}")


if __name__ == "__main__":
    main()
