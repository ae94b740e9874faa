"""What a call needs of the line to its caller: a sign of life while a provider is silent.

The thread that answers a request waits inside the application, so it cannot write; another one has to. Who writes, and
how, is the server's business (gateway.server.caller_line). Here is only what the handlers ask of it, so that they know
no server and their tests need none.
"""

import math
from typing import Final, Protocol

from gateway.handler.reply import SSE_TYPE, Headers

EVENT_STREAM: Final[Headers] = (
    ("Content-Type", SSE_TYPE),
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
)
"""Headers of every stream of events. nginx buffers a reply unless the last one tells it not to."""


class CallerLine(Protocol):
    """The line to one caller, for one request. Any thread may ask it at any time, also after the reply is over."""

    @property
    def quiet_since(self) -> float:
        """Monotonic seconds when something was last sent to the caller, or when the request came."""

    def keep_alive(self) -> bool:
        """Send a comment, which every reader of an event stream ignores. Never waits.

        Before `settle` this commits the reply to be an event stream with status 200, so ask it only for a caller that
        asked for a stream. Afterwards it writes between the events of a stream and does nothing on any other reply.

        Returns:
            Whether it was sent. Not where the reply is something else or over, its head is not out yet, the caller has
            left, or bytes that were sent before still wait to be taken.
        """

    def settle(self) -> bool:
        """Status and headers are decided now: from here on `keep_alive` commits nothing. Idempotent.

        Returns:
            Whether they were decided by a `keep_alive` before: the reply is an event stream with status 200, and
            whatever has happened has to be said in an event.
        """


class NoLine:
    """Where nobody sends signs of life: never quiet, so that nobody tries."""

    quiet_since = math.inf

    def keep_alive(self) -> bool:
        return False

    def settle(self) -> bool:
        return False
