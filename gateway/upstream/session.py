"""The connections to one provider: direct, or through requests where the provider is behind a proxy.

A direct call costs about a tenth of one through requests. requests handles proxies, which are complex, and a proxy
costs far more time than requests does.
"""

from collections.abc import Callable, Mapping

from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.direct.transport import DirectTransport
from gateway.upstream.proxied.proxies import is_proxied
from gateway.upstream.proxied.transport import RequestsTransport
from gateway.upstream.transport import HttpRequest, Transport


class UpstreamSession:
    """The transport for one provider. The proxies in the environment decide which one, when the session is made.

    Args:
        provider: the name for messages.
        endpoint: the base address of all calls.
        pool_size: idle connections kept.
        connect_seconds: limit for looking a name up, for each address tried, TLS included, and for each piece of a
            request on its way out.
        environ: where REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR are read.
        clock: measures the limits.

    Raises:
        ValueError: the endpoint is no http or https address.
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
        made = RequestsTransport if is_proxied(endpoint) else DirectTransport
        self._transport: Transport = made(
            provider,
            endpoint,
            pool_size=pool_size,
            connect_seconds=connect_seconds,
            environ=environ,
            clock=clock or SystemClock(),
        )

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        """See gateway.upstream.transport.Transport.post."""
        return self._transport.post(request, timeout, on_wait, on_sent)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
