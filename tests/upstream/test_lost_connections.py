"""Kept connections that a router, a VPN or a sleep has cut: nobody tells their end, and nobody acknowledges a request.

They are told from a model that is slow, which acknowledges: its request goes out once, however long it thinks.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from gateway.core.provider_failures import ProviderTimeout
from gateway.upstream.transport import IDLE_SECONDS, Transport
from tests.support.black_hole import BlackHole, can_drop
from tests.support.transports import BOTH, LONG, SHORT, Opening, everything, open_stream, post, unwatched
from tests.support.upstream_script import Cut, Request, ScriptedUpstream, Send, Stall, Step, json_answer
from tests.upstream.test_kept_connections import GOODBYE

needs_drop = pytest.mark.skipif(not can_drop(), reason="only Linux drops the packets of one socket by a filter")


@contextmanager
def kept_to(hole: BlackHole, name: str, connect_seconds: float) -> Iterator[Transport]:
    opened = BOTH[name](hole.base_url, connect_seconds=connect_seconds)
    with closing(opened) as session:
        everything(session.post(post(hole.base_url), LONG, unwatched))
        yield session


@needs_drop
@pytest.mark.parametrize("size", [2, 8_000_000], ids=["small", "more than the system takes"])
@pytest.mark.parametrize("name", BOTH)
def test_a_kept_connection_that_is_a_black_hole_is_replaced(name: str, size: int) -> None:
    with BlackHole() as hole, kept_to(hole, name, 0.3) as session:
        hole.swallow_what_comes()
        everything(session.post(post(hole.base_url, b" " * size), LONG, unwatched))
        assert (hole.connections, hole.answered) == (2, 2)


def test_a_kept_connection_that_nobody_hears_is_replaced(
    up: ScriptedUpstream, session_to: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on every system: what the system says of the connection is scripted."""
    for module in ("direct.connection", "proxied.timed_response"):
        monkeypatch.setattr(f"gateway.upstream.{module}.is_unheard", lambda connection: True)
    with closing(session_to(up.base_url, connect_seconds=SHORT)) as session:
        everything(open_stream(session, up))
        up.plays(Stall())
        everything(open_stream(session, up))
    assert [request.connection for request in up.requests] == [0, 0, 1]


@needs_drop
@pytest.mark.parametrize("name", BOTH)
def test_a_fresh_connection_that_is_a_black_hole_is_silence(name: str) -> None:
    with BlackHole() as hole, closing(BOTH[name](hole.base_url, connect_seconds=0.1)) as session:
        hole.swallow_what_comes()
        with pytest.raises(ProviderTimeout):
            session.post(post(hole.base_url), 0.3, unwatched)
        assert hole.connections == 1


class Patience:
    """Notes when a transport has looked at a silent connection, and leaves it to the keep-alive probes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Event()
        self.limits: list[int] = []
        for module in ("direct.connection", "proxied.timed_response", "proxied.adapter"):
            monkeypatch.setattr(f"gateway.upstream.{module}.limit_unacknowledged", self._noted)

    def _noted(self, connection: object, seconds: int) -> None:
        self.limits.append(seconds)
        self.begun.set()

    def then(self, *steps: Step) -> Callable[[Request], Sequence[Step]]:
        """An answer after that."""
        return lambda _: steps if self.begun.wait(LONG) else ()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    return Patience(monkeypatch)


def test_a_slow_model_acknowledges_and_is_waited_for(
    up: ScriptedUpstream, session_to: Opening, patience: Patience
) -> None:
    with closing(session_to(up.base_url, connect_seconds=0.3)) as session:
        everything(open_stream(session, up))
        up.answers(patience.then(json_answer("at last")))
        assert b"at last" in everything(open_stream(session, up))
    assert (up.connections, len(up.requests)) == (1, 2)
    assert patience.limits == [0, 15], "patient while it thinks, and no more in the pool"


def test_a_408_after_a_while_is_an_answer(up: ScriptedUpstream, session_to: Opening, patience: Patience) -> None:
    with closing(session_to(up.base_url, connect_seconds=0.3)) as session:
        everything(open_stream(session, up))
        up.answers(patience.then(Send(GOODBYE), Cut()))
        stream = open_stream(session, up)
        assert (stream.status, everything(stream)) == (408, b"")
    assert len(up.requests) == 2


if sys.platform == "linux":  # each system has a clock of its own

    def test_what_a_connection_has_idled_is_measured_by_a_clock_that_runs_in_sleep(
        up: ScriptedUpstream, session_to: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The machine sleeps for as long as a router remembers, and the usual clock stands still."""
        awake = time.clock_gettime
        slept = {time.CLOCK_BOOTTIME: IDLE_SECONDS}
        with closing(session_to(up.base_url)) as session:
            for _ in range(2):
                everything(open_stream(session, up))
            assert up.connections == 1
            monkeypatch.setattr(time, "clock_gettime", lambda clock: awake(clock) + slept.get(clock, 0.0))
            everything(open_stream(session, up))
        assert up.connections == 2
