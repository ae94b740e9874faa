"""What a way to a provider has to offer; there are two, and whoever calls does not know which it has."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.waiting import Wait

DEFAULT_HEADERS: Final[Mapping[str, str]] = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
"""What every request says, beside what a call says."""


class Post(Struct, frozen=True):
    """One call: the address, the headers, the body."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def uncounted() -> None:
    """Where nobody limits the calls, nobody counts them."""


class Transport(Protocol):
    """Connections to one provider. Safe to use from many threads."""

    def post(
        self, call: Post, timeout: float, waiting: Callable[[Wait], None], sent: Callable[[], None] = uncounted
    ) -> ByteStream:
        """Send and wait for the head of the answer. Nothing is sent twice: who wants that asks again.

        Args:
            call: what to send.
            timeout: seconds to wait for the head once the request is out.
            waiting: is given the wait before it begins, so that it can be cut.
            sent: is called when the request has left.

        Raises:
            ConnectionFailed: no connection, or it broke before the head; the text holds no address and no header.
            ProviderTimeout: no head in time.
        """

    def close(self) -> None:
        """Close the idle connections."""
