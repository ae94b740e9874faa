"""The named event that asks a gateway to drain on Windows."""

import sys
import threading
from collections.abc import Iterator

import pytest

from gateway.service.stop_event import StopEvent, event_name, set_event

HANG = 30
PORT = 65_321
"""Only a part of a name here."""
windows_only = pytest.mark.skipif(sys.platform != "win32", reason="named events are Windows'")


@pytest.fixture
def event() -> Iterator[StopEvent]:
    event = StopEvent()
    yield event
    event.close()
    event.close()


def test_its_name_tells_the_port_and_is_of_the_session() -> None:
    assert event_name(8080) == "Local\\llm-gateway-8080"


def test_where_no_gateway_serves_nobody_is_asked() -> None:
    assert set_event(PORT) is False


@windows_only
def test_who_sets_it_asks_the_gateway_to_stop(event: StopEvent) -> None:
    stopped = threading.Event()
    event.serving(PORT, stopped.set)
    assert not stopped.is_set()
    assert set_event(PORT) is True
    assert stopped.wait(HANG)


@windows_only
def test_a_gateway_that_has_ended_asks_nobody_and_leaves_no_event(event: StopEvent) -> None:
    stopped = threading.Event()
    event.serving(PORT, stopped.set)
    event.close()
    assert not stopped.is_set()
    assert set_event(PORT) is False


@windows_only
def test_an_event_that_an_earlier_gateway_still_holds_stops_no_later_one(event: StopEvent) -> None:
    earlier, later = threading.Event(), threading.Event()
    draining = StopEvent()
    draining.serving(PORT, earlier.set)
    set_event(PORT)
    assert earlier.wait(HANG)
    event.serving(PORT, later.set)
    assert not later.wait(0)
    assert set_event(PORT) is True
    assert later.wait(HANG)
    draining.close()
