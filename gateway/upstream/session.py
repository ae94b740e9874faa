"""The connections to one provider: direct, or through requests where the provider is behind a proxy.

A direct call costs about a tenth of one through requests. requests handles proxies, which are complex, and a proxy
costs far more time than requests does.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import TrustStore
from gateway.upstream.direct.transport import DirectTransport
from gateway.upstream.proxied.proxies import is_proxied, proxy_of
from gateway.upstream.transport import HttpRequest, Transport

if TYPE_CHECKING:
    from gateway.upstream.proxied.transport import RequestsTransport


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
        shared: gives sessions of the same settings the same connections; by default each has its own.

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
        shared: "SharedTransports | None" = None,
    ) -> None:
        def made() -> Transport:
            kind = _proxied() if is_proxied(endpoint) else DirectTransport
            return kind(
                provider,
                endpoint,
                pool_size=pool_size,
                connect_seconds=connect_seconds,
                environ=environ,
                clock=clock or SystemClock(),
            )

        key = (provider, endpoint, connect_seconds, proxy_of(endpoint), TrustStore.of(environ).version)
        transports = SharedTransports() if shared is None else shared
        self._lease = transports.lease(key, made)
        self._transport = self._lease.transport

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
        """Close the idle connections, unless another session shares them. Idempotent."""
        self._lease.close()


def _proxied() -> "type[RequestsTransport]":
    from gateway.upstream.proxied.transport import RequestsTransport  # noqa: PLC0415 - takes 40 ms, mostly for nothing

    return RequestsTransport


class SharedTransports:
    """The transports of sessions that may share one: a configuration that takes another one's place goes on with the
    open connections of the providers that it asks in the same way. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[Hashable, tuple[Transport, int]] = {}

    def __len__(self) -> int:
        return len(self._shared)

    def lease(self, key: Hashable, make: Callable[[], Transport]) -> "Lease":
        """The transport of a key, made if there is none. The last lease that is closed closes it."""
        with self._lock:
            transport, leases = self._shared.get(key) or (make(), 0)
            self._shared[key] = (transport, leases + 1)
        return Lease(transport, lambda: self._give_back(key))

    def _give_back(self, key: Hashable) -> None:
        with self._lock:
            transport, leases = self._shared.pop(key)
            if leases > 1:
                self._shared[key] = (transport, leases - 1)
                return
        transport.close()


class Lease:
    """One session's share of a transport.

    Args:
        transport: the transport.
        give_back: is called once.
    """

    def __init__(self, transport: Transport, give_back: Callable[[], None]) -> None:
        self.transport = transport
        self._give_back = give_back
        self._lock = threading.Lock()
        self._is_open = True

    def close(self) -> None:
        """Give it back. Idempotent."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._give_back()
