"""The HTTP server with a small application behind it, and bare sockets that talk to it."""

import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.httpd.interfaces import Application, Headers
from gateway.httpd.listener import CONNECTIONS
from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from gateway.server.errors import render_engine_error
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from tests.support.running import Running

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


def application(app: "WSGIApplication") -> Application:
    """The application with errors like the gateway's, for which every POST is a model call."""
    return Application(app, render_error, lambda method, path: method == "POST")


def render_error(error: GatewayError, path: str) -> tuple[int, Headers, bytes]:
    return render_engine_error(error, OpenAIChatCallers())


class Served:
    """A running server and connections to it."""

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        threads: int = 4,
        max_body: int = MIB,
        clock: Clock | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        sockets = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = sockets[0].getsockname()
        self.server = HttpServer(
            application(app), sockets, threads=threads, max_body=max_body, clock=clock, connections=connections
        )
        self.server.start()

    def let_time_be_read(self) -> None:
        """Have the loop accept and read what has come, and look at the clock: what is due has been done on return."""
        for _ in range(25):  # a thread is busy for a moment after its answer has left; one that is held stays so
            if not self.server.pools.others_running:
                break
            threading.Event().wait(0.002)
        for _ in range(3):  # accepted in one round, read in the next; it looks at the clock between two
            self.server.run_in_loop(lambda: None)

    @property
    def open(self) -> int:
        """Connections that the server holds, but for those that it has given up: their threads let them go soon."""
        return sum(not each.output.broken for each in self.server.connections)

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


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread is about to bring about."""
    for _ in range(int(LIMIT / 0.002)):
        if true():
            return
        threading.Event().wait(0.002)
    pytest.fail("it did not come true")


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> Answer:
    """One answer of a connection that stays open."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += received(connection)
    answer = Answer(text)
    while len(answer.body) < int(answer.headers["content-length"]):
        answer.body += received(connection)
    return answer


def statuses(text: bytes) -> list[int]:
    """Those of all answers that a connection gave."""
    return [int(each) for each in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", text)]


def received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    assert data, "the server has closed the connection"
    return data


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(line + b"\r\n" for line in (b"Content-Length: %d" % len(body), *headers))
    return b"POST " + path + b" HTTP/1.1\r\n" + HEAD + lines + b"\r\n" + body


def get(path: bytes = b"/", *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"".join(line + b"\r\n" for line in headers) + b"\r\n"


def chunked(path: bytes, chunks: Iterable[bytes]) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"POST " + path + b" HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed


def connect_to(gateway: Running) -> socket.socket:
    """A connection to a whole gateway."""
    return socket.create_connection(("127.0.0.1", gateway.gateway.port), timeout=LIMIT)


@contextmanager
def room_for_descriptors(count: int) -> Iterator[None]:
    """As many as the system lets a test have; skips where that is too few."""
    if sys.platform == "win32":
        pytest.skip("select() takes 512 sockets, those of the test included")
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"a process may have {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
