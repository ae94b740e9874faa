"""The demo provider's HTTP server: HTTP/1.1 on a free loopback port, one thread for each connection.

It is a real server and no shortcut inside the gateway, so that a first call shows the same pooling, streaming and
failover as with a vendor's server. The standard library's HTTP parser is good enough, because the gateway is its only
client. The gateway authenticates with a key that is made at the start.
"""

import hmac
import secrets
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias

import msgspec

from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import BodyTooLarge, GatewayError, InvalidRequest, KeyRefused, MethodNotAllowed, RouteNotFound
from gateway.demo.answers import answer
from gateway.demo.embeddings import read_embedding_request, render_embeddings
from gateway.demo.rendering import Stamp, render_chunks, render_error, render_models, render_whole
from gateway.demo.request import UNAVAILABLE, read_request

MAX_BODY = 64 * 1024 * 1024
MAX_REFUSED_BODY = 64 * 1024  # read and dropped: closing with unread bytes resets the connection and hides the refusal
IDLE_SECONDS = 120.0  # a connection that sends nothing, or takes nothing, for so long is closed
STOP_SECONDS = 5.0  # that threads get to end; they need milliseconds

_Address: TypeAlias = "tuple[str, int]"


class DemoProvider:
    """The demo upstream, from `start` to `close`.

    Args:
        word_delay: seconds between two pieces of a streamed answer.
        clock: the time that answers contain.
        key: that callers show; one is made by default.
    """

    def __init__(self, *, word_delay: float = 0.03, clock: Clock | None = None, key: str | None = None) -> None:
        self.key = key or secrets.token_urlsafe(32)
        self.word_delay = word_delay
        self.clock = clock or SystemClock()
        self.closing = threading.Event()
        self._server: _Server | None = None

    def __repr__(self) -> str:
        return f"DemoProvider({self.base_url if self._server else 'not started'})"

    @property
    def base_url(self) -> str:
        """The address, including /v1. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("The demo provider has not been started.")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def start(self) -> None:
        """Listen on a free loopback port.

        Raises:
            OSError: there is none.
            RuntimeError: it was started before.
        """
        if self._server is not None or self.closing.is_set():
            raise RuntimeError("The demo provider can be started only once.")
        self._server = _Server(self)
        self._server.start()

    def close(self) -> None:
        """Stop at once and break running streams. No thread and no socket is left. Idempotent."""
        already_closing = self.closing.is_set()
        self.closing.set()
        if self._server is not None and not already_closing:
            self._server.stop()

    def authorized(self, header: str) -> bool:
        """Whether an Authorization header has the key. Compares bytes, so that any text works, in constant time."""
        return hmac.compare_digest(header.encode("utf-8", "replace"), f"Bearer {self.key}".encode())


class _Server(socketserver.TCPServer):
    """The listening socket and its connections.

    It replaces http.server's server, which asks DNS for its own name, and the standard library's threading server.
    Neither of them can end an open connection.
    """

    allow_reuse_address = False  # on Windows it would let another program take the same port
    request_queue_size = 1024  # so that a burst of connections is not refused

    def __init__(self, provider: DemoProvider) -> None:
        self.provider = provider
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._serving: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="demo-accept", daemon=True)
        super().__init__(("127.0.0.1", 0), _Connection)

    def start(self) -> None:
        self._accepting.start()

    def stop(self) -> None:
        """Wake and end every thread. The provider has set its closing event before."""
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_address[1]), timeout=5).close()
        self._accepting.join(STOP_SECONDS)
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._serving:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        """Accept connections one by one, without a timeout: an idle demo never wakes. `stop` connects to wake it."""
        while not self.provider.closing.is_set():
            self.handle_request()

    def get_request(self) -> tuple[socket.socket, _Address]:
        """The next connection. Without a free descriptor accept fails at once, so this pauses before the next try."""
        try:
            return super().get_request()
        except OSError:
            self.provider.closing.wait(0.1)
            raise

    def verify_request(self, request: object, client_address: object) -> bool:
        return not self.provider.closing.is_set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: _Address) -> None:
        """Serve a connection in its own thread. Only the accepting thread calls this."""
        if not isinstance(request, socket.socket):
            raise TypeError("a stream server has sockets only")
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="demo-connection", daemon=True
        )
        with self._lock:
            self._open.add(request)
        thread.start()
        self._serving = [*(alive for alive in self._serving if alive.is_alive()), thread]

    def _serve(self, connection: socket.socket, client_address: _Address) -> None:
        """Serve a connection until its end. A client that leaves is no error."""
        try:
            with suppress(OSError):
                self.finish_request(connection, client_address)
        finally:
            self.shutdown_request(connection)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection. It leaves the set first, so that `stop` never touches a reused descriptor."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)


class _Connection(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: _Server

    def setup(self) -> None:
        self._provider = self.server.provider
        super().setup()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the gateway logs the calls it makes."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send http.server's own refusals in the same format as all other errors."""
        self.close_connection = True
        self._send_failure(GatewayError(message or HTTPStatus(code).phrase, type="invalid_request_error", status=code))

    def _serve(self) -> None:
        """Answer one request."""
        try:
            body = self._body()
            match self.command, self.path.partition("?")[0]:
                case "POST", "/v1/chat/completions":
                    self._chat(body)
                case "GET", "/v1/models":
                    self._send_json(200, render_models(int(self._provider.clock.wall())))
                case "POST", "/v1/embeddings":
                    self._embed(body)
                case method, "/v1/chat/completions" | "/v1/models" | "/v1/embeddings":
                    raise MethodNotAllowed(f"{method} is not a method of this path.")
                case _:
                    raise RouteNotFound("The demo provider has no such path.")
        except GatewayError as error:
            self._send_failure(error)

    def _body(self) -> bytes:
        """The request's body. Raises the refusal, also for a client without the key."""
        length, fault = self._content_length()
        if not self._provider.authorized(self.headers.get("Authorization", "")):
            fault = KeyRefused("This is the gateway's own demo provider; call the gateway instead.")
        if fault is not None:
            self.close_connection = True
            self.rfile.read(min(length, MAX_REFUSED_BODY))
            raise fault
        return self.rfile.read(length)

    def _content_length(self) -> tuple[int, GatewayError | None]:
        """The value of Content-Length, and what is wrong with it."""
        value = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (value.isascii() and value.isdigit() and len(value) < 20):
            return 0, InvalidRequest("A request needs one valid Content-Length.")
        if int(value) > MAX_BODY:
            return int(value), BodyTooLarge(f"The body is larger than {MAX_BODY} bytes.")
        return int(value), None

    def _embed(self, body: bytes) -> None:
        request = read_embedding_request(body)
        _check_available(request.model)
        self._send_json(200, render_embeddings(request))

    def _chat(self, body: bytes) -> None:
        request = read_request(body)
        _check_available(request.model)
        answered = answer(request, lambda: "call_" + secrets.token_hex(12))
        stamp = Stamp("chatcmpl-" + secrets.token_hex(12), int(self._provider.clock.wall()), request.model)
        if not request.stream:
            self._send_json(200, render_whole(answered, stamp))
            return
        self._send_stream(
            [msgspec.json.encode(chunk) for chunk in render_chunks(answered, stamp, usage=request.wants_usage)]
        )

    def _send_stream(self, chunks: list[bytes]) -> None:
        """Send events at their pace. The head leaves with the first event. Closing breaks the stream off."""
        head = self._head(200, ("Content-Type: text/event-stream; charset=utf-8", "Transfer-Encoding: chunked"))
        for chunk in chunks:
            self.wfile.write(head + _framed(chunk))
            head = b""
            if self._provider.closing.wait(self._provider.word_delay):
                self.close_connection = True
                return
        self.wfile.write(_framed(b"[DONE]") + b"0\r\n\r\n")

    def _send_failure(self, error: GatewayError) -> None:
        self._send_json(error.status, render_error(error))

    def _send_json(self, status: int, value: dict[str, object]) -> None:
        body = msgspec.json.encode(value)
        head = self._head(status, ("Content-Type: application/json", f"Content-Length: {len(body)}"))
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))

    def _head(self, status: int, fields: tuple[str, ...]) -> bytes:
        lines = [
            f"HTTP/1.1 {status:d} {HTTPStatus(status).phrase}",
            f"Date: {self.date_time_string()}",
            f"x-request-id: req_{secrets.token_hex(12)}",
            "Cache-Control: no-cache",
            *fields,
            *(["Connection: close"] if self.close_connection else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def _check_available(model: str) -> None:
    if model == UNAVAILABLE:
        raise GatewayError(f"The model {UNAVAILABLE} is always unavailable.", status=503, code="overloaded")


def _framed(data: bytes) -> bytes:
    """One event as one chunk of a chunked body (RFC 9112, section 7.1)."""
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)
