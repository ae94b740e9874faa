"""Whose line it is, where several workers write one log."""

import io
import logging
from typing import Literal

import pytest

from gateway.core.records import CallRecord
from gateway.core.strict_json import loads
from gateway.observe import logs
from gateway.observe.log_format import JsonFormatter, PrettyFormatter
from gateway.observe.masking import Masker

RECORD = CallRecord(
    at=0.0,
    request_id="req_1",
    asked="m",
    alias="m",
    provider="acme",
    model="m",
    endpoint="chat",
    status=200,
    error=None,
    streamed=False,
    queue_ms=0,
    first_ms=None,
    total_ms=1,
)


@pytest.mark.parametrize("worker", [0, 15])
def test_as_json_it_is_a_field_of_calls_and_of_everything_else(worker: int) -> None:
    formatter = JsonFormatter(Masker(), worker)
    other = logging.makeLogRecord({"msg": "something", "levelname": "INFO"})
    for line in (formatter.call("INFO", 0.0, RECORD), formatter.format(other)):
        found = loads(line.encode())
        assert isinstance(found, dict)
        assert found["worker"] == worker
        assert list(found)[:4] == ["time", "level", "event", "worker"]


def test_for_people_it_stands_before_the_text() -> None:
    formatter = PrettyFormatter(Masker(), 1)
    assert "INFO    [1] req_1 m ->" in formatter.call("INFO", 0.0, RECORD)
    assert formatter.format(logging.makeLogRecord({"msg": "something", "levelname": "INFO"})).endswith("[1] something")


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_where_one_process_serves_alone_no_line_names_a_worker(form: Literal["pretty", "json"]) -> None:
    formatter = JsonFormatter(Masker()) if form == "json" else PrettyFormatter(Masker())
    line = formatter.call("INFO", 0.0, RECORD)
    assert "worker" not in line
    assert "[None]" not in line


def test_it_stays_when_the_form_changes() -> None:
    text = io.StringIO()
    handler = logs.set_up("info", "pretty", [], text, worker=3)
    try:
        logs.change("info", "json")
        logging.getLogger("gateway").info("changed")
    finally:
        logging.getLogger().removeHandler(handler)
    assert '"worker":3' in text.getvalue()
