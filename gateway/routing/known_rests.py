"""What one call does on the board of rests (rest_board.py), beside what it does to the health of its own process.

Health's own records are copies of the board: before an event a record adopts what others have written since it looked
last, then it is what it would be without a board, and what the event has changed of its rest is written. So one rule
decides what a failure means, in target_health.py, for one process and for many. Health's lock guards everything here.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.routing.rest_board import Rest, RestBoard
from gateway.routing.router import Target

SAME: Final = 0.001
"""Seconds. A board may round times; two that differ by less are one."""


class Record(Protocol):
    """What a process knows itself of an entry: TargetHealth of a provider's server, AccountRest of an account.

    Attributes:
        serial: of the entry that it has adopted or written last.
        others_wait: whether they do so until a probe has ended well, not only until its first content.
    """

    serial: int

    @property
    def others_wait(self) -> bool: ...

    def adopt(self, rest: Rest) -> None:
        """Take over what others know."""

    def binding(self, now: float) -> Rest | None:
        """The rest that binds; None where none does."""

    def is_clear(self) -> bool:
        """Whether nothing is left of earlier rests."""


def adopt(board: RestBoard, key: Target, record: Record) -> Rest | None:
    """Have a record take over what others have written. Returns what stands on the board."""
    rest = board.find(key)
    if rest is not None and rest.serial != record.serial:
        record.adopt(rest)
        record.serial = rest.serial
    return rest


class KnownRests:
    """One call's entries.

    Args:
        board: the board.
        records: the entries that the call asks through, and what this process knows of them.
    """

    __slots__ = ("_board", "_probes", "_records")

    def __init__(self, board: RestBoard, records: Sequence[tuple[Target, Record]]) -> None:
        self._board = board
        self._records = records
        self._probes: set[Target] = set()

    def enter(self, now: float, *, forced: bool) -> bool:
        """Take the probes that are needed. Returns False where another call has one; then none is kept, and the call
        is not to ask unless it is forced to."""
        for key, record in self._records:
            rest = adopt(self._board, key, record)
            if rest is None or not rest.needs_probe(now):
                continue
            if self._board.probe(key, now):
                self._probes.add(key)
            elif not forced:
                for each in self._probes:
                    self._board.release(each)
                return False
        return True

    def first_content(self) -> None:
        """A probe that has content has shown enough, except where its end is waited for."""
        for key, record in self._records if self._probes else ():
            if key in self._probes and not record.others_wait:
                self._lift(key, record)

    def settle(self, event: Callable[[], None], now: float) -> None:
        """The call has its outcome.

        Args:
            event: does to the records what it does.
            now: the time.
        """
        before = [adopt(self._board, key, record) for key, record in self._records]
        event()
        for (key, record), rest in zip(self._records, before, strict=True):
            self._write(key, record, rest, now)

    def _write(self, key: Target, record: Record, before: Rest | None, now: float) -> None:
        """Write what the event has changed."""
        binding = record.binding(now)
        if binding is not None and (before is None or binding.until > before.until + SAME):
            record.serial = self._board.rest(key, binding, now).serial
            self._probes.discard(key)
        elif before is not None and not before.lifted and record.is_clear():
            self._lift(key, record)
        elif key in self._probes:
            self._probes.discard(key)
            self._board.release(key)

    def _lift(self, key: Target, record: Record) -> None:
        self._probes.discard(key)
        if (rest := self._board.lift(key)) is not None:
            record.serial = rest.serial
