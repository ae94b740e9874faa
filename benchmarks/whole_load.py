"""A load of whole answers without wrk: one process, one selector, and connections that send request after request."""

import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from benchmarks.faults import Unmeasurable
from benchmarks.figures import Figures, percentile
from benchmarks.framing import Answer

RECEIVE: Final = 1 << 18
GRACE_SECONDS: Final = 10.0
"""Seconds for answers that are under way at the end of the load."""


class Caller:
    """A connection that sends one request after the other."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._answer = Answer()
        self._began = 0.0
        self.socket = self._connect()

    def ask(self) -> None:
        """Send the request."""
        self._answer = Answer()
        self._began = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> tuple[float, bool] | None:
        """Read the available bytes. Returns None until the answer ends, then its seconds and whether it is a 200."""
        data = self.socket.recv(RECEIVE)
        self._answer.feed(data)
        if data and not self._answer.complete:
            return None
        return time.perf_counter() - self._began, self._answer.status == 200 and self._answer.complete

    @property
    def over(self) -> bool:
        """Whether the connection cannot serve another request."""
        return self._answer.closes or not self._answer.complete

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=GRACE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


class Load:
    """Connections that send requests for a given time.

    Args:
        port: the contender's.
        request: the bytes of every request.
        connections: the number of connections at the same time.
    """

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._port = port
        self._request = request
        self._connections = connections
        self._selector = selectors.DefaultSelector()
        self.latencies: list[float] = []
        self.failed = 0

    def run(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> Figures:
        """Run the load.

        Args:
            seconds: its length.
            meanwhile: is called once, when every connection has sent its first request.

        Raises:
            Unmeasurable: the connections cannot be opened.
        """
        began = time.perf_counter()
        try:
            for _ in range(self._connections):
                self._open()
            if meanwhile:
                meanwhile()
            self._until(began + seconds)
        except OSError as error:
            raise Unmeasurable(f"no connection: {error}") from None
        finally:
            self._close()
        took = time.perf_counter() - began
        return {
            "requests": len(self.latencies) + self.failed,
            "rate": len(self.latencies) / took,
            "p50": percentile(self.latencies, 50) * 1e6,
            "p99": percentile(self.latencies, 99) * 1e6,
            "failed": self.failed,
        }

    def _until(self, end: float) -> None:
        while self._selector.get_map() and (now := time.perf_counter()) < end + GRACE_SECONDS:
            for key, _ in self._selector.select(0.1):
                self._ready(key.data, asks_again=now < end)

    def _ready(self, caller: Caller, *, asks_again: bool) -> None:
        try:
            result = caller.receive()
        except OSError:
            result = (0.0, False)
        if result is None:
            return
        seconds, good = result
        if good:
            self.latencies.append(seconds)
        else:
            self.failed += 1
        if asks_again and not caller.over:
            caller.ask()
            return
        self._selector.unregister(caller.socket)
        caller.socket.close()
        if asks_again:
            self._open()

    def _open(self) -> None:
        caller = Caller(self._port, self._request)
        self._selector.register(caller.socket, selectors.EVENT_READ, caller)
        caller.ask()

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()
