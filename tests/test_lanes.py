"""Two lanes: model calls wait for a thread in a bounded line, for a bounded time; the rest never waits for them."""

import select
import threading
from contextlib import ExitStack

import pytest

from gateway.core.clock import SystemClock
from gateway.server.waitress_lanes import WAITING_PER_THREAD, Lanes
from tests.edge import LIMIT, App, Served, get, post, read_answer


class Caller:
    """A call on its way to a lane: waits inside until `let_go`."""

    def __init__(self, let_go: threading.Event, *, model: bool = True) -> None:
        self.is_model_call = model
        self.overloaded = False
        self.left = False
        self.began = threading.Event()
        self.ended = threading.Event()
        self.cancelled = False
        self._let_go = let_go

    def service(self) -> None:
        self.began.set()
        if self.is_model_call and not self.overloaded:
            self._let_go.wait(LIMIT)
        self.ended.set()

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(("threads", "reserved"), [(4, 1), (8, 1), (16, 2), (64, 4), (1024, 4)])
def test_a_few_threads_are_reserved(threads: int, reserved: int) -> None:
    lanes = Lanes(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    lanes.set_thread_count(threads)
    try:
        calls = [Caller(let_go) for _ in range(threads)]
        for call in calls:
            lanes.add_task(call)
        for call in calls[: threads - reserved]:
            assert call.began.wait(LIMIT)
        assert (lanes.running, lanes.waiting) == (threads - reserved, reserved)
    finally:
        let_go.set()
        assert lanes.shutdown()


def test_a_model_call_too_many_is_marked_and_served_at_once() -> None:
    lanes = Lanes(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    lanes.set_thread_count(4)
    try:
        calls = [Caller(let_go) for _ in range(3 + 4 * WAITING_PER_THREAD)]
        extra, other = Caller(let_go), Caller(let_go, model=False)
        for call in (*calls, extra, other):
            lanes.add_task(call)
        assert extra.ended.wait(LIMIT) and other.ended.wait(LIMIT)
        assert (extra.overloaded, other.overloaded) == (True, False)
        assert not any(call.overloaded or call.ended.is_set() for call in calls)
        let_go.set()
        assert all(call.ended.wait(LIMIT) for call in calls)
    finally:
        let_go.set()
        assert lanes.shutdown()
    assert (lanes.running, lanes.waiting) == (0, 0)


def test_a_shutdown_cancels_what_waits_and_does_not_wait_for_what_hangs() -> None:
    lanes = Lanes(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    lanes.set_thread_count(2)
    running, waiting = Caller(let_go), Caller(let_go)
    lanes.add_task(running)
    assert running.began.wait(LIMIT)
    lanes.add_task(waiting)
    assert not lanes.shutdown(timeout=0.05)
    assert waiting.cancelled and not running.cancelled
    assert (lanes.running, lanes.waiting) == (1, 0)
    let_go.set()
    assert lanes.shutdown()


def test_get_answers_while_model_calls_hold_every_thread(app: App, caplog: pytest.LogCaptureFixture) -> None:
    with Served(app, threads=4) as served, ExitStack() as open_calls:
        calls = [open_calls.enter_context(served.connect()) for _ in range(5)]
        for call in calls:
            call.sendall(post(b"/hold", b"{}"))
        for _ in range(3):
            assert app.held.acquire(timeout=LIMIT)
        with served.connect() as connection:
            connection.sendall(get(b"/health"))
            assert read_answer(connection).status == 200
        assert served.server.lanes.running == 3
        app.let_go.set()
        for call in calls:
            assert read_answer(call).status == 200
    assert "queue depth" not in caplog.text


def test_the_application_is_told_of_a_model_call_too_many(app: App) -> None:
    admitted = 3 + 4 * WAITING_PER_THREAD
    with Served(app, threads=4) as served, ExitStack() as open_calls:
        calls = [open_calls.enter_context(served.connect()) for _ in range(admitted + 1)]
        for call in calls:
            call.sendall(post(b"/hold", b"{}"))
        (answered,), _, _ = select.select(calls, [], [], LIMIT)
        assert read_answer(answered).json["overloaded"] is True
        for _ in range(3):  # the refusal may overtake the calls that were admitted
            assert app.held.acquire(timeout=LIMIT)
        assert (served.server.lanes.running, served.server.lanes.waiting) == (3, admitted - 3)
        app.let_go.set()
