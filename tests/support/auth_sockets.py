"""The sockets of the test authorization server: requests in, answers out, and scripted faults."""

import json
import socketserver
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tests.support.ports import free_port

HANG_SECONDS = 30.0  # longer than any test takes; only a hang is longer


@dataclass(frozen=True)
class Raw:
    """An answer that is sent unchanged, for servers that deviate."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Fault: TypeAlias = Raw | threading.Event | Literal["cut", "lost"] | tuple[int, Mapping[str, str], bytes]
"""A fault in place of the usual answer: another answer; the usual one, but only when the event is set; the connection's
end before anything is done; its end after everything was done, including the rotation."""


@dataclass(frozen=True)
class Received:
    """One received request, with the fields of its query or body."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def grant_type(self) -> str | None:
        return self.fields.get("grant_type")


class Owner(Protocol):
    """Gives the answers. Called by many threads."""

    def record(self, request: Received) -> None: ...

    def failed(self, fault: BaseException) -> None: ...

    def next_fault(self, path: str) -> Fault | None: ...

    def answer(self, request: Received) -> Raw: ...


class HttpServer(ThreadingHTTPServer):
    """The socket and its threads: one thread for each connection, one connection for each request."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", free_port()), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(
            self
        )  # HTTPServer's looks its own name up, which takes seconds on some systems
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        fault = sys.exc_info()[1]
        if fault is not None and not isinstance(
            fault, (ConnectionError, TimeoutError)
        ):  # a client that left is no fault
            self.owner.failed(fault)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = HANG_SECONDS
    server: HttpServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the requests are in `requests`."""

    def _serve(self) -> None:
        owner = self.server.owner
        self.close_connection = True
        request = self._received()
        owner.record(request)
        fault = owner.next_fault(request.path)
        if fault == "cut":
            return
        if isinstance(fault, threading.Event):
            assert fault.wait(HANG_SECONDS), "the event that an answer waits for was not set"
        if isinstance(fault, tuple):
            fault = Raw(*fault)
        answer = fault if isinstance(fault, Raw) else owner.answer(request)
        if fault != "lost":
            self._send(answer)

    def _received(self) -> Received:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get_content_type() == "application/json":
            fields = json.loads(body)
        else:
            fields = dict(parse_qsl(body.decode() if body else address.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Received(self.command, address.path, headers, fields, body)

    def _send(self, answer: Raw) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
