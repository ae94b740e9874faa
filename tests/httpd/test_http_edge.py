"""The server's edge on real sockets: its own errors, what the application is told, and the way down.

How it stands up to hostile bytes, slow callers and crowds is in tests/security.
"""

import socket
import threading
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from tests.support.edge import (
    HEAD,
    LIMIT,
    MIB,
    Answer,
    App,
    Served,
    application,
    chunked,
    get,
    post,
    read_all,
    read_answer,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def test_a_crash_of_the_application_is_an_openai_error_500_without_details(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    with Served(app) as served:
        answer = served.ask(get(b"/crash"))
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert b"a fault of the application" not in answer.body
    assert "a fault of the application" in caplog.text


# What the application is told ---------------------------------------------------------------------------------------


def test_an_absolute_target_tells_its_authority(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"http://evil.example:99/path?x=1"))
        told = read_answer(connection).json
        connection.sendall(get(b"//evil.example/path"))
        plain = read_answer(connection).json
    assert (told["authority"], told["path"], told["host"]) == ("evil.example:99", "/path", "localhost")
    assert (plain["authority"], plain["path"]) == (None, "/evil.example/path")


def test_a_connection_serves_one_request_after_the_other(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        for size in (0, 5, 70_000):
            connection.sendall(post(b"/", b"x" * size))
            assert read_answer(connection).json["length"] == size


def test_every_socket_is_served(app: App) -> None:
    first, second = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    server = HttpServer(application(app), [*first, *second], threads=4, max_body=MIB)
    server.start()
    with closing(server):
        for listener in (*first, *second):
            with socket.create_connection(listener.getsockname(), timeout=LIMIT) as connection:
                connection.sendall(get())
                assert read_answer(connection).status == 200


def test_a_client_that_asks_before_sending_is_told_to_go_on(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.recv(len(go_on), socket.MSG_WAITALL) == go_on
        connection.sendall(b"{}")
        assert read_answer(connection).json["length"] == 2


def test_an_expectation_without_a_body_is_answered(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"/", b"Expect: 100-continue"))
        assert read_answer(connection).status == 200


def test_a_chunked_body_may_come_byte_by_byte(app: App) -> None:
    request = chunked(b"/", [b"ab", b"c"])
    with Served(app, max_body=3) as served, served.connect() as connection:
        for each in request:
            connection.sendall(bytes([each]))
        assert read_answer(connection).json["length"] == 3


# The way down -------------------------------------------------------------------------------------------------------


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=LIMIT).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stream_ends_whole_after_new_connections_are_refused(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"/stream"))
        assert app.held.acquire(timeout=LIMIT)
        served.server.stop_accepting()
        assert refused(served.address)
        assert served.server.busy == 1
        assert not served.server.wait_idle(0.05)
        app.pieces.release(3)
        reading = Reader(connection)
        assert served.server.wait_idle(LIMIT)
        served.server.close()
        text = reading.text()
    assert b"piece 0 " in text and b"piece 2 " in text
    assert text.endswith(b" end\r\n0\r\n\r\n")


class Reader(threading.Thread):
    """Reads a connection to its end."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._text = b""
        self.start()

    def run(self) -> None:
        self._text = read_all(self._connection)

    def text(self) -> bytes:
        self.join(LIMIT)
        return self._text


def ask_for_all_pieces(app: App, connection: socket.socket) -> None:
    """The large one at the end is under way, and more than is taken without being read."""
    app.pieces.release(3)
    connection.sendall(get(b"/stream"))
    for _ in range(3):
        assert app.held.acquire(timeout=LIMIT)


def test_bytes_that_nobody_reads_yet_keep_the_server_busy(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        ask_for_all_pieces(app, connection)
        served.server.stop_accepting()
        assert not served.server.wait_idle(0.1)
        assert read_all(connection).endswith(b" end\r\n0\r\n\r\n")
        assert served.server.wait_idle(LIMIT)


def test_a_connection_closes_behind_bytes_that_were_not_taken_when_the_server_stopped(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        ask_for_all_pieces(app, connection)
        while served.server.pools.running or any(each.serving for each in served.server.connections):
            served.let_time_be_read()
        assert served.server.busy == 1
        served.server.stop_accepting()
        assert read_all(connection).endswith(b" end\r\n0\r\n\r\n")


def test_an_idle_connection_is_closed_and_a_busy_one_after_its_answer(app: App) -> None:
    with Served(app) as served, served.connect() as idle, served.connect() as fresh, served.connect() as busy:
        idle.sendall(get())
        assert read_answer(idle).status == 200
        fresh.sendall(get()[:20])  # half a request: neither idle nor busy
        busy.sendall(post(b"/hold", b"{}"))
        assert app.held.acquire(timeout=LIMIT)
        served.server.stop_accepting()
        assert idle.recv(1) == b""
        app.let_go.set()
        answer = Answer(read_all(busy))
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        fresh.sendall(get()[20:])
        assert Answer(read_all(fresh)).headers["connection"] == "close"
        assert served.server.wait_idle(LIMIT)


def test_close_ends_threads_sockets_and_waiting_callers(app: App) -> None:
    before = set(threading.enumerate())
    served = Served(app, threads=4)
    idle, waiting = served.connect(), served.connect()
    waiting.sendall(get(b"/stream"))
    assert app.held.acquire(timeout=LIMIT)
    app.pieces.release(100)
    served.server.close()
    served.server.close()
    assert set(threading.enumerate()) <= before
    assert refused(served.address)
    assert served.server.busy == 0
    assert idle.recv(1) == b""
    idle.close()
    waiting.close()


def test_a_server_that_never_started_closes_its_sockets(app: App) -> None:
    sockets = bind("127.0.0.1", 0)
    address = sockets[0].getsockname()
    server = HttpServer(application(app), sockets, threads=4, max_body=MIB)
    server.stop_accepting()
    server.close()
    assert refused(address)


def test_a_caller_that_left_is_noticed_while_the_answer_is_made() -> None:
    noticed = threading.Event()
    started = threading.Event()

    def waits(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        left = environ["waitress.client_disconnected"]
        started.set()
        pause = threading.Event()
        while not left():
            pause.wait(0.005)
        noticed.set()
        start_response("200 OK", [])
        return []

    with Served(waits) as served:
        connection = served.connect()
        connection.sendall(post(b"/", b"{}"))
        assert started.wait(LIMIT)
        connection.close()
        assert noticed.wait(LIMIT)
