"""A provider with any number of streams open at once, on one thread, and callers that hold them open."""

import json
import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.support.ports import open_listener
from tests.support.running import Running, chat
from tests.support.upstream_script import sse_events

TEXT: Final = "one two three"
LIMIT: Final = 30.0  # seconds; only a hang takes so long


def _chunk(events: tuple[str, ...]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(data), data) for data in (f"data: {each}\n\n".encode() for each in events))


EVENTS: Final = sse_events(TEXT)
BEGIN: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + _chunk(
    EVENTS[:2]
)
REST: Final = _chunk((*EVENTS[2:], "[DONE]")) + b"0\r\n\r\n"


class ManyStreams:
    """Begins every answer at once, and ends all of them when told."""

    def __init__(self) -> None:
        self._listener = open_listener(backlog=1024)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._open: list[socket.socket] = []
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="upstream-many", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        socket.create_connection(self._listener.getsockname(), timeout=LIMIT).close()
        self._thread.join(LIMIT)
        self._selector.close()
        for each in (*self._open, self._listener):
            each.close()

    @property
    def begun(self) -> int:
        """Answers so far."""
        return len(self._open)

    def end_all(self) -> None:
        """The rest of every answer; a caller may have left meanwhile."""
        for each in self._open:
            with suppress(OSError):
                each.sendall(REST)

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    self._open.append(connection)
                    self._selector.register(connection, selectors.EVENT_READ, connection)
                elif key.data.recv(65_536):  # a request is small and comes in one piece
                    key.data.sendall(BEGIN)
                else:
                    self._selector.unregister(key.data)


class Caller:
    """Asks for a stream, and reads it when it is told to."""

    def __init__(self, gateway: Running, model: str, *, version: str = "1.1", buffer: int | None = None) -> None:
        host, port = gateway.url.removeprefix("http://").split(":")
        self.connection = socket.socket()
        if buffer is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.connection.settimeout(LIMIT)
        self.connection.connect((host, int(port)))
        self.came = b""
        content = json.dumps(chat(model, stream=True)).encode()
        head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        head += f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        self.connection.sendall(head.encode() + content)

    def until(self, wanted: bytes) -> None:
        """Read until `wanted` has come."""
        while wanted not in self.came:
            data = self.connection.recv(65_536)
            assert data, f"the answer ended: {self.came!r}"
            self.came += data

    def rest(self) -> bytes:
        """Everything, up to the end of the connection, which is closed."""
        with self.connection:
            parts = [self.came]
            while data := self.connection.recv(1 << 20):
                parts.append(data)
        return b"".join(parts)


def unchunked(answer: bytes) -> bytes:
    """The body of a chunked answer, which has to be whole and nothing behind it."""
    place = answer.index(b"\r\n\r\n") + 4
    body = []
    while True:
        begin = answer.index(b"\r\n", place) + 2
        end = begin + int(answer[place : begin - 2], 16)
        body.append(answer[begin:end])
        assert answer[end : end + 2] == b"\r\n", "a chunk is cut"
        place = end + 2
        if begin == end:
            assert place == len(answer), "something follows the last chunk"
            return b"".join(body)
