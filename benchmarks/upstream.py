"""The upstream: a provider that costs next to nothing, so that a run measures the contender before it.

    python -m benchmarks.upstream

prints its port and serves until it is ended. It has one thread and one selector, and as much of HTTP/1.1 as the
contenders need: keep-alive, bodies with a Content-Length or chunked, no pipelining.
"""

import contextlib
import heapq
import re
import selectors
import socket
import time
from itertools import count
from typing import Final

from benchmarks.framing import CHUNKED, LENGTH, Body
from benchmarks.limits import raise_descriptor_limit
from benchmarks.streamed import BLOCK, NO_TIME, chunk, ending, stream_head
from benchmarks.traffic import DELAY_WISH, STREAM_WISH, head, whole_answer

USAGE: Final = re.compile(rb'"include_usage": ?true')
SHORT: Final = 4096
"""Bytes. Only a body up to this size is searched for instructions."""
RECEIVE: Final = 1 << 18
BACKLOG: Final = 1024
LONGEST_PAUSE: Final = 1.0

WHOLE: Final = whole_answer()
STREAM_HEAD: Final = stream_head()
CHUNK: Final = chunk()
BULK: Final = CHUNK * BLOCK
HEALTHY: Final = head("HTTP/1.1 200 OK", (("Content-Type", "application/json"), ("Content-Length", "15"))) + (
    b'{"status":"ok"}'
)


def stamped(chunks: bytes) -> bytes:
    """The chunks with the current time in them."""
    return chunks.replace(NO_TIME, b"@%019d@" % time.perf_counter_ns())


class Connection:
    """A client, the bytes it has sent, and the bytes it has still to get."""

    def __init__(self, server: "Upstream", sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._input = bytearray()
        self._output = b""
        self._left = 0
        self._period = 0.0
        self._ending = b""
        self._writes = False
        self.closed = False

    def ready(self, events: int) -> None:
        """The socket is readable or writable."""
        try:
            if events & selectors.EVENT_READ:
                self._receive()
            if events & selectors.EVENT_WRITE and not self.closed:
                self._go_on()
        except OSError:
            self._close()

    def due(self, now: float) -> None:
        """A timer has ended: send the delayed whole answer, or the next chunk of a stream."""
        if self.closed:
            return
        try:
            if not self._left:
                self._send(WHOLE)
                return
            self._left -= 1
            self._send(stamped(CHUNK) + (b"" if self._left else self._ending))
        except OSError:
            self._close()
            return
        if self._left:
            self._server.later(now + self._period, self)

    def _receive(self) -> None:
        try:
            data = self._sock.recv(RECEIVE)
        except BlockingIOError:
            return
        if not data:
            self._close()
            return
        self._input += data
        end = self._input.find(b"\r\n\r\n")
        if end >= 0:
            self._read(bytes(self._input[: end + 2]), end + 4)

    def _read(self, fields: bytes, start: int) -> None:
        """Answer the request, if it is complete."""
        length = LENGTH.search(fields)
        if length is not None:
            if len(self._input) < start + int(length[1]):
                return
            body = bytes(self._input[start:])
        elif CHUNKED.search(fields):
            framed = Body(chunked=True)
            body = framed.feed(bytes(self._input[start:]))
            if not framed.complete:
                return
        else:
            body = b""
        self._input.clear()
        self._answer(fields, body)

    def _answer(self, fields: bytes, body: bytes) -> None:
        if fields.startswith(b"GET "):
            self._send(HEALTHY)
        elif len(body) < SHORT and (wish := STREAM_WISH.search(body)):
            self._stream(int(wish[1]), int(wish[2]), usage=USAGE.search(body) is not None)
        elif len(body) < SHORT and (wish := DELAY_WISH.search(body)):
            self._server.later(time.perf_counter() + int(wish[1]) / 1000, self)
        else:
            self._send(WHOLE)

    def _stream(self, chunks: int, rate: int, *, usage: bool) -> None:
        self._left = chunks
        self._ending = ending(usage=usage)
        self._period = 1 / rate if rate else 0.0
        self._send(STREAM_HEAD)
        if rate:
            self.due(time.perf_counter())

    def _go_on(self) -> None:
        """Send the rest of the output, or one more block of a stream without a pace once the last block has gone."""
        block = b""
        if self._hurries and not self._output:
            now = min(self._left, BLOCK)
            self._left -= now
            block = stamped(BULK if now == BLOCK else CHUNK * now) + (b"" if self._left else self._ending)
        self._send(block)

    @property
    def _hurries(self) -> bool:
        return self._left > 0 and not self._period

    def _send(self, data: bytes) -> None:
        self._output += data
        if self._output:
            with contextlib.suppress(BlockingIOError):
                self._output = self._output[self._sock.send(self._output) :]
        wanted = bool(self._output) or self._hurries
        if wanted != self._writes:
            self._writes = wanted
            self._server.watch(self._sock, self, writable=wanted)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            self._left = 0
            self._server.forget(self._sock)
            self._sock.close()


class Upstream:
    """The server."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._timers: list[tuple[float, int, Connection]] = []
        self._order = count()
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Serve as long as the process lives."""
        while True:
            for key, events in self._selector.select(self._pause()):
                if key.data is None:
                    self._accept()
                else:
                    key.data.ready(events)
            self._ring()

    def later(self, when: float, connection: Connection) -> None:
        """Call `connection.due` at `when`, a time of `time.perf_counter`."""
        heapq.heappush(self._timers, (when, next(self._order), connection))

    def watch(self, sock: socket.socket, connection: Connection, *, writable: bool) -> None:
        """Report to the connection when its socket is readable and, if wanted, writable."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        self._selector.modify(sock, events, connection)

    def forget(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, Connection(self, sock))

    def _pause(self) -> float:
        if not self._timers:
            return LONGEST_PAUSE
        return min(LONGEST_PAUSE, max(0.0, self._timers[0][0] - time.perf_counter()))

    def _ring(self) -> None:
        """Run every timer that has ended. A late stream catches up: its next timer counts from the one it missed."""
        now = time.perf_counter()
        while self._timers and self._timers[0][0] <= now:
            when, _, connection = heapq.heappop(self._timers)
            connection.due(when)


if __name__ == "__main__":
    raise_descriptor_limit()
    upstream = Upstream()
    print(upstream.port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        upstream.serve()
