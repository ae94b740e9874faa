"""Clients that take their time: a request has so long to come, an answer so long to be taken, and nobody else waits."""

import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from gateway.httpd.supervision import IDLE_SECONDS, LEAST_RATE, RECEIVE_SECONDS, STALL_SECONDS
from tests.support.edge import HEAD, LIMIT, MIB, Answer, App, Served, get, post, read_all, read_answer
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

POST = b"POST / HTTP/1.1\r\n" + HEAD


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def is_open(connection: socket.socket) -> bool:
    """Whether the server has left it as it is: nothing has come, and no close."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        connection.settimeout(LIMIT)
    return False


def drip(served: Served, connection: socket.socket, clock: FakeClock, seconds: float) -> None:
    """A byte a second, which may be part of anything that takes letters."""
    for _ in range(int(seconds)):
        clock.advance(1)
        connection.sendall(b"a")
        served.let_time_be_read()


UNFINISHED = {
    "in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-",
    "in a body": POST + b"Content-Length: 1000\r\n\r\n",
    "in a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
    "in a chunk's size line": POST + b"Transfer-Encoding: chunked\r\n\r\n1;",
    "in a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-",
    "in a body that was asked for": POST + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
}


@pytest.mark.parametrize("begun", UNFINISHED.values(), ids=UNFINISHED)
def test_a_request_that_drips_is_given_up_however_steadily(app: App, clock: FakeClock, begun: bytes) -> None:
    with Served(app, clock=clock) as served, served.connect() as connection:
        connection.sendall(begun)
        served.let_time_be_read()
        if b"Expect" in begun:
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        drip(served, connection, clock, RECEIVE_SECONDS)
        assert is_open(connection)
        clock.advance(2)
        served.let_time_be_read()
        answer = Answer(read_all(connection))
    assert (answer.status, answer.error["code"]) == (408, "request_too_slow")
    assert not app.overloaded


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET / HT"])
def test_what_is_not_yet_a_request_is_closed_without_an_answer(app: App, clock: FakeClock, begun: bytes) -> None:
    with Served(app, clock=clock) as served, served.connect() as connection:
        connection.sendall(begun)
        served.let_time_be_read()
        clock.advance(max(IDLE_SECONDS, RECEIVE_SECONDS) + 1)
        served.let_time_be_read()
        assert read_all(connection) == b""


def test_a_large_body_has_as_much_time_as_its_bytes_are_worth(app: App, clock: FakeClock) -> None:
    seconds = int(3 * RECEIVE_SECONDS)
    with Served(app, max_body=8 * MIB, clock=clock) as served, served.connect() as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % (seconds * LEAST_RATE))
        for _ in range(seconds):
            connection.sendall(b"x" * LEAST_RATE)
            until_read(served)
            clock.advance(1)
        assert read_answer(connection).json["length"] == seconds * LEAST_RATE


def test_a_large_body_that_is_announced_and_not_sent_has_no_more_time_than_a_small_one(
    app: App, clock: FakeClock
) -> None:
    with Served(app, max_body=8 * MIB, clock=clock) as served, served.connect() as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % (8 * MIB))
        served.let_time_be_read()
        clock.advance(RECEIVE_SECONDS + 1)
        served.let_time_be_read()
        assert Answer(read_all(connection)).status == 408


def until_read(served: Served) -> None:
    """Returns when everything that was sent has been read, and time has been looked at."""
    while any(connection.has_input() for connection in served.server.connections):
        served.let_time_be_read()
    served.let_time_be_read()


def test_a_call_that_runs_for_long_is_none_of_these(app: App, clock: FakeClock) -> None:
    with Served(app, clock=clock) as served, served.connect() as connection:
        connection.sendall(post(b"/hold", b"{}") + get()[:20])
        assert app.held.acquire(timeout=LIMIT)
        for _ in range(10):
            clock.advance(60)
            served.let_time_be_read()
        app.let_go.set()
        assert read_answer(connection).status == 200
        clock.advance(RECEIVE_SECONDS - 5)  # the time of the request behind it begins only now
        served.let_time_be_read()
        connection.sendall(get()[20:])
        assert read_answer(connection).status == 200


def test_an_idle_connection_is_closed(app: App, clock: FakeClock) -> None:
    with Served(app, clock=clock) as served, served.connect() as connection:
        served.let_time_be_read()
        clock.advance(IDLE_SECONDS - 1)
        connection.sendall(get())
        assert read_answer(connection).status == 200
        clock.advance(IDLE_SECONDS - 1)
        served.let_time_be_read()
        assert is_open(connection)
        clock.advance(IDLE_SECONDS + 1)  # whole: the worker may have put its stamp on after the first step
        served.let_time_be_read()
        assert read_all(connection) == b""


# Answers that nobody takes ------------------------------------------------------------------------------------------


class Plenty:
    """Answers with so many pieces of a mebibyte, more than all buffers hold, after `may_answer`."""

    def __init__(self, pieces: int) -> None:
        self.ended = threading.Event()
        self.may_answer = threading.Event()
        self._pieces = pieces

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        assert self.may_answer.wait(LIMIT)
        start_response("200 OK", [("Content-Length", str(self._pieces * MIB))])
        return self._stream()

    def _stream(self) -> Iterator[bytes]:
        try:
            for _ in range(self._pieces):
                yield bytes(MIB)
        finally:
            self.ended.set()


def waiting_bytes(served: Served) -> int:
    return sum(connection.output.untaken for connection in served.server.connections)


@pytest.mark.parametrize(
    ("pieces", "blocked"), [(15, False), (64, True)], ids=["all written", "a worker waits for room"]
)
def test_an_answer_that_nobody_takes_is_given_up(clock: FakeClock, pieces: int, blocked: bool) -> None:
    app = Plenty(pieces)
    with Served(app, clock=clock) as served, served.connect() as connection:
        app.may_answer.set()
        connection.sendall(get())
        while waiting_bytes(served) < (16 if blocked else 1) * MIB or app.ended.is_set() is blocked:
            served.let_time_be_read()
        clock.advance(1)
        served.let_time_be_read()  # sees them wait, the first time
        clock.advance(STALL_SECONDS / 2)
        served.let_time_be_read()
        assert served.server.busy == 1, "half a minute is a slow client, not a dead one"
        clock.advance(STALL_SECONDS)
        served.let_time_be_read()
        assert app.ended.wait(LIMIT), "the worker still waits"
        assert served.open == 0


def test_an_answer_that_came_late_has_its_own_time(clock: FakeClock) -> None:
    """The provider was silent for longer than a caller may be: the bytes that wait now have only just come."""
    app = Plenty(32)
    with Served(app, clock=clock) as served, served.connect() as connection:
        connection.sendall(get())
        served.let_time_be_read()
        clock.advance(10 * STALL_SECONDS)
        app.may_answer.set()
        while waiting_bytes(served) < 16 * MIB:
            served.let_time_be_read()
        clock.advance(1)
        served.let_time_be_read()
        assert len(read_all_of(connection, 32 * MIB)) >= 32 * MIB


def read_all_of(connection: socket.socket, size: int) -> bytes:
    text = b""
    while len(text) < size:
        part = connection.recv(1 << 20)
        assert part, "the server has given up"
        text += part
    return text


def test_whoever_takes_a_little_now_and_then_is_waited_for(clock: FakeClock) -> None:
    app = Plenty(48)
    with Served(app, clock=clock) as served, served.connect() as connection:
        app.may_answer.set()
        connection.sendall(get(b"/", b"Connection: close"))
        taken = 0
        for _ in range(5):
            taken += len(read_all_of(connection, 6 * MIB))
            (connected,) = served.server.connections
            while connected.output.untaken and connected.output.taken_at < clock.monotonic():
                served.let_time_be_read()  # until the server has got rid of some more
            clock.advance(STALL_SECONDS - 5)
            served.let_time_be_read()
        assert taken + len(read_all(connection)) > 48 * MIB
