"""The interface of both transports (direct and via requests). Callers do not need to know which one they use."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from gateway.core.errors import Overloaded
from gateway.core.no_op import no_op
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse

DEFAULT_HEADERS: Final[Mapping[str, str]] = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
"""The headers of every request, before those of the call."""


class HttpRequest(Struct, frozen=True):
    """One POST: the address, the headers, the body."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Connections to one provider. Safe to use from many threads."""

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        """Send a request and wait for the head of its answer. Sends nothing twice: retries are the caller's.

        Args:
            request: what to send.
            timeout: seconds to wait for the head once the request has left.
            on_wait: is given the pending response before the transport connects, so that it can be cancelled.
            on_sent: is called when the request has left.

        Raises:
            ConnectionFailed: no connection, or it broke before the head. The text holds no address and no header.
            ProviderTimeout: no head in time.
        """

    def close(self) -> None:
        """Close the idle connections."""


def no_descriptor(provider: str) -> Overloaded:
    """The process has as many connections as it may have: no fault of the provider, and no other one would help."""
    return Overloaded(f"The gateway has no descriptor left for a connection to {provider}.", retry_after=1.0)
