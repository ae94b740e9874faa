"""Connections to one provider: over our own client, or through requests where a proxy stands before it.

Our own is some ten times as cheap a call. requests knows proxies, which are an art of its own, and what a proxy costs
is far more than what requests does.
"""

from collections.abc import Callable, Mapping

from gateway.core.clock import Clock, SystemClock
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import Wait
from gateway.upstream.direct.transport import DirectTransport
from gateway.upstream.proxied.proxies import is_proxied
from gateway.upstream.proxied.transport import RequestsTransport
from gateway.upstream.transport import Post, Transport, uncounted


class UpstreamSession:
    """The transport for one provider, by the proxies that the environment names as it is made.

    Args:
        provider: the name for messages.
        endpoint: the base address of all calls.
        pool_size: idle connections kept.
        connect_seconds: limit for each address tried, TLS included, and for each piece of a request on its way out.
        environ: where REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE are read.
        clock: measures the limits.
    """

    def __init__(  # noqa: PLR0913 - what both transports need
        self,
        provider: str,
        endpoint: str,
        *,
        pool_size: int,
        connect_seconds: float,
        environ: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        self._transport: Transport = (
            RequestsTransport(provider, endpoint, pool_size=pool_size, connect_seconds=connect_seconds, environ=environ)
            if is_proxied(endpoint)
            else DirectTransport(
                provider,
                endpoint,
                pool_size=pool_size,
                connect_seconds=connect_seconds,
                environ=environ,
                clock=clock or SystemClock(),
            )
        )

    def post(
        self, call: Post, timeout: float, waiting: Callable[[Wait], None], sent: Callable[[], None] = uncounted
    ) -> ByteStream:
        """As gateway.upstream.transport.Transport has it."""
        return self._transport.post(call, timeout, waiting, sent)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
