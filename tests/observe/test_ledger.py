"""The ledger's queue and thread: nothing that its store does reaches a call."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.core.clock import SystemClock
from gateway.core.records import DIRECT, OTHER, CallRecord
from gateway.observe import ledger as ledger_module
from gateway.observe.ledger import BATCH, DIRECT_NAMES, MAX_WAITING, Ledger
from gateway.observe.ledger_store import LedgerStore, NoLedger
from tests.support.calls import call
from tests.support.fakes import FakeClock

SECRET = "canary-1234567890"


class Sink:
    """Keeps what it gets, or fails, or waits for `go`."""

    def __init__(self, *, fails: bool = False, go: threading.Event | None = None) -> None:
        self.taken: list[CallRecord] = []
        self.batches: list[int] = []
        self.called = threading.Event()
        self._fails = fails
        self._go = go

    def take(self, records: list[CallRecord]) -> None:
        self.called.set()
        if self._go is not None:
            assert self._go.wait(30)
        if self._fails:
            raise ZeroDivisionError
        self.taken += records
        self.batches.append(len(records))


class Scene:
    """A ledger over a file, whose store's time stands still until it is advanced."""

    def __init__(self, path: Path | None) -> None:
        self.clock = FakeClock()
        self.store = LedgerStore(path, self.clock, self.clock.wall)
        self.ledger = Ledger(SystemClock(), lambda text: text.replace(SECRET, "***"), self.store)
        self.path = path

    def finish(self, *records: CallRecord) -> None:
        for record in records:
            self.ledger.finished(record)
        assert self.ledger.flush(30)

    def count(self) -> int:
        found = self.store.read(lambda connection: connection.execute("SELECT count(*) FROM calls").fetchone()[0])
        return int(found)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "usage.db")
    yield scene
    scene.ledger.close()


def test_what_is_handed_over_is_shown_and_written(scene: Scene) -> None:
    sink = Sink()
    scene.ledger.add_sink(sink)
    scene.finish(call(1.0), call(2.0))
    scene.ledger.refused(call(3.0))
    assert scene.ledger.flush(30)
    assert [record.at for record in sink.taken] == [1.0, 2.0, 3.0]
    assert scene.count() == 3


def test_no_thread_and_no_file_before_the_first_call(scene: Scene) -> None:
    assert not [each for each in threading.enumerate() if each.name == "ledger"]
    with pytest.raises(NoLedger):
        scene.count()
    scene.ledger.close()
    assert scene.path is not None and not scene.path.exists()


def test_what_is_left_at_the_end_is_written(scene: Scene) -> None:
    for number in range(3 * BATCH):
        scene.ledger.finished(call(float(number)))
    scene.ledger.close()
    assert scene.count() == 3 * BATCH
    scene.ledger.close()


def test_a_reader_that_fails_costs_no_other_its_records(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    good = Sink()
    scene.ledger.add_sink(Sink(fails=True))
    scene.ledger.add_sink(good)
    scene.finish(call())
    assert (len(good.taken), scene.count()) == (1, 1)
    assert "a reader of calls failed" in caplog.text


def test_costs_are_set_on_its_thread_and_only_from_then_on(scene: Scene) -> None:
    where: list[str] = []

    def price(record: CallRecord) -> CallRecord:
        where.append(threading.current_thread().name)
        return replace(record, cost=7, cost_source="table")

    scene.finish(call())
    scene.ledger.set_pricing(price)
    scene.finish(call())
    found = scene.store.read(lambda connection: connection.execute("SELECT cost FROM calls ORDER BY id").fetchall())
    assert (found, where) == ([(None,), (7,)], ["ledger"])


def test_too_many_that_wait_are_dropped_and_told_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    go = threading.Event()
    slow = Sink(go=go)
    scene.ledger.add_sink(slow)
    scene.ledger.finished(call(0.0))
    scene.ledger.flush(0)  # hurries it
    assert slow.called.wait(30)
    for number in range(MAX_WAITING + 5):
        scene.ledger.finished(call(float(number + 1)))
    go.set()
    assert scene.ledger.flush(60)
    assert scene.ledger.dropped == 5
    assert slow.taken[1].at == 6.0, "the oldest go first"
    assert len([line for line in caplog.messages if "dropped 5 calls" in line]) == 1


def test_a_store_that_fails_is_told_once_and_gets_all_later(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    assert scene.path is not None
    scene.path.mkdir()  # no file can be there
    sink = Sink()
    scene.ledger.add_sink(sink)
    with caplog.at_level(logging.INFO):
        scene.finish(call(), call())
        scene.finish(call())
        assert scene.ledger.fault is not None and "ledger.path" in scene.ledger.fault
        assert len(sink.taken) == 3, "who reads the records does not wait for the file"
        scene.path.rmdir()
        scene.clock.advance(31)
        scene.finish(call())
    assert scene.count() == 4
    told = [line for line in caplog.messages if "ledger" in line]
    assert [("fails: it" in line, "is written again" in line) for line in told] == [(True, False), (False, True)]


def test_a_file_that_another_program_has_locked_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.observe.ledger_file.BUSY_SECONDS", 0.01)
    scene.finish(call())
    scene.store.close()
    with closing(sqlite3.connect(str(scene.path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        scene.finish(call())
        assert "another program has locked it" in caplog.text
        other.execute("ROLLBACK")
    scene.clock.advance(31)
    scene.finish(call())
    assert scene.count() == 3


def test_in_memory_it_is_read_as_a_file_is() -> None:
    scene = Scene(None)
    scene.finish(call(), call())
    assert scene.count() == 2
    scene.ledger.close()


def test_no_secret_is_shown_or_written(scene: Scene) -> None:
    sink = Sink()
    scene.ledger.add_sink(sink)
    spoiled = replace(call(tries=2, their_id=SECRET, model=SECRET), request_id=SECRET, asked=SECRET, error=f"x{SECRET}")
    scene.finish(spoiled)
    scene.ledger.close()
    assert scene.path is not None
    assert SECRET not in str(sink.taken)
    for each in scene.path.parent.iterdir():
        assert SECRET.encode() not in each.read_bytes()


def test_names_that_callers_make_up_are_told_apart_up_to_a_number(scene: Scene) -> None:
    sink = Sink()
    scene.ledger.add_sink(sink)
    scene.finish(*(call(model=f"m{number}", alias=DIRECT) for number in range(DIRECT_NAMES + 2)), call(model="new"))
    names = [record.model for record in sink.taken]
    assert names[-4:] == [f"m{DIRECT_NAMES - 1}", OTHER, OTHER, "new"], "a configured name is no caller's"


def test_a_batch_that_nothing_can_write_is_lost_and_holds_nobody_up(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.finish(replace(call(), at="never"))  # a fault of the gateway's
    scene.finish(call())
    assert scene.count() == 1
    assert "The ledger has lost 1 call." in caplog.text


def test_a_busy_ledger_writes_many_at_once(scene: Scene) -> None:
    sink = Sink()
    scene.ledger.add_sink(sink)
    for number in range(2 * BATCH):
        scene.ledger.finished(call(float(number)))
    assert scene.ledger.flush(30)
    assert max(sink.batches) <= ledger_module.BATCH
    assert len(sink.batches) <= 4
