"""The ledger's SQLite file: opened, brought to the present schema, written in batches, and kept within its bounds.

One thread uses it. Several processes may write the same file, so every write begins with the lock (BEGIN IMMEDIATE).
WAL with synchronous=NORMAL keeps the file whole whenever the process or the machine ends; a loss of power may cost the
last seconds (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
The module is imported at the first call and not at the start: sqlite3 takes 5 ms.
"""

import contextlib
import errno
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from gateway.core.local_days import day_of
from gateway.core.records import CallRecord
from gateway.observe.ledger_rows import call_row, day_rows, try_rows
from gateway.observe.ledger_schema import (
    ADD_TO_DAY,
    AT_ONCE,
    INSERT_CALL,
    INSERT_CALLS,
    INSERT_TRY,
    MIGRATIONS,
    statements,
)
from gateway.observe.ledger_store import Keep, LedgerFailure

BUSY_SECONDS: Final = 5.0
"""What a write waits for another process that writes."""
STEP_ROWS: Final = 5_000
"""Rows that are deleted at once: 36 ms."""
STEP_PAGES: Final = 2_000
"""Pages that are given back to the disk at once."""
DAY: Final = 86_400.0
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

logger = logging.getLogger(__name__)


class LedgerFile:
    """The file, open.

    Args:
        path: where it is; None for one in memory.
        migrations: see gateway.observe.ledger_schema.

    Raises:
        LedgerFailure: it cannot be opened, it is none of ours, or of a newer version.
    """

    def __init__(self, path: Path | None, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._path = path
        self._migrations = migrations
        with _failures():
            self._connection = self._opened_whole()

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading one that is in memory, under a lock of the caller."""
        return self._connection

    def write(self, records: Sequence[CallRecord]) -> None:
        """Add calls, in one transaction: all of them or none. Raises LedgerFailure."""
        with _failures():
            try:
                self._write(records)
            except sqlite3.DatabaseError as error:
                if self._path is None or not _is_damaged(error):
                    raise
                self._connection.close()
                self._connection = self._opened_whole()
                self._write(records)

    def _write(self, records: Sequence[CallRecord]) -> None:
        with _transaction(self._connection) as connection:
            found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'calls'").fetchone()
            first = (found[0] if found else 0) + 1
            rows = [call_row(id, record) for id, record in enumerate(records, first)]
            tries = [try_rows(id, record) for id, record in enumerate(records, first) if len(record.tries) > 1]
            single = len(rows) % AT_ONCE
            connection.executemany(INSERT_CALL, rows[:single])
            for start in range(single, len(rows), AT_ONCE):
                connection.execute(INSERT_CALLS, list(chain.from_iterable(rows[start : start + AT_ONCE])))
            connection.executemany(INSERT_TRY, chain.from_iterable(tries))
            connection.executemany(ADD_TO_DAY, day_rows(rows))

    def prune(self, keep: Keep, now: float) -> bool:
        """Forget some of what is too old or too much; a call takes 130 bytes.

        Args:
            keep: the bounds.
            now: wall seconds.

        Returns:
            Whether there is more to forget.

        Raises:
            LedgerFailure: it cannot be written.
        """
        with _failures():
            return self._prune(keep, now)

    def _prune(self, keep: Keep, now: float) -> bool:
        with _transaction(self._connection) as connection:
            deleted = self._delete_calls("at < ? ORDER BY at", now - keep.days * DAY)
            if keep.calls is not None:
                rows = connection.execute("SELECT id FROM calls ORDER BY id DESC LIMIT 1 OFFSET ?", (keep.calls,))
                if (newest := rows.fetchone()) is not None:
                    deleted = max(deleted, self._delete_calls("id <= ? ORDER BY id", newest[0]))
            if deleted < STEP_ROWS and self._size() > keep.max_bytes:
                deleted = max(deleted, self._delete_calls("at < ? ORDER BY at", now + DAY))
            connection.execute("DELETE FROM days WHERE day < ?", (day_of(now - keep.summary_days * DAY),))
        if deleted:
            # executescript, because execute would end it after its first page
            self._connection.executescript(f"PRAGMA incremental_vacuum({STEP_PAGES})")
        return deleted >= STEP_ROWS or bool(deleted and self._size() > keep.max_bytes)

    def close(self) -> None:
        """Close it. Idempotent."""
        self._connection.close()

    def _delete_calls(self, which: str, value: float) -> int:
        """Delete the first of the calls that a condition names, with their tries; how many."""
        which = f"SELECT id FROM calls WHERE {which} LIMIT {STEP_ROWS}"  # noqa: S608 - conditions of this module
        ids = self._connection.execute(which, (value,)).fetchall()
        self._connection.executemany("DELETE FROM tries WHERE call = ?", ids)
        self._connection.executemany("DELETE FROM calls WHERE id = ?", ids)
        return len(ids)

    def _size(self) -> int:
        """Bytes in use."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _opened_whole(self) -> sqlite3.Connection:
        """The file; a damaged one is set aside for a new one."""
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            if self._path is None or not _is_damaged(error):
                raise
            if self._is_in_place():
                _set_aside(self._path)
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:  # made by us, so that nobody else may read it from its first byte on
            handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            self._there = os.fstat(handle)
            os.close(handle)
        name = ":memory:" if self._path is None else str(self._path)
        connection = sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_in_place(self) -> bool:
        """Whether the file that was opened is still there: another process may have set it aside and begun a new one,
        which is not damaged."""
        with contextlib.suppress(FileNotFoundError):
            return self._path is not None and os.path.samestat(self._there, os.stat(self._path))
        return False

    def _prepare(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection, "DEFERRED"):  # both from one moment: another process may be making the tables
            version = _version(connection)
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == 0:
            if tables:
                raise LedgerFailure("it is a database of something else: name another file in ledger.path")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if version > len(self._migrations):
            raise LedgerFailure(
                "a newer version of the gateway has written it: run that version, or name another file in ledger.path"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if self._path is not None and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            damaged = sqlite3.DatabaseError("the file is damaged")
            damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damaged
        if version < len(self._migrations):
            self._migrate(connection, version)

    def _migrate(self, connection: sqlite3.Connection, version: int) -> None:
        """Bring the file to the present schema, after a copy of it was made."""
        if version and self._path is not None:
            _copy(connection, self._path.with_name(f"{self._path.name}.v{version}"))
        with _transaction(connection):
            for migration in self._migrations[_version(connection) :]:  # another process may have done it meanwhile
                for statement in statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")


def _is_damaged(error: sqlite3.Error) -> bool:
    """Whether it says that the file is no whole database."""
    return _code(error) in _DAMAGED


def _set_aside(path: Path) -> None:
    """Rename a damaged file and what belongs to it; nothing is deleted. Raises OSError."""
    moved = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
    os.replace(path, moved)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{moved}{ending}")
    logger.warning("The ledger %s was damaged. It is kept as %s, and a new one has begun.", path, moved.name)


def _in_words(error: Exception) -> str:
    """Why the ledger cannot be written, and what to do."""
    code = _code(error) if isinstance(error, sqlite3.Error) else None
    number = error.errno if isinstance(error, OSError) else None
    if code == sqlite3.SQLITE_FULL or number == errno.ENOSPC:
        return "the disk is full: make room on it"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another program has locked it: close that program"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or number is not None:
        return "it cannot be written: make the file and its folder writable, or name another file in ledger.path"
    return f"it cannot be written ({type(error).__name__}: {error})"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code (https://www.sqlite.org/rescode.html)."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    copy = sqlite3.connect(path)
    try:
        connection.backup(copy)
    finally:
        copy.close()


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """What SQLite and the disk raise, as what it means."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerFailure(_in_words(error)) from error


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
