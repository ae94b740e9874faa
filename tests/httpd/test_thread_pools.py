"""Two pools: model calls wait for a thread in a bounded line, for a bounded time; the rest never waits for them."""

import select
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.core.clock import SystemClock
from gateway.httpd.thread_pools import LONGEST_WAIT, WAITING_PER_THREAD, ThreadPools
from tests.support.edge import LIMIT, App, Served, get, post, read_answer
from tests.support.fakes import FakeClock


class Caller:
    """A call on its way to a lane: waits inside until `let_go`."""

    def __init__(self, let_go: threading.Event, *, model: bool = True) -> None:
        self.is_model_call = model
        self.overloaded = False
        self.is_crowded = False
        self.left = False
        self.began = threading.Event()
        self.ended = threading.Event()
        self.cancelled = False
        self._let_go = let_go

    def service(self) -> bool:
        self.began.set()
        if self.is_model_call and not self.overloaded:
            self._let_go.wait(LIMIT)
        self.ended.set()
        return False

    def wait_for_next_request(self, seconds: float) -> bool:
        return False

    def give_back(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(("threads", "reserved"), [(4, 1), (8, 1), (16, 2), (64, 4), (1024, 4)])
def test_a_few_threads_are_reserved(threads: int, reserved: int) -> None:
    pools = ThreadPools(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    pools.set_thread_count(threads)
    try:
        calls = [Caller(let_go) for _ in range(threads)]
        for call in calls:
            pools.add_task(call)
        for call in calls[: threads - reserved]:
            assert call.began.wait(LIMIT)
        assert (pools.running, pools.waiting) == (threads - reserved, reserved)
    finally:
        let_go.set()
        assert pools.shutdown()


def test_a_model_call_too_many_is_marked_and_served_at_once() -> None:
    pools = ThreadPools(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    pools.set_thread_count(4)
    try:
        calls = [Caller(let_go) for _ in range(3 + 4 * WAITING_PER_THREAD)]
        extra, other = Caller(let_go), Caller(let_go, model=False)
        for call in (*calls, extra, other):
            pools.add_task(call)
        assert extra.ended.wait(LIMIT) and other.ended.wait(LIMIT)
        assert (extra.overloaded, other.overloaded) == (True, False)
        assert not any(call.overloaded or call.ended.is_set() for call in calls)
        let_go.set()
        assert all(call.ended.wait(LIMIT) for call in calls)
    finally:
        let_go.set()
        assert pools.shutdown()
    assert (pools.running, pools.waiting) == (0, 0)


class Full:
    """ThreadPools on a clock of the test, whose only model thread is taken."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pools = ThreadPools(self.clock, most_calls=100)
        self.let_go = threading.Event()
        self.pools.set_thread_count(2)
        self.first = self.call()
        assert self.first.began.wait(LIMIT)

    def call(self) -> Caller:
        caller = Caller(self.let_go)
        self.pools.add_task(caller)
        return caller


@pytest.fixture
def full() -> Iterator[Full]:
    made = Full()
    yield made
    made.let_go.set()
    assert made.pools.shutdown()


def test_a_call_that_has_waited_for_too_long_is_told_so_by_the_other_lane(full: Full) -> None:
    early = full.call()
    full.clock.advance(1)
    late = full.call()
    assert full.pools.next_deadline == full.clock.monotonic() - 1 + LONGEST_WAIT
    full.clock.advance(LONGEST_WAIT - 1.5)
    full.pools.enforce_timeouts(full.clock.monotonic())
    assert full.pools.waiting == 2
    full.clock.advance(0.5)
    full.pools.enforce_timeouts(full.clock.monotonic())
    assert early.ended.wait(LIMIT)
    assert (early.overloaded, full.pools.waiting) == (True, 1)
    full.let_go.set()
    assert late.ended.wait(LIMIT)
    assert not late.overloaded


def test_a_call_whose_caller_has_left_gives_its_place_up(full: Full) -> None:
    waiting = [full.call() for _ in range(2 * WAITING_PER_THREAD)]
    waiting[3].left = True
    full.pools.enforce_timeouts(full.clock.monotonic())
    assert waiting[3].cancelled
    assert full.pools.waiting == 2 * WAITING_PER_THREAD - 1
    another = full.call()
    full.let_go.set()
    for call in (*waiting[:3], *waiting[4:], another):
        assert call.ended.wait(LIMIT)
    assert not waiting[3].began.is_set()
    assert not another.overloaded


def test_a_thread_that_becomes_free_passes_over_whoever_has_left(full: Full) -> None:
    gone, stays = full.call(), full.call()
    gone.left = True
    full.let_go.set()
    assert stays.ended.wait(LIMIT)
    assert gone.cancelled and not gone.began.is_set()


def test_no_call_waits_and_nothing_is_due(full: Full) -> None:
    assert full.pools.next_deadline is None


def test_calls_leave_some_connections_to_everything_else() -> None:
    pools = ThreadPools(SystemClock(), most_calls=5)
    let_go = threading.Event()
    pools.set_thread_count(4)
    try:
        calls = [Caller(let_go) for _ in range(6)]
        for call in calls:
            pools.add_task(call)
        assert calls[-1].ended.wait(LIMIT)
        assert [call.overloaded for call in calls] == [False] * 5 + [True]
    finally:
        let_go.set()
        assert pools.shutdown()


def test_a_shutdown_cancels_what_waits_and_does_not_wait_for_what_hangs() -> None:
    pools = ThreadPools(SystemClock(), most_calls=10_000)
    let_go = threading.Event()
    pools.set_thread_count(2)
    running, waiting = Caller(let_go), Caller(let_go)
    pools.add_task(running)
    assert running.began.wait(LIMIT)
    pools.add_task(waiting)
    assert not pools.shutdown(timeout=0.05)
    assert waiting.cancelled and not running.cancelled
    assert (pools.running, pools.waiting) == (1, 0)
    let_go.set()
    assert pools.shutdown()


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
        assert served.server.pools.running == 3
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
        assert (served.server.pools.running, served.server.pools.waiting) == (3, admitted - 3)
        app.let_go.set()


def test_the_server_tells_a_call_that_has_waited_for_too_long(app: App) -> None:
    clock = FakeClock()
    with Served(app, threads=2, clock=clock) as served, served.connect() as running, served.connect() as waiting:
        running.sendall(post(b"/hold", b"{}"))
        assert app.held.acquire(timeout=LIMIT)
        waiting.sendall(post(b"/hold", b"{}"))
        served.let_time_be_read()
        assert served.server.pools.waiting == 1
        clock.advance(LONGEST_WAIT)
        served.let_time_be_read()
        assert read_answer(waiting).json["overloaded"] is True
        app.let_go.set()
        assert read_answer(running).json["overloaded"] is False


def test_the_server_forgets_a_waiting_call_whose_caller_hangs_up(app: App) -> None:
    clock = FakeClock()
    with Served(app, threads=2, clock=clock) as served, served.connect() as running:
        running.sendall(post(b"/hold", b"{}"))
        assert app.held.acquire(timeout=LIMIT)
        with served.connect() as waiting:
            waiting.sendall(post(b"/hold", b"{}"))
            served.let_time_be_read()
        served.let_time_be_read()
        clock.advance(1)
        served.let_time_be_read()
        assert (served.server.pools.waiting, served.open) == (0, 1)
        app.let_go.set()
        assert read_answer(running).status == 200
    assert len(app.overloaded) == 1, "the application was asked for it"
