"""Connections that wait to serve again.

The one that served last serves next, so that as few as possible are kept warm and the others get old and are let go.
What is taken out is alive as far as anyone can tell: providers close what idles, and say so by an end of the stream.
"""

import threading
from collections import deque
from typing import Final

from gateway.core.clock import Clock
from gateway.upstream.direct.connection import Connection

IDLE_SECONDS: Final = 120.0
"""A router that forgets a connection tells nobody, and the next call on it would wait for an answer that never comes.
Home routers and clouds forget after 4 minutes and more."""


class Pool:
    """The idle connections to one provider.

    Args:
        size: connections kept at most.
        clock: tells how long each has idled.
    """

    def __init__(self, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: deque[Connection] = deque()  # the oldest first
        self._closed = False

    def take(self) -> Connection | None:
        """One that can serve; None if there is none."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return None
            if connection.idle_since > self._clock.monotonic() - IDLE_SECONDS and not connection.is_dead():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep a connection whose last response is over, or close it if there is no room."""
        now = self._clock.monotonic()
        connection.idle_since = now
        connection.reused = True
        left: list[Connection] = []
        with self._lock:
            while self._idle and self._idle[0].idle_since <= now - IDLE_SECONDS:
                left.append(self._idle.popleft())
            if self._closed or len(self._idle) >= self._size:
                left.append(connection)
            else:
                self._idle.append(connection)
        for each in left:
            each.close()

    def clear(self) -> None:
        """Close those that idle."""
        with self._lock:
            left = list(self._idle)
            self._idle.clear()
        for each in left:
            each.close()

    def close(self) -> None:
        """Close those that idle, and from now on those that are given."""
        with self._lock:
            self._closed = True
        self.clear()
