"""A pool of idle connections to one provider.

The pool is LIFO, so that few connections stay warm and the others expire. It looks at a connection before it hands it
out: providers close idle connections, which shows as an end of the stream.
"""

import threading
from collections import deque
from collections.abc import Callable

from gateway.core.clock import boot_time
from gateway.upstream.direct.connection import Connection
from gateway.upstream.transport import IDLE_SECONDS


class Pool:
    """The idle connections to one provider. Safe to use from many threads.

    Args:
        size: the most connections that are kept.
        now: the time that measures how long each has idled. It runs while the machine sleeps, so that no connection of
            yesterday is taken.
    """

    def __init__(self, size: int, now: Callable[[], float] = boot_time) -> None:
        self._size = size
        self._now = now
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
            if connection.idle_since > self._now() - IDLE_SECONDS and not connection.is_dead():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep a connection whose response has ended, or close it if the pool is full or closed."""
        now = self._now()
        connection.kept(now)
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
