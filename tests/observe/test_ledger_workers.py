"""Several processes write one ledger: no row is lost, whoever begins it, and one of them forgets what is old."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.observe.ledger_file import LedgerFile
from gateway.observe.ledger_store import Keep, LedgerStore
from gateway.runtime import Runtime
from tests.support.calls import call
from tests.support.fakes import FakeClock
from tests.support.siblings import Hub

ROOT = Path(__file__).parents[2]
PROCESSES, CALLS = 4, 300
WORKER = """
import logging, sys
from pathlib import Path
from gateway.core.clock import SystemClock
from gateway.observe.ledger import Ledger
from gateway.observe.ledger_store import LedgerStore
from tests.support.calls import call

logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
clock = SystemClock()
ledger = Ledger(clock, lambda text: text, LedgerStore(Path(sys.argv[1]), clock, clock.wall))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    ledger.finished(call(clock.wall(), tries=2, cost=3))
    if number % 10 == 0:
        assert ledger.flush(30)
assert ledger.flush(30)
ledger.close()
print("dropped", ledger.dropped, flush=True)
"""


@contextmanager
def workers(path: Path) -> Iterator[Sequence["subprocess.Popen[str]"]]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORKER, str(path), str(CALLS)]
    processes = [
        subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_four_processes_that_begin_at_once_lose_no_call(tmp_path: Path) -> None:
    """All of them find no file; each writes in many small batches."""
    path = tmp_path / "usage.db"
    with workers(path) as processes:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[0] for process in processes] == ["dropped 0\n"] * PROCESSES
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT id), max(id), sum(cost), (SELECT count(*) FROM tries),"
            " (SELECT sum(calls) FROM days), (SELECT sum(cost) FROM days) FROM calls"
        ).fetchone()
    assert found == (1200, 1200, 1200, 3600, 2400, 1200, 3600)


@pytest.mark.parametrize(("number", "left"), [(0, 1), (1, 2)])
def test_the_first_worker_alone_forgets_what_is_old(tmp_path: Path, number: int, left: int) -> None:
    clock = FakeClock(10 * 86_400.0)
    store = LedgerStore(tmp_path / "usage.db", clock, clock.wall)
    runtime = Runtime({}, threads=1, clock=clock, store=store, siblings=Hub(2).workers[number])
    store.configure(Keep(days=1))
    assert store.write([call(clock.wall() - 5 * 86_400.0), call(clock.wall())])
    assert len(store.read(lambda connection: connection.execute("SELECT id FROM calls").fetchall())) == left
    runtime.close()


class OvertakenFile(LedgerFile):
    """A process that has opened a damaged file, which another one sets aside before this one has looked at it."""

    overtaken = False

    def _prepare(self, connection: sqlite3.Connection) -> None:
        assert self._path is not None
        if not self.overtaken:
            self.overtaken = True
            other = LedgerFile(self._path)
            other.write([call()])
            other.close()
        super()._prepare(connection)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no file that is open, and has no workers")
def test_a_file_that_another_has_just_begun_anew_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    path.write_bytes(b"no database at all" * 1_000)
    file = OvertakenFile(path)
    file.write([call()])
    assert file.connection.execute("SELECT count(*) FROM calls").fetchone() == (2,)
    file.close()
    assert len(list(tmp_path.glob("usage.db.broken-*"))) == 1
