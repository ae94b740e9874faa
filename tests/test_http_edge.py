"""The server's edge on real sockets: its own errors, sizes, framing, lanes, the way down, and what may be bound."""

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from waitress.utilities import RequestEntityTooLarge

from gateway.core.clock import SystemClock
from gateway.server.http import BindError, HttpServer, bind
from gateway.server.waitress_channel import adjustments
from gateway.server.waitress_lanes import WAITING_PER_THREAD, Lanes
from gateway.server.waitress_parser import THROWN_AWAY, Parser

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LIMIT = 20.0  # seconds; only a hang takes so long
MIB = 1 << 20
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"


class App:
    """Says what it was asked; a POST to /hold waits for `let_go`, a GET of /stream for each of its pieces."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.pieces = threading.Semaphore(0)
        self.held = threading.Semaphore(0)
        self.overloaded: list[bool] = []

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.overloaded.append(environ["gateway.overloaded"])
        if path == "/crash":
            raise RuntimeError("a fault of the application")
        if path == "/stream":
            start_response("200 OK", [("Content-Type", "text/event-stream")])
            return self._stream(environ["waitress.client_disconnected"])
        if path == "/hold" and not environ["gateway.overloaded"]:
            self.held.release()
            self.let_go.wait(LIMIT)
        body = json.dumps(
            {
                "method": environ["REQUEST_METHOD"],
                "path": path,
                "length": len(environ["wsgi.input"].read()),
                "authority": environ.get("gateway.authority"),
                "host": environ.get("HTTP_HOST"),
                "overloaded": environ["gateway.overloaded"],
            }
        ).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _stream(self, left: Callable[[], bool]) -> Iterator[bytes]:
        for number in range(3):
            yield b"piece %d " % number
            self.held.release()
            assert self.pieces.acquire(timeout=LIMIT)
        yield b"x" * (16 * MIB) + b" end"  # more than the kernel's buffers hold


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    yield made
    made.let_go.set()
    made.pieces.release(100)


class Served:
    """A running server and connections to it."""

    def __init__(self, app: "WSGIApplication", *, threads: int = 4, max_body: int = MIB) -> None:
        sockets = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = sockets[0].getsockname()
        self.server = HttpServer(app, sockets, threads=threads, max_body=max_body)
        self.server.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=LIMIT)

    def ask(self, request: bytes) -> "Answer":
        """Send everything, then read: the way most clients do it."""
        with self.connect() as connection:
            connection.sendall(request)
            return Answer(read_all(connection))

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()


class Answer:
    """A response, taken apart."""

    def __init__(self, text: bytes) -> None:
        head, _, self.body = text.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines)

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body[: int(self.headers["content-length"])])
        assert isinstance(value, dict)
        return value

    @property
    def error(self) -> dict[str, object]:
        """The error object of an answer that has everything an error of the server must have."""
        assert self.headers["content-type"] == "application/json"
        assert self.headers["connection"] == "close"
        assert self.headers["x-request-id"].startswith("req_")
        assert self.headers["x-content-type-options"] == "nosniff"
        assert self.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in self.headers
        error = self.json["error"]
        assert isinstance(error, dict)
        assert set(error) == {"message", "type", "param", "code"}
        return error


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> Answer:
    """One answer of a connection that stays open."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(1 << 16)
    answer = Answer(text)
    while len(answer.body) < int(answer.headers["content-length"]):
        answer.body += connection.recv(1 << 16)
    return answer


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(line + b"\r\n" for line in (b"Content-Length: %d" % len(body), *headers))
    return b"POST " + path + b" HTTP/1.1\r\n" + HEAD + lines + b"\r\n" + body


def get(path: bytes = b"/", *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"".join(line + b"\r\n" for line in headers) + b"\r\n"


def chunked(path: bytes, chunks: Iterable[bytes]) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"POST " + path + b" HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed


# Errors of the server itself ----------------------------------------------------------------------------------------

CLOSING = b"Connection: close"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-key\nx: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: one\r\n two\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: one\r\n\ttwo\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"TRANSFER-encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 2_000,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a" * 20_000,
        b"POST / HTTP/1.1\r\n"
        + HEAD
        + b"Expect: 100-continue\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_not_one_clear_http_request_is_an_openai_error_400(app: App, request_bytes: bytes) -> None:
    with Served(app) as served:
        answer = served.ask(request_bytes)
    assert (answer.status, answer.error["code"]) == (400, "bad_http")
    assert b"secret-key" not in answer.body
    assert not app.overloaded, "the application was asked"


def test_headers_over_the_limit_are_an_openai_error_431(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(get(b"/", b"X-Long: " + b"a" * 40_000))
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")
    assert "32 KiB" in str(answer.error["message"])


def test_a_transfer_coding_that_is_not_spoken_is_an_openai_error_501(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    assert (answer.status, answer.error["code"]) == (501, "not_implemented")


def test_a_crash_of_the_application_is_an_openai_error_500_without_details(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    with Served(app) as served:
        answer = served.ask(get(b"/crash"))
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert b"a fault of the application" not in answer.body
    assert "a fault of the application" in caplog.text


def test_what_is_smuggled_behind_a_refused_request_is_not_answered(app: App) -> None:
    refused = b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with Served(app) as served, served.connect() as connection:
        connection.sendall(refused + get(b"/smuggled"))
        text = read_all(connection)
    assert text.count(b"HTTP/1.1 ") == 1
    assert not app.overloaded


# Sizes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "status"), [(MIB - 1, 200), (MIB, 200), (MIB + 1, 413)])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(app: App, size: int, status: int, framing: str) -> None:
    body = b"x" * size
    request = post(b"/", body, CLOSING) if framing == "length" else chunked(b"/", [body[:1000], body[1000:]])
    with Served(app) as served, served.connect() as connection:
        connection.sendall(request)
        answer = read_answer(connection)
    assert answer.status == status
    if status == 200:
        assert answer.json["length"] == size


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_client_that_sends_a_body_far_too_large_gets_to_read_why(app: App, framing: str) -> None:
    body = b"x" * (40 * MIB)
    request = post(b"/", body) if framing == "length" else chunked(b"/", [body[:MIB]] * 40)
    with Served(app, max_body=32 * MIB) as served:
        answer = served.ask(request)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "32 MiB" in str(answer.error["message"])
    assert "gateway.maxBodyMiB" in str(answer.error["message"])
    assert not app.overloaded


def test_a_body_that_announces_no_end_is_refused_before_it_comes(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 999999999999\r\n\r\n")
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_a_body_without_end_is_cut(app: App) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with Served(app, max_body=MIB) as served, served.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            connection.sendall(chunk * 1024)
    assert not app.overloaded


def test_a_body_is_read_up_to_a_multiple_of_the_limit() -> None:
    parser = Parser(adjustments(4, MIB))
    parser.received(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    fed = 0
    while not parser.completed:
        fed += parser.received(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        assert parser.body_rcv is not None
        assert len(parser.body_rcv) <= MIB
    assert isinstance(parser.error, RequestEntityTooLarge)
    assert THROWN_AWAY * MIB < fed <= (THROWN_AWAY + 1) * MIB


def test_a_client_that_asks_before_sending_too_much_is_told_without_a_100(app: App) -> None:
    with Served(app) as served:
        head = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (2 * MIB)
        answer = served.ask(b"POST / HTTP/1.1\r\n" + HEAD + head)
    assert answer.status == 413


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


# What the application is told ---------------------------------------------------------------------------------------


def test_an_absolute_target_tells_its_authority(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"http://evil.example:99/path?x=1"))
        told = read_answer(connection).json
        connection.sendall(get(b"http:///path"))
        empty = read_answer(connection).json
        connection.sendall(get(b"//evil.example/path"))
        plain = read_answer(connection).json
    assert (told["authority"], told["path"], told["host"]) == ("evil.example:99", "/path", "localhost")
    assert empty["authority"] == ""
    assert (plain["authority"], plain["path"]) == (None, "/evil.example/path")


def test_a_repeated_host_is_visible(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"/", b"Host: evil.example"))
        assert read_answer(connection).json["host"] == "localhost, evil.example"


def test_a_connection_serves_one_request_after_the_other(app: App) -> None:
    with Served(app) as served, served.connect() as connection:
        for size in (0, 5, 70_000):
            connection.sendall(post(b"/", b"x" * size))
            assert read_answer(connection).json["length"] == size


def test_every_socket_is_served(app: App) -> None:
    first, second = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    server = HttpServer(app, [*first, *second], threads=4, max_body=MIB)
    server.start()
    with closing(server):
        for listener in (*first, *second):
            with socket.create_connection(listener.getsockname(), timeout=LIMIT) as connection:
                connection.sendall(get())
                assert read_answer(connection).status == 200


# Lanes --------------------------------------------------------------------------------------------------------------


class Caller:
    """A call on its way to a lane: waits inside until `let_go`."""

    def __init__(self, let_go: threading.Event, *, model: bool = True) -> None:
        self.is_model_call = model
        self.overloaded = False
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
    lanes = Lanes(SystemClock())
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
    lanes = Lanes(SystemClock())
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
    lanes = Lanes(SystemClock())
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


def test_bytes_that_nobody_reads_yet_keep_the_server_busy(app: App) -> None:
    app.pieces.release(3)
    with Served(app) as served, served.connect() as connection:
        connection.sendall(get(b"/stream"))
        for _ in range(3):
            assert app.held.acquire(timeout=LIMIT)
        served.server.stop_accepting()
        assert not served.server.wait_idle(0.1)
        assert read_all(connection).endswith(b" end\r\n0\r\n\r\n")
        assert served.server.wait_idle(LIMIT)


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
    server = HttpServer(app, sockets, threads=4, max_body=MIB)
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


# Binding ------------------------------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        bind("::1", 0)[0].close()
    except BindError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "",
        "192.168.1.10",
        "8.8.8.8",
        "fe80::1",
        "::ffff:127.0.0.1",
        "[::]",
        "127.1",
        "2130706433",
        "no-such-host.invalid",
        "localhost.localdomain",
        "*",
        "bad\nname",
    ],
)
def test_only_loopback_addresses_are_bound(host: str) -> None:
    with pytest.raises(BindError, match="not a loopback address") as caught:
        bind(host, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_loopback_is_bound_on_a_free_port(host: str) -> None:
    sockets = bind(host, 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    assert sockets[0].getsockname()[1] > 0
    for each in sockets:
        each.close()


@needs_ipv6
def test_localhost_is_bound_on_every_family_it_resolves_to() -> None:
    sockets = bind("localhost", 0, resolve_localhost=lambda: ["::1", "127.0.0.1"])
    assert [each.getsockname()[0] for each in sockets] == ["::1", "127.0.0.1"]
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_the_ipv6_loopback_is_bound(host: str) -> None:
    (only,) = bind(host, 0)
    assert only.getsockname()[0] == "::1"
    only.close()


def test_localhost_that_points_elsewhere_is_refused() -> None:
    with pytest.raises(BindError, match=r"192\.168\.1\.10"):
        bind("localhost", 0, resolve_localhost=lambda: ["127.0.0.1", "192.168.1.10"])


def test_localhost_that_does_not_resolve_is_refused() -> None:
    def fails() -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(BindError, match="does not resolve"):
        bind("localhost", 0, resolve_localhost=fails)
    with pytest.raises(BindError, match="no loopback address"):
        bind("localhost", 0, resolve_localhost=list)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(BindError, match="--port"):
        bind("127.0.0.1", port)


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    with closing(bind("127.0.0.1", 0)[0]) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=rf"127\.0\.0\.1:{port} is in use.*--port"):
            bind("127.0.0.1", port)


@needs_ipv6
@pytest.mark.parametrize(("taken", "wanted"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_port_that_is_served_on_the_other_family_is_refused(taken: str, wanted: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BindError, match=f"{port} is in use"):
            bind(wanted, port)
    again = bind(wanted, port)  # nothing of the refused attempt is left
    again[0].close()


def test_a_bound_port_is_free_again_after_its_connections() -> None:
    (first,) = bind("127.0.0.1", 0)
    address = first.getsockname()
    with socket.create_connection(address, timeout=LIMIT) as client:
        server_side, _ = first.accept()
        server_side.close()  # this side goes into TIME_WAIT
        assert client.recv(1) == b""
    first.close()
    (second,) = bind("127.0.0.1", address[1])
    second.close()


def test_a_client_that_takes_nothing_is_given_up() -> None:
    """Its answer waits in our buffers; waitress alone would keep it, and the connection's place, for ever."""

    def large(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(64 * MIB))])
        return [bytes(64 * MIB)]

    with Served(large) as served, served.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        (server,) = served.server._servers
        looked = threading.Event()

        def act(later: float) -> None:
            server.maintenance(int(time.time() + later))
            looked.set()

        def look(later: float) -> None:
            looked.clear()
            server.call_in_loop(lambda: act(later))
            assert looked.wait(LIMIT)

        while not any(channel.total_outbufs_len > 16 * MIB for channel in server.channels):
            look(0)
        look(30)
        assert served.server.busy == 1, "half a minute is a slow client, not a dead one"
        look(90)
        assert served.server.wait_idle(LIMIT)
        assert not server.channels
