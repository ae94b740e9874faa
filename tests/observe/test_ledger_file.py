"""The ledger's file: whole, private, bounded, and never in a call's way, whatever becomes of it."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.local_days import day_of
from gateway.observe.ledger_file import STEP_ROWS, LedgerFile
from gateway.observe.ledger_schema import AT_ONCE, MIGRATIONS
from gateway.observe.ledger_store import Keep, LedgerFailure
from tests.support.calls import call
from tests.support.examples import examples

ROOT = Path(__file__).parents[2]
DAY = 86_400.0
NOW = 1_764_000_000.0
WRITER = """
import sys
from pathlib import Path
from gateway.observe.ledger_file import LedgerFile
from tests.support.calls import call

file = LedgerFile(Path(sys.argv[1]))
print("open", flush=True)
while True:
    file.write([call(tries=2, cost=3)] * 20)
    print("written", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.db"


def write(path: Path, *records: object, migrations: tuple[str, ...] = tuple(MIGRATIONS)) -> None:
    file = LedgerFile(path, migrations)
    try:
        file.write(list(records))  # type: ignore[arg-type]
    finally:
        file.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_calls_tries_and_days_are_written_together(path: Path) -> None:
    write(path, call(cost=3), call(tries=2, failed=True, their_id="req_theirs"))
    assert rows(path, "SELECT id, provider, model, input, output, cost, cost_source FROM calls") == [
        (1, "a", "m", 10, 5, 3, "table"),
        (2, "a", "m", 10, 5, None, "unknown"),
    ]
    assert rows(path, "SELECT call, n, outcome, ms, their_id FROM tries") == [
        (2, 1, "503", 3, "req_theirs"),
        (2, 2, "200", 7, None),
    ], "a call with one try has no row for it"
    assert rows(path, "SELECT day, calls, failed, input, output, cost, unpriced FROM days") == [
        (day_of(1_000.0), 2, 1, 20, 10, 3, 1)
    ]


@pytest.mark.parametrize("count", [AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 3])
def test_many_that_are_written_together_are_what_they_are_one_by_one(count: int, tmp_path: Path) -> None:
    records = [
        call(float(number), model=f"m{number % 3}", tries=number % 4 + 1, cost=number) for number in range(count)
    ]
    write(tmp_path / "together.db", *records)
    for record in records:
        write(tmp_path / "single.db", record)
    for table in ("calls", "tries", "days"):
        together, single = (rows(tmp_path / name, f"SELECT * FROM {table}") for name in ("together.db", "single.db"))
        assert together == single and len(single) >= 3
    assert [row[1] for row in rows(tmp_path / "together.db", "SELECT * FROM calls ORDER BY id")] == list(range(count))


def test_numbers_go_on_where_the_file_is_opened_again(path: Path) -> None:
    for _ in range(2):
        write(path, call(), call())
    assert rows(path, "SELECT id FROM calls") == [(1,), (2,), (3,), (4,)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_its_owner_reads_it(path: Path) -> None:
    file = LedgerFile(path)
    file.write([call()])
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    file.close()
    assert modes == {"usage.db": 0o600, "usage.db-wal": 0o600, "usage.db-shm": 0o600}


def test_texts_that_no_database_takes_are_written_as_far_as_they_can_be(path: Path) -> None:
    write(path, call(model="m\ud800" + "x" * 1_000))
    ((model,),) = rows(path, "SELECT model FROM calls")
    assert str(model).startswith("m?x") and len(str(model)) == 200


def test_a_number_that_no_database_takes_is_written_as_the_largest(path: Path) -> None:
    write(path, *[call(input=10**30, cost=10**30)] * 2)
    assert rows(path, "SELECT input, cost FROM calls") == [(10**12, 10**12)] * 2
    assert rows(path, "SELECT input, cost FROM days") == [(2 * 10**12, 2 * 10**12)]


def test_old_calls_go_and_their_days_stay(path: Path) -> None:
    file = LedgerFile(path)
    file.write([call(NOW - 31 * DAY, tries=2), call(NOW - DAY), call(NOW - 900 * DAY)])
    assert not file.prune(Keep(), NOW)
    file.close()
    assert rows(path, "SELECT at FROM calls") == [(NOW - DAY,)]
    assert rows(path, "SELECT count(*) FROM tries") == [(0,)]
    assert rows(path, "SELECT day FROM days") == [(day_of(NOW - 31 * DAY),), (day_of(NOW - DAY),)]


def test_a_file_that_is_too_large_loses_its_oldest_calls_step_by_step(path: Path) -> None:
    file = LedgerFile(path)
    file.write([call(NOW + number) for number in range(2 * STEP_ROWS)])
    before = path.stat().st_size + path.with_name("usage.db-wal").stat().st_size
    assert file.prune(Keep(max_bytes=200_000), NOW + 3 * STEP_ROWS), "one step deletes so many at most"
    while file.prune(Keep(max_bytes=200_000), NOW + 3 * STEP_ROWS):
        pass
    file.close()
    assert rows(path, "SELECT sum(calls) FROM days") == [(2 * STEP_ROWS,)]
    assert path.stat().st_size < before / 4, "the space is given back"


def test_in_memory_the_latest_calls_stay() -> None:
    file = LedgerFile(None)
    file.write([call() for _ in range(1_200)])
    file.prune(Keep(calls=1_000), 1_000.0)
    found = file.connection.execute("SELECT min(id), max(id), count(*) FROM calls").fetchone()
    file.close()
    assert found == (201, 1_200, 1_000)


def test_a_damaged_file_is_kept_under_another_name(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"no database at all" * 1_000)
    write(path, call())
    (broken,) = path.parent.glob("usage.db.broken-*")
    assert broken.read_bytes().startswith(b"no database")
    assert rows(path, "SELECT count(*) FROM calls") == [(1,)]
    assert broken.name in caplog.text


def test_a_file_that_is_damaged_while_it_is_open_too(path: Path) -> None:
    write(path, *[call(model=str(number)) for number in range(2_000)])
    file = LedgerFile(path)
    with path.open("r+b") as raw:
        raw.seek(4_096)
        raw.write(b"\xff" * (path.stat().st_size - 4_096))
    file.connection.execute("PRAGMA shrink_memory")  # what it has read is read again
    file.write([call()])
    file.close()
    assert list(path.parent.glob("usage.db.broken-*"))
    assert rows(path, "SELECT count(*) FROM calls") == [(1,)]


def test_an_older_file_is_copied_and_brought_up_to_date(path: Path) -> None:
    write(path, call())
    newer = (*MIGRATIONS, "ALTER TABLE calls ADD COLUMN extra TEXT;\nUPDATE calls SET extra = 'x';")
    LedgerFile(path, newer).close()
    assert rows(path, "SELECT extra FROM calls") == [("x",)]
    copy = path.with_name("usage.db.v1")
    assert rows(copy, "SELECT count(*), max(id) FROM calls") == [(1, 1)]
    assert rows(copy, "PRAGMA user_version") == [(1,)]
    assert sys.platform == "win32" or stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    write(path, call())
    with pytest.raises(LedgerFailure):
        LedgerFile(path, (*MIGRATIONS, "ALTER TABLE calls ADD COLUMN extra TEXT;\nNONSENSE;"))
    write(path, call())
    assert rows(path, "SELECT count(*) FROM calls") == [(2,)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("PRAGMA user_version = 99", "a newer version of the gateway has written it"),
        ("CREATE TABLE theirs(x)", "it is a database of something else"),
    ],
)
def test_a_file_that_is_not_for_us_is_left_alone(path: Path, statement: str, why: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(LedgerFailure, match=why):
        LedgerFile(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_failure_with_advice(path: Path) -> None:
    with pytest.raises(LedgerFailure, match=r"name another file in ledger\.path"):
        LedgerFile(path / "below" / "usage.db")


def test_a_full_disk_is_a_failure_and_the_file_stays_whole(path: Path) -> None:
    file = LedgerFile(path)
    file.write([call()])
    pages = file.connection.execute("PRAGMA page_count").fetchone()[0]
    file.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerFailure, match="the disk is full"):
        file.write([call() for _ in range(2_000)])
    file.connection.execute("PRAGMA max_page_count = 100000")
    file.write([call()])
    file.close()
    assert rows(path, "SELECT count(*), (SELECT sum(calls) FROM days) FROM calls") == [(2, 2)]


def test_several_writers_lose_nothing(path: Path) -> None:
    first, second = LedgerFile(path), LedgerFile(path)
    for _ in range(20):
        first.write([call(tries=2)])
        second.write([call(tries=2)] * 2)
    first.close()
    second.close()
    assert rows(path, "SELECT count(*), max(id), (SELECT count(*) FROM tries) FROM calls") == [(60, 60, 120)]
    assert rows(path, "SELECT sum(calls) FROM days") == [(60,)]


def test_killed_at_any_moment_it_is_whole_and_its_sums_are_those_of_its_rows(path: Path) -> None:
    for writes in range(1, 6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert writer.stdout is not None
        for _ in range(writes * 3):
            writer.stdout.readline()
        writer.kill()
        writer.wait(timeout=30)
        writer.stdout.close()
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        sums = "count(*), sum(input), sum(output), sum(cost)"
        days = "sum(calls), sum(input), sum(output), sum(cost)"
        assert rows(path, f"SELECT {sums} FROM calls") == rows(path, f"SELECT {days} FROM days")
        assert rows(path, "SELECT count(*) FROM tries") == rows(path, "SELECT 2 * count(*) FROM calls")
    write(path, call())


@settings(max_examples=examples(30), deadline=None)
@given(
    st.lists(
        st.builds(
            call,
            st.floats(0, 3 * DAY),
            model=st.sampled_from("mn"),
            failed=st.booleans(),
            input=st.integers(0, 9),
            cost=st.none() | st.integers(0, 9),
        ),
        max_size=30,
    ),
    st.integers(1, 5),
)
def test_a_days_sum_is_that_of_its_rows(records: list[object], batch: int) -> None:
    file = LedgerFile(None)
    for start in range(0, len(records), batch):
        file.write(records[start : start + batch])  # type: ignore[arg-type]
    key = "model, sum(input), sum(cached), sum(output), sum(reasoning), sum(cost)"
    by_day: dict[object, list[tuple[object, ...]]] = {}
    for (at,) in file.connection.execute("SELECT at FROM calls").fetchall():
        by_day[day_of(at)] = []
    for day in by_day:
        file.connection.create_function("day_of", 1, day_of)
        of_calls = file.connection.execute(
            f"SELECT {key}, count(*), sum(error IS NOT NULL), sum(cost_source = 'unknown') FROM calls"
            " WHERE day_of(at) = ? GROUP BY model ORDER BY model",
            (day,),
        ).fetchall()
        of_days = file.connection.execute(
            f"SELECT {key}, sum(calls), sum(failed), sum(unpriced) FROM days"
            " WHERE day = ? GROUP BY model ORDER BY model",
            (day,),
        ).fetchall()
        assert of_calls == of_days
    file.close()
