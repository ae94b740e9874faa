"""`Connection.owner` as the tests have it: a hand-over that is none, or from a thread that may not, fails the run.

The product writes a plain attribute. Here every write is looked at: whether the table has it, and whether the loop's
own (taking a connection out of LOOP, closing it) come from the loop's thread.
"""

import threading
import traceback
from typing import Final

from gateway.httpd.connection import Connection
from gateway.httpd.event_loop import EventLoop
from gateway.httpd.ownership import CLOSED, HAND_OVERS, LOOP, Owner


class CheckedOwner:
    """A data descriptor in the place of `Connection.owner`."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.hand_overs = 0

    def __get__(self, connection: Connection | None, kind: type[Connection]) -> Owner:
        return LOOP if connection is None else connection.__dict__.get("owner", LOOP)

    def __set__(self, connection: Connection, owner: Owner) -> None:
        before: Owner = connection.__dict__.get("owner", LOOP)
        self.hand_overs += 1
        if (before, owner) not in HAND_OVERS:
            self._fault(f"{before.name} -> {owner.name} is no hand-over")
        if (before is LOOP or owner is CLOSED) and not _is_on_its_loop(connection):
            self._fault(f"{before.name} -> {owner.name} on thread {threading.current_thread().name}")
        connection.__dict__["owner"] = owner

    def _fault(self, what: str) -> None:
        self.faults.append(what + "\n" + "".join(traceback.format_stack(limit=8)))


CHECK: Final = CheckedOwner()


def _is_on_its_loop(connection: Connection) -> bool:
    """Whether this is the thread of the connection's loop, or that has none any more."""
    loop: EventLoop | None = getattr(connection, "_loop", None)
    ident = 0 if loop is None else loop._thread
    return ident == threading.get_ident() or ident not in {each.ident for each in threading.enumerate()}


def install() -> None:
    """From here on, for every connection of this process."""
    Connection.owner = CHECK  # type: ignore[assignment]
