"""A pool of idle connections to one provider.

The pool is LIFO, so that few connections stay warm and the others expire. It looks at a connection before it hands it
out: providers close idle connections, which shows as an end of the stream.
"""

import threading
from collections import deque
from typing import Final

from gateway.core.clock import Clock
from gateway.upstream.direct.connection import Connection

IDLE_SECONDS: Final = 120.0
"""A router that forgets a connection does not report it, and the next call would wait for an answer that never comes.
Home routers and clouds forget after 4 minutes and more."""


class Pool:
    """The idle connections to one provider. Safe to use from many threads.

    Args:
        size: the most connections that are kept.
        clock: measures how long each has idled.
    """

    def __init__(self, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: deque[Connection] = deque()  # the oldest first
        self._closed = False

    def take(self) -> Connection | None:
        """A live connection; None if there is none."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return None
            if connection.idle_since > self._clock.monotonic() - IDLE_SECONDS and not connection.is_dead():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep a connection whose response has ended, or close it if the pool is full or closed."""
        now = self._clock.monotonic()
        connection.idle_since = now
        connection.reused = True
        closing: list[Connection] = []
        with self._lock:
            while self._idle and self._idle[0].idle_since <= now - IDLE_SECONDS:
                closing.append(self._idle.popleft())
            if self._closed or len(self._idle) >= self._size:
                closing.append(connection)
            else:
                self._idle.append(connection)
        for each in closing:
            each.close()

    def clear(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
        for each in idle:
            each.close()

    def close(self) -> None:
        """Close the idle connections now, and from now on every connection that `give` gets."""
        with self._lock:
            self._closed = True
        self.clear()
