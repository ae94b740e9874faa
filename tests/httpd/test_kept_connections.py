"""A thread that has answered a model call waits a moment for the next one of the same caller, and nothing else changes:
whoever asks something else, leaves, is slow, or comes from elsewhere finds what they would find without it."""

import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.clock import SystemClock
from gateway.httpd import thread_pools
from gateway.httpd.connection import WATCH_AFTER_SECONDS
from gateway.httpd.ownership import WORKER
from gateway.httpd.supervision import IDLE_SECONDS, RECEIVE_SECONDS
from gateway.httpd.thread_pools import KEEP_TURN_SECONDS, ThreadPools
from tests.httpd.test_thread_pools import Caller
from tests.support.edge import LIMIT, Served, get, post, read_answer, received, until
from tests.support.examples import examples
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LONG = b"x" * 200_000


class Echo:
    """Answers with the query it was asked; /hold waits for `let_go`. Notes who served what."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.left: list[Callable[[], bool]] = []
        self.let_go = threading.Event()
        self.held = threading.Semaphore(0)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self.threads.append(threading.current_thread().name)
        self.left.append(environ["waitress.client_disconnected"])
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/hold":
            self.held.release()
            self.let_go.wait(LIMIT)
        said = b"%s %d" % (environ["QUERY_STRING"].encode(), len(body))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [said]


@pytest.fixture
def echo() -> Iterator[Echo]:
    app = Echo()
    yield app
    app.let_go.set()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait for as long as a test may take, so that none is lost on a busy machine."""
    monkeypatch.setattr(thread_pools, "KEEP_WAIT_SECONDS", LIMIT)
    monkeypatch.setattr(thread_pools, "KEEP_TURN_SECONDS", 10 * LIMIT)


def ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    answer = read_answer(connection)
    assert answer.status == 200
    return answer.body


def until_the_loop_has_it(served: Served) -> None:
    until(lambda: not served.server.pools.running)
    served.let_time_be_read()


def until_kept(served: Served) -> None:
    """A thread waits on every connection: it does a moment after its answer has left."""
    until(lambda: all(each.owner is WORKER and each.serving is None for each in served.server.connections))


@pytest.mark.usefixtures("patient")
def test_who_asks_again_at_once_is_served_by_the_same_thread(echo: Echo) -> None:
    with Served(echo, threads=16) as served, served.connect() as one, served.connect() as other:
        for connection in (one, other):
            ask(connection, post(b"/", b"{}"))
        until_kept(served)
        for number in range(5):
            assert ask(one, post(b"/?%d" % number, LONG)) == b"%d %d" % (number, len(LONG))
            assert ask(other, post(b"/?%d" % number, b"{}")) == b"%d 2" % number
        one.shutdown(socket.SHUT_WR)
        other.shutdown(socket.SHUT_WR)
        assert (one.recv(1), other.recv(1)) == (b"", b"")
    later = echo.threads[2:]
    assert len(set(later[::2])) == len(set(later[1::2])) == 1
    assert len(set(later)) == 2


@pytest.mark.usefixtures("patient")
def test_what_is_no_model_call_goes_to_its_own_threads_from_there_too(echo: Echo) -> None:
    with Served(echo, threads=16) as served, served.connect() as connection:
        for number in range(3):
            assert ask(connection, post(b"/?p%d" % number, b"{}")) == b"p%d 2" % number
            assert ask(connection, get(b"/?g%d" % number)) == b"g%d 0" % number
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert {name.rstrip("0123456789") for name in echo.threads[::2]} == {"gateway-model-"}
    assert {name.rstrip("0123456789") for name in echo.threads[1::2]} == {"gateway-other-"}


@pytest.mark.usefixtures("patient")
def test_after_two_requests_that_came_together_the_connection_is_read_on(echo: Echo) -> None:
    with Served(echo, threads=16) as served, served.connect() as connection:
        ask(connection, post(b"/", b"{}"))
        until_kept(served)
        for number in range(3):
            connection.sendall(post(b"/?a%d" % number, b"{}") + get(b"/?b%d" % number))
            came = b""
            while b"b%d 0" % number not in came:
                came += received(connection)
            assert came.index(b"a%d 2" % number) < came.index(b"b%d 0" % number)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


@pytest.mark.usefixtures("patient")
def test_a_caller_who_leaves_during_a_later_call_is_noticed(echo: Echo) -> None:
    clock = FakeClock()
    with Served(echo, threads=16, clock=clock) as served:
        with served.connect() as connection:
            ask(connection, post(b"/?first", b"{}"))
            until_kept(served)
            connection.sendall(post(b"/hold", b"{}"))
            assert echo.held.acquire(timeout=LIMIT)
        assert not echo.left[-1]()
        clock.advance(WATCH_AFTER_SECONDS * 2)
        echo.left[-1]()  # asked now and then, and from now on the loop watches
        served.let_time_be_read()
        assert echo.left[-1]()
        echo.let_go.set()


def test_a_connection_that_was_kept_is_closed_when_it_idles(echo: Echo) -> None:
    clock = FakeClock()
    with Served(echo, threads=16, clock=clock) as served, served.connect() as connection:
        ask(connection, post(b"/?1", b"{}"))
        ask(connection, post(b"/?2", b"{}"))
        until_the_loop_has_it(served)
        clock.advance(IDLE_SECONDS + 1)
        served.let_time_be_read()
        assert connection.recv(1) == b""


def test_a_request_that_stops_half_way_on_a_kept_connection_is_refused_in_time(echo: Echo) -> None:
    clock = FakeClock()
    with Served(echo, threads=16, clock=clock) as served, served.connect() as connection:
        ask(connection, post(b"/?1", b"{}"))
        connection.sendall(post(b"/?2", LONG)[:-1])
        until_the_loop_has_it(served)
        clock.advance(RECEIVE_SECONDS + len(LONG))
        served.let_time_be_read()
        assert read_answer(connection).status == 408


def test_a_kept_connection_closes_when_the_server_stops_accepting(echo: Echo) -> None:
    with Served(echo, threads=16) as served, served.connect() as connection:
        ask(connection, post(b"/?1", b"{}"))
        served.server.stop_accepting()
        assert connection.recv(1) == b""
        assert served.server.wait_idle(LIMIT)


def test_no_thread_waits_for_more_where_few_are_free() -> None:
    pools = ThreadPools(SystemClock(), most_calls=100)
    let_go = threading.Event()
    pools.set_thread_count(5)
    held, last = [Caller(let_go) for _ in range(3)], Caller(let_go)
    try:
        for call in (*held, last):
            pools.add_task(call)
            assert call.began.wait(LIMIT)
        assert not pools.may_keep(math.inf)
        let_go.set()
    finally:
        let_go.set()
        assert pools.shutdown()
    assert pools.may_keep(math.inf)


class Insatiable(Caller):
    """Has a next call at once, again and again."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(threading.Event())
        self._let_go.set()
        self.clock = clock
        self.served = 0

    def service(self) -> bool:
        self.served += 1
        self.clock.advance(KEEP_TURN_SECONDS / 4)
        return True

    def wait_for_next_request(self, seconds: float) -> bool:
        return True

    def give_back(self) -> None:
        self.ended.set()


def test_a_caller_who_goes_on_and_on_is_kept_for_its_turn_only() -> None:
    clock = FakeClock()
    pools = ThreadPools(clock, most_calls=100)
    pools.set_thread_count(5)
    caller = Insatiable(clock)
    try:
        pools.add_task(caller)
        assert caller.ended.wait(LIMIT)
    finally:
        assert pools.shutdown()
    assert caller.served == 4


REQUESTS = st.lists(st.tuples(st.booleans(), st.integers(0, 300)), min_size=1, max_size=6)


@settings(max_examples=examples(30), deadline=None)
@given(asked=REQUESTS, cuts=st.lists(st.integers(1, 400), max_size=12))
def test_answers_stand_in_the_order_of_requests_however_these_are_cut(
    asked: list[tuple[bool, int]], cuts: list[int]
) -> None:
    requests = [
        post(b"/?%d" % number, b"x" * size) if is_call else get(b"/?%d" % number)
        for number, (is_call, size) in enumerate(asked)
    ]
    rest = b"".join(requests)
    came = b""
    with Served(Echo(), threads=16) as served, served.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in cuts:
            connection.sendall(rest[:cut])
            rest = rest[cut:]
        connection.sendall(rest)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65_536):
            came += part
    heads_and_bodies = came.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [each.partition(b"\r\n\r\n")[2] for each in heads_and_bodies] == [
        b"%d %d" % (number, size if is_call else 0) for number, (is_call, size) in enumerate(asked)
    ]
