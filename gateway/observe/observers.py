"""Everybody who wants to know how calls and attempts have ended: the log first.

Records come on the threads that serve calls, and on the one that carries all streams. So an observer never blocks: what
takes time goes to a thread of its own. What an observer raises is logged and ends neither the call nor the others.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from gateway.core.records import AttemptRecord, CallRecord

_Record = TypeVar("_Record", CallRecord, AttemptRecord)

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """One reader of records. Any thread may call it, several at a time."""

    def finished(self, record: CallRecord) -> None:
        """A call has ended. Never blocks."""

    def refused(self, record: CallRecord) -> None:
        """A call was refused before its body was looked at, and has a line in the log already. Never blocks."""

    def attempt_failed(self, record: AttemptRecord) -> None:
        """An attempt has failed; the call may still be answered. Never blocks."""


class Observers:
    """All of them, as one.

    Args:
        observers: in the order in which each gets a record.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._finished = [each.finished for each in observers]
        self._refused = [each.refused for each in observers]
        self._attempt_failed = [each.attempt_failed for each in observers]

    def finished(self, record: CallRecord) -> None:
        """See Observer."""
        _tell(self._finished, record)

    def refused(self, record: CallRecord) -> None:
        """See Observer."""
        _tell(self._refused, record)

    def attempt_failed(self, record: AttemptRecord) -> None:
        """See Observer."""
        _tell(self._attempt_failed, record)


NO_OBSERVERS: Final = Observers(())


def _tell(observers: Sequence[Callable[[_Record], None]], record: _Record) -> None:
    for observe in observers:
        try:
            observe(record)
        except Exception:
            logger.exception("an observer of calls failed")
