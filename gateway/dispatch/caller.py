"""What a call may ask of its caller's connection: whether the caller has left, and heartbeats for one that waits.

The thread that answers a request waits inside the application, so another thread has to write heartbeats. How they are
written is up to the server (gateway.httpd.response). Here is only the interface that handlers use, so that they know no
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

    def allow_heartbeats(
        self, head: Callable[[], Headers], beat: Callable[[], bytes], now: Callable[[], float]
    ) -> None:
        """From now on a heartbeat may commit the reply to status 200, the headers of `head` and an event stream.
        `beat` makes the heartbeat, b"" where none can be made; `now` is the clock of `last_write`."""

    def heartbeat(self) -> bool:
        """Send a heartbeat. Never waits.

        Before `commit` this commits the reply to be an event stream with status 200, so call it only where the caller
        asked for a stream. Afterwards it writes between the events of a stream and does nothing on any other reply.

        Returns:
            Whether it was sent. It is not where the reply is no event stream or is over, where its head is not out yet,
            where the caller has left, where earlier bytes are still unsent, or where none can be made.
        """

    def commit(self) -> bool:
        """Status and headers are decided now: from now on `heartbeat` commits nothing. Idempotent.

        Returns:
            Whether a heartbeat has decided them before. Then the reply is an event stream with status 200, and an error
            has to be sent as an event.
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

    def allow_heartbeats(
        self, head: Callable[[], Headers], beat: Callable[[], bytes], now: Callable[[], float]
    ) -> None:
        """It sends none."""

    def heartbeat(self) -> bool:
        return False

    def commit(self) -> bool:
        return False
