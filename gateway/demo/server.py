"""The demo provider's socket: HTTP/1.1 on a free loopback port, a thread a connection.

It is a server of its own and not a shortcut inside the gateway, so that what a first call shows (pooling, streaming,
failover) is what a vendor's server would show. The standard library's HTTP parser is enough for it: its one caller is
the gateway, which proves itself with a key made at start.
"""

import hmac
import secrets
import socket
import socketserver
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias

import msgspec

from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import BodyTooLarge, GatewayError, InvalidRequest, KeyRefused, MethodNotAllowed, RouteNotFound
from gateway.demo.answers import answer
from gateway.demo.rendering import Stamp, render_chunks, render_error, render_models, render_whole
from gateway.demo.request import UNAVAILABLE, read_request

MAX_BODY = 64 * 1024 * 1024
MAX_REFUSED_BODY = 64 * 1024  # read and dropped, so that the refusal is seen: closing over unread bytes resets
IDLE_SECONDS = 120.0  # a connection that says nothing, or takes nothing, for so long is closed

_Address: TypeAlias = "tuple[str, int]"


class DemoProvider:
    """The demo upstream, from `start` to `close`.

    Args:
        word_delay: seconds between two pieces of a streamed answer.
        clock: tells the time that answers carry.
    """

    def __init__(self, *, word_delay: float = 0.03, clock: Clock | None = None) -> None:
        self.key = secrets.token_urlsafe(32)
        self.word_delay = word_delay
        self.clock = clock or SystemClock()
        self.closing = threading.Event()
        self._server: _Server | None = None

    def __repr__(self) -> str:
        return f"DemoProvider({self.base_url if self._server else 'not started'})"

    @property
    def base_url(self) -> str:
        """The address up to and with /v1. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("The demo provider has not been started.")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def start(self) -> None:
        """Listen on a free loopback port. Raises OSError where there is none, RuntimeError on a second call."""
        if self._server is not None or self.closing.is_set():
            raise RuntimeError("The demo provider can be started only once.")
        self._server = _Server(self)
        self._server.start()

    def close(self) -> None:
        """Stop at once: running streams are cut; no thread and no socket stays. A second call does nothing."""
        already_closing = self.closing.is_set()
        self.closing.set()
        if self._server is not None and not already_closing:
            self._server.stop()

    def authorized(self, header: str) -> bool:
        """Whether an Authorization header shows the key; compared as bytes, for any text and in constant time."""
        return hmac.compare_digest(header.encode("utf-8", "replace"), f"Bearer {self.key}".encode())


class _Server(socketserver.TCPServer):
    """The listening socket and its connections.

    Not http.server's, which asks DNS for its own name, nor the library's threading one: neither can end a connection
    that is open.
    """

    allow_reuse_address = False  # on Windows it would let another program take the same port
    request_queue_size = 1024  # a burst of connections is not to be refused

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
        """Wake and end every thread. The provider's closing event is set already."""
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_address[1]), timeout=5).close()
        self._accepting.join()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        """One at a time without a timeout: an idle demo costs no wake-ups. `stop` wakes it by a connection."""
        while not self.provider.closing.is_set():
            self.handle_request()

    def get_request(self) -> tuple[socket.socket, _Address]:
        """The next connection; with no descriptor left, accept fails at once and is not to be asked in a tight loop."""
        try:
            return super().get_request()
        except OSError:
            self.provider.closing.wait(0.1)
            raise

    def verify_request(self, request: object, client_address: object) -> bool:
        return not self.provider.closing.is_set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: _Address) -> None:
        """Serve a connection in a thread of its own. Only the accepting thread comes here."""
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
        """The life of a connection. A caller that leaves is no event."""
        try:
            with suppress(OSError):
                self.finish_request(connection, client_address)
        finally:
            self.shutdown_request(connection)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection; out of the set first, so that `stop` never touches a descriptor used again."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)


class _Connection(BaseHTTPRequestHandler):
    """One connection's requests, in turn."""

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
        """What http.server itself refuses, in the same shape as everything else."""
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
                case method, "/v1/chat/completions" | "/v1/models":
                    raise MethodNotAllowed(f"{method} is not a method of this path.")
                case _:
                    raise RouteNotFound("The demo provider has no such path.")
        except GatewayError as error:
            self._send_failure(error)

    def _body(self) -> bytes:
        """The request's body, only for callers with the key."""
        length, fault = self._content_length()
        if not self._provider.authorized(self.headers.get("Authorization", "")):
            fault = KeyRefused("This is the gateway's own demo provider; call the gateway instead.")
        if fault is not None:
            self.close_connection = True
            self.rfile.read(min(length, MAX_REFUSED_BODY))
            raise fault
        return self.rfile.read(length)

    def _content_length(self) -> tuple[int, GatewayError | None]:
        """The length told, and what is wrong with it."""
        told = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (told.isascii() and told.isdigit() and len(told) < 20):
            return 0, InvalidRequest("A request needs one valid Content-Length.")
        if int(told) > MAX_BODY:
            return int(told), BodyTooLarge(f"The body is larger than {MAX_BODY} bytes.")
        return int(told), None

    def _chat(self, body: bytes) -> None:
        request = read_request(body)
        if request.model == UNAVAILABLE:
            raise GatewayError(f"The model {UNAVAILABLE} is always unavailable.", status=503, code="overloaded")
        said = answer(request, lambda: "call_" + secrets.token_hex(12))
        stamp = Stamp("chatcmpl-" + secrets.token_hex(12), int(self._provider.clock.wall()), request.model)
        if not request.stream:
            self._send_json(200, render_whole(said, stamp))
            return
        self._send_stream(
            [msgspec.json.encode(chunk) for chunk in render_chunks(said, stamp, usage=request.wants_usage)]
        )

    def _send_stream(self, chunks: list[bytes]) -> None:
        """Server-sent events, paced. The head leaves with the first event; closing cuts the stream without an end."""
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


def _framed(data: bytes) -> bytes:
    """One event as one chunk of a chunked body (RFC 9112, section 7.1)."""
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)
