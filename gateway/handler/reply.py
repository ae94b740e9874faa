"""What the server is to send: a status, headers and a body. And how an error becomes one.

Retry advice follows what clients do with it: they sleep any Retry-After they are given, some without a cap, so for a
wait of more than a minute, or a quota that is used up, the client is told not to try (`x-should-retry`, which OpenAI's
and Anthropic's clients obey).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core.errors import BudgetExhausted, GatewayError
from gateway.core.provider_failures import QuotaExhausted
from gateway.dispatch.caller import Headers
from gateway.wires.base import CallerWire

LONGEST_ADVICE: Final = 60.0
NOT_AGAIN: Final[Headers] = (("x-should-retry", "false"),)
JSON_TYPE: Final = "application/json"
SSE_TYPE: Final = "text/event-stream; charset=utf-8"

EVENT_STREAM: Final[Headers] = (
    ("Content-Type", SSE_TYPE),
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
)
"""Headers of every stream of events. nginx buffers a reply unless the last one tells it not to."""


class ClosableIterator(Protocol):
    """A streamed body. Whoever iterates closes it, at the end or before."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Give back whatever it holds. Idempotent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, headers and a body.

    Attributes:
        sent: to be called once when the reply has been sent, or cannot be: what is to be noted of it need not keep its
            caller waiting (14 us of a short answer).
    """

    status: int
    headers: Headers
    body: bytes | ClosableIterator
    sent: Callable[[], None] | None = None


def error_reply(error: GatewayError, wire: CallerWire) -> Reply:
    """The error in the caller's wire format, with its advice on when to ask again."""
    headers = (("Content-Type", JSON_TYPE), *retry_advice(error))
    return Reply(wire.error_status(error), headers, wire.render_error(error))


def retry_advice(error: GatewayError) -> Headers:
    """Headers that say when to ask again, for an error that knows."""
    seconds = error.retry_after
    if isinstance(error, BudgetExhausted):
        return NOT_AGAIN
    if seconds is None:
        return NOT_AGAIN if isinstance(error, QuotaExhausted) else ()
    if seconds > LONGEST_ADVICE:
        return NOT_AGAIN
    return (
        ("Retry-After", str(max(1, math.ceil(seconds)))),
        ("retry-after-ms", str(max(1, math.ceil(seconds * 1000)))),
    )
