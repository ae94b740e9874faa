"""What is done for one request on a worker thread: the application is asked, or the server itself answers.

What waitress answers by itself (400, 500) and what our parser refuses are OpenAI error objects like every other error,
and the application is told what only the server knows. Environ and head are put together here, not by waitress: its
way takes 25 us a request for checks of what the parser has checked and of an application that is ours, it sends the
head by itself, and it closes the connection after every answer of unknown length, which needs none of it.

Sources: PEP 3333; RFC 9112 sections 6.1 (Transfer-Encoding), 9.3 (persistence).
"""

import sys
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from waitress.task import Task
from waitress.utilities import Error, build_http_date

from gateway.core.errors import InternalFault
from gateway.server.headers import ALWAYS, new_request_id
from gateway.server.waitress_parser import Parser
from gateway.wires.openai_chat.inbound.errors import render_error

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIEnvironment

    from gateway.server.waitress_channel import Channel

WITHOUT_PREFIX: Final = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE"})
"""Fields that WSGI names without HTTP_."""
LAST_CHUNK: Final = b"0\r\n\r\n"


class Answer(Task):
    """An answer on its way: its head, and a body of known length, in chunks, or until the connection's end."""

    request: Parser  # type: ignore[assignment]  # the stub knows refused ones only
    response_headers: list[tuple[str, str]]

    def __init__(self, channel: "Channel", request: Parser) -> None:
        super().__init__(channel, cast(Error, request))
        self.connection = channel

    def write(self, data: bytes) -> None:
        """Send a piece of the body, behind the head where that has not left."""
        if not self.complete:
            raise RuntimeError("start_response was not called before body written")
        head = b""
        if not self.wrote_header:
            head = self.build_response_header()
            self.wrote_header = True
        if data and self.has_body:
            if self.chunked_response:
                data = b"%X\r\n%b\r\n" % (len(data), data)
            elif self.content_length is not None:
                data = data[: self.content_length - self.content_bytes_written]
                self.content_bytes_written += len(data)
            head += data
        if head:
            self.connection.write_soon(head)

    def finish(self) -> None:
        if not self.wrote_header:
            self.write(b"")
        if self.chunked_response:
            self.connection.write_soon(LAST_CHUNK)

    def build_response_header(self) -> bytes:
        """The head, and with it whether the connection serves another request.

        Raises:
            ValueError: a header holds a line ending.
        """
        headers = self.response_headers
        if self.has_body:
            if self.content_length is None:
                self.chunked_response = self.version == "1.1"
            else:
                headers.append(("Content-Length", str(self.content_length)))
        if self.chunked_response:
            headers.append(("Transfer-Encoding", "chunked"))
        if self.close_on_finish or not self._persists():
            self.close_on_finish = True
            headers.append(("Connection", "close"))
        elif self.version == "1.0":
            headers.append(("Connection", "Keep-Alive"))
        headers.append(("Date", _date(int(time.time()))))
        lines = [f"HTTP/{self.version} {self.status}", *[f"{name}: {value}" for name, value in headers]]
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise ValueError("a line ending in a header")
        return (head + "\r\n\r\n").encode("latin-1")

    def _persists(self) -> bool:
        """Whether the client wants it, and can tell where the answer ends (section 9.3)."""
        wish = self.request.headers.get("CONNECTION")
        if self.connection.listener.draining or wish == "close":
            return False
        return self.version == "1.1" or (wish == "keep-alive" and self.content_length is not None)


class JsonErrorTask(Answer):
    """Answers a request that never reached the application, or on which the application crashed; then closes."""

    complete = True  # its head is known from the start

    def execute(self) -> None:
        request = self.request
        error = request.refusal or InternalFault("The gateway failed on a fault of its own; its log has the details.")
        body = render_error(error)
        self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("X-Request-Id", new_request_id()),
            *ALWAYS,
        ]
        self.close_on_finish = True
        self.content_length = len(body)
        self.write(b"" if request.takes_no_body else body)


class Request(Answer):
    """Answers a request by the application, or begins to: where the rest is handed over, its end is not written."""

    def execute(self) -> None:
        application = self.connection.listener.application
        body = application(self.get_environment(), self._start_response)
        try:
            for piece in body:
                if self.content_length is None and isinstance(body, list) and len(body) == 1:
                    self.content_length = len(piece)
                if piece:
                    self.write(piece)
            if self.content_length not in (None, self.content_bytes_written) and self.request.method != "HEAD":
                self.logger.warning("the application wrote an answer of another length than it said")
                self.close_on_finish = True  # the client still waits for the rest
        finally:
            close: Callable[[], object] | None = getattr(body, "close", None)
            if close is not None:
                close()

    def get_environment(self) -> "WSGIEnvironment":
        """WSGI's environ and what only the server knows.

        `gateway.authority`: of an absolute-form target, else absent. `gateway.overloaded`: whether to refuse this model
        call, for want of a thread. `waitress.client_disconnected`: a function that tells whether the caller left.
        """
        request = self.request
        channel = self.connection
        environ = {
            **channel.listener.environ,
            "REMOTE_ADDR": channel.addr[0],
            "REMOTE_PORT": str(channel.addr[1]),
            "REQUEST_METHOD": request.method,
            "SERVER_PROTOCOL": f"HTTP/{self.version}",
            "PATH_INFO": "/" + request.path.lstrip("/") if request.path.startswith("//") else request.path,
            "REQUEST_URI": request.request_uri,
            "QUERY_STRING": request.query,
            "wsgi.input": request.get_body_stream(),
            "wsgi.errors": sys.stderr,
            "waitress.client_disconnected": channel.check_client_disconnected,
            "gateway.overloaded": channel.overloaded,
        }
        for name, value in request.headers.items():
            environ[name if name in WITHOUT_PREFIX else "HTTP_" + name] = value
        if request.authority is not None:
            environ["gateway.authority"] = request.authority
        return environ

    def finish(self) -> None:
        if self.connection.handed is None:
            super().finish()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
    ) -> Callable[[bytes], object]:
        """PEP 3333's."""
        if exc_info is not None and self.wrote_header:
            raise cast(BaseException, exc_info[1])
        if self.complete and exc_info is None:
            raise AssertionError("start_response called a second time without providing exc_info.")
        self.complete = True
        self.status = status
        self.content_length = None
        self.response_headers = fields = []
        for name, value in headers:
            known = _known_as(name)
            if known == "Content-Length":
                self.content_length = int(value)
            else:
                fields.append((known, value))
        return self.write


@lru_cache(maxsize=256)
def _known_as(name: str) -> str:
    """A field's name as HTTP/1.1 writes it; names come from us and, checked, from providers."""
    return "-".join(part.capitalize() for part in name.split("-"))


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    """The field Date (RFC 9110 section 6.6.1); made once a second.

    Args:
        second: of Unix time.
    """
    return str(build_http_date(second))
