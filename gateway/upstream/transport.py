"""The interface of both transports (direct and via requests). Callers do not need to know which one they use."""

import errno
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from gateway.core.errors import Overloaded
from gateway.core.no_op import no_op
from gateway.core.provider_failures import ConnectionFailed, NameUnresolved
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse

GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ESHUTDOWN, errno.EPROTOTYPE})
"""Errors of sending after the other side has closed, which may have answered before. macOS gives EPROTOTYPE for a
moment then."""
DEFAULT_HEADERS: Final[Mapping[str, str]] = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
"""The headers of every request, before those of the call."""

IDLE_SECONDS: Final = 120.0
"""A router that forgets a connection does not report it, and the next call would wait for an answer that never comes.
Home routers and clouds forget after 4 minutes and more."""
EARLY_ANSWER_SECONDS: Final = 1.0
"""A provider that takes no more of a request may have answered already. Its answer is waited for so long."""


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
        """Send a request and wait for the head of its answer.

        Retries are the caller's, with one exception: where a kept connection has ended, or is dead, before any byte of
        an answer, the request goes once more on a fresh one. It does not count as another one: `on_sent` is called
        once, and no failure is raised for the first.

        Args:
            request: what to send.
            timeout: seconds to wait for the head once the request has left.
            on_wait: is given the pending response before the transport connects, so that it can be cancelled.
            on_sent: is called when the request has left.

        Raises:
            ConnectionFailed: no connection, or it broke before the head. The text holds no header. It names the host
                where its certificate is at fault, and otherwise no address.
            ProviderTimeout: no head in time.
        """

    def close(self) -> None:
        """Close the idle connections."""


def no_descriptor(provider: str) -> Overloaded:
    """The process has as many connections as it may have: no fault of the provider, and no other one would help."""
    return Overloaded(f"The gateway has no descriptor left for a connection to {provider}.", retry_after=1.0)


def unreached(provider: str, why: object) -> ConnectionFailed:
    """There is no connection, or it broke before the head of an answer."""
    return ConnectionFailed(f"{provider} could not be reached ({why}).")


def is_idle_timeout(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer on a kept connection only closes it, and is not meant for the request that crossed it.

    Servers that say goodbye to an idle connection send 408 and close (RFC 9110 section 15.5.9: the client may repeat
    its request on a new connection).
    """
    return status == 408 and "close" in headers.get("connection", "").lower()


def unresolved(what: str, seconds: float) -> NameUnresolved:
    """The resolver of this machine does not answer.

    Args:
        what: failed, as the beginning of the text.
        seconds: how long it was waited for.
    """
    return NameUnresolved(f"{what}: the name was not resolved within {seconds:g} s; check the DNS of this machine.")
