"""An http.client response whose reads have a time limit in all.

http.client applies a socket's timeout to each receive, and one line or chunk takes as many as come: a provider or a
proxy that sends a byte a second is never too slow. Here each read begins with the seconds that it has, and every
receive in it gets what is left of them.
"""

import errno
import io
import math
import socket
from collections.abc import Callable
from http.client import HTTPResponse

from gateway.core.clock import Clock
from gateway.net.sockets import plain
from gateway.net.tcp import is_unheard, limit_unacknowledged


class ReadLimit:
    """The seconds that a read has.

    Attributes:
        has_begun: whether a byte has come since `begin`.
        is_patient: whether the other side has acknowledged a request and thinks about it.

    Args:
        clock: measures them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds = 0.0
        self._until: float | None = None
        self._patience = math.inf
        self._replaceable = False
        self.has_begun = False
        self.is_patient = False

    def begin(self, seconds: float, *, patience: float = math.inf, replaceable: bool = False) -> None:
        """A read begins.

        Args:
            seconds: what it has.
            patience: seconds of silence after which the connection is looked at.
            replaceable: whether it fails at once if nobody acknowledges what was sent.
        """
        self._seconds, self._until = seconds, None
        self._patience, self._replaceable = patience, replaceable
        self.has_begun = False

    def receive_into(self, connection: socket.socket, buffer: memoryview) -> int:
        """Receive within what is left. Raises OSError, a TimeoutError if nothing came."""
        while True:
            left = self._left()
            connection.settimeout(max(min(left, self._patience), 0.001))  # 0 would mean not to wait
            try:
                size = connection.recv_into(buffer)
            except TimeoutError:
                if left <= self._patience:
                    raise
                self._look_at(plain(connection))
                continue
            self.has_begun = self.has_begun or size > 0
            return size

    def _left(self) -> float:
        if self._until is None:  # the first receive
            self._until = self._clock.monotonic() + self._seconds
            return self._seconds
        return self._until - self._clock.monotonic()

    def _look_at(self, connection: socket.socket) -> None:
        """Nothing has come for a while. Does the other side think, or is it not there any more?"""
        self._patience = math.inf
        if not is_unheard(connection):
            self.is_patient = True
            limit_unacknowledged(connection, 0)
        elif self._replaceable and not self.has_begun:
            raise ConnectionAbortedError(errno.ECONNABORTED, "nobody acknowledges what was sent")


class _LimitedReader(io.RawIOBase):
    """Receives from a socket within a limit."""

    def __init__(self, connection: socket.socket, limit: ReadLimit) -> None:
        super().__init__()
        self._sock = connection
        self._limit = limit
        self._open = connection.makefile("rb", buffering=0)  # keeps the socket open after http.client has closed it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # what BufferedReader gives
        return self._limit.receive_into(self._sock, buffer)

    def close(self) -> None:
        self._open.close()
        super().close()


class TimedResponse(HTTPResponse):
    """A response whose reads may have a limit."""

    limit: ReadLimit | None = None

    def limit_by(self, connection: socket.socket, limit: ReadLimit) -> None:
        """Read within `limit` from now on; before anything was read."""
        self.limit = limit
        self.fp.close()
        self.fp = io.BufferedReader(_LimitedReader(connection, limit))


def timed_response(limit_of_thread: Callable[[], ReadLimit | None]) -> type[TimedResponse]:
    """The class of a connection's responses.

    Args:
        limit_of_thread: the limit of the request that the current thread makes.
    """

    class LimitedResponse(TimedResponse):
        def __init__(
            self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
        ) -> None:
            super().__init__(sock, debuglevel, method, url)
            limit = limit_of_thread()
            if limit is not None:
                self.limit_by(sock, limit)

    return LimitedResponse
