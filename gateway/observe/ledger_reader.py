"""Opens a ledger's file for reading only, beside the process that writes it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.observe.ledger_schema import MIGRATIONS
from gateway.observe.ledger_store import NoLedger, UnreadableLedger

BUSY_SECONDS: Final = 5.0


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file's connection, closed at the end.

    Raises:
        NoLedger: there is no file.
        UnreadableLedger: it is none of this version.
    """
    if not path.exists():
        raise NoLedger
    try:
        connection = _connected(path)
    except sqlite3.Error as error:
        raise UnreadableLedger(f"cannot be read: {error}") from None
    try:
        yield connection
    except sqlite3.Error as error:
        raise UnreadableLedger(f"cannot be read: {error}") from None
    finally:
        connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    # Without its -wal a file of a folder that may not be written is whole, and opens only so.
    alone = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    connection = sqlite3.connect(address, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != len(MIGRATIONS):
            raise UnreadableLedger(_other_version(version))
    except BaseException:
        connection.close()
        raise
    return connection


def _other_version(version: int) -> str:
    if version > len(MIGRATIONS):
        return "was written by a newer version of the gateway: ask that version"
    if version == 0:
        return "is no ledger of the gateway, or an empty one"
    return "was written by an older version of the gateway: start this one, which brings the file up to date"
