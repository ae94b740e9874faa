"""Everybody who reads records gets each of them; one that fails ends neither the call nor the others."""

import pytest

from gateway.core.records import AttemptRecord, CallRecord
from gateway.observe.observers import Observers

ATTEMPT = AttemptRecord("req_1", "a/m", "503", "Unavailable", None, 7)
CALL = CallRecord(1e9, "req_1", "best", "best", "a", "m", "chat", 200, None, False, 0, 1, 2)


class Notes:
    """Keeps what it gets, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.records: list[object] = []
        self._fails = fails

    def finished(self, record: CallRecord) -> None:
        self._note(record)

    def refused(self, record: CallRecord) -> None:
        self._note(record)

    def attempt_failed(self, record: AttemptRecord) -> None:
        self._note(record)

    def _note(self, record: object) -> None:
        if self._fails:
            raise ZeroDivisionError
        self.records.append(record)


def test_each_gets_every_record_in_order() -> None:
    first, second = Notes(), Notes()
    observers = Observers([first, second])
    observers.attempt_failed(ATTEMPT)
    observers.finished(CALL)
    observers.refused(CALL)
    assert first.records == second.records == [ATTEMPT, CALL, CALL]


def test_one_that_fails_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    good = Notes()
    observers = Observers([Notes(fails=True), good])
    observers.finished(CALL)
    observers.attempt_failed(ATTEMPT)
    assert good.records == [CALL, ATTEMPT]
    assert [record.message for record in caplog.records] == ["an observer of calls failed"] * 2
