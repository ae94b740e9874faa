"""What a call may ask of its caller's connection: whether the caller has left, and heartbeats for one that waits.

The thread that answers a request waits inside the application, so it cannot write; another one has to. Who writes, and
how, is the server's business (gateway.httpd.response). Here is only what the handlers ask of it, so that they know no
server and their tests need none.
"""

import math
from collections.abc import Callable
from typing import Protocol

Headers = tuple[tuple[str, str], ...]


class Caller(Protocol):
    """The caller of one request. Any thread may ask at any time, also after the reply is over."""

    @property
    def left(self) -> bool:
        """Whether the caller has hung up, or closed its side of the connection."""

    @property
    def last_write(self) -> float:
        """Monotonic seconds when something was last sent to the caller, or when the request came."""

    def allow_heartbeats(self, head: Callable[[], Headers], beat: bytes, now: Callable[[], float]) -> None:
        """From here on a heartbeat may commit the reply to status 200, the headers of `head` and an event stream.
        `now` is the clock of `last_write`."""

    def heartbeat(self) -> bool:
        """Send a heartbeat. Never waits.

        Before `commit` this commits the reply to be an event stream with status 200, so ask it only for a caller that
        asked for a stream. Afterwards it writes between the events of a stream and does nothing on any other reply.

        Returns:
            Whether it was sent. Not where the reply is something else or over, its head is not out yet, the caller has
            left, or bytes that were sent before still wait to be taken.
        """

    def commit(self) -> bool:
        """Status and headers are decided now: from here on `heartbeat` commits nothing. Idempotent.

        Returns:
            Whether a heartbeat has decided them before: the reply is an event stream with status 200, and whatever has
            happened has to be sent as an event.
        """


class NoCaller:
    """A caller under a server that sends no heartbeats.

    Args:
        left: whether the caller has left.
    """

    last_write = math.inf  # never due for a heartbeat

    def __init__(self, left: Callable[[], bool] = lambda: False) -> None:
        self._left = left

    @property
    def left(self) -> bool:
        return self._left()

    def allow_heartbeats(self, head: Callable[[], Headers], beat: bytes, now: Callable[[], float]) -> None:
        """There are none."""

    def heartbeat(self) -> bool:
        return False

    def commit(self) -> bool:
        return False
