"""The direct transport: HTTP/1.1 over connections of our own, for every provider that is not behind a proxy.

It dials or takes a connection from the pool, sends the request and reads the head of the answer. Faults become failures
whose text holds no header, because a header may hold a key.

A kept connection that has ended, or that nobody hears any more, is no failure of anybody: the request goes once more on
a fresh connection, in here, and nothing above knows. Providers and routers end idle connections without a word.
"""

import ssl
from collections.abc import Callable, Mapping

from gateway.core.clock import Clock
from gateway.core.no_op import no_op
from gateway.core.provider_failures import ConnectionFailed
from gateway.http1.head_writer import HeadWriter
from gateway.http1.response_body import ProtocolError
from gateway.net.descriptors import is_exhausted
from gateway.net.resolver import NotResolved
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import TrustStore, handshake_fault
from gateway.upstream.direct.connection import Connection, Dialer, Origin
from gateway.upstream.direct.exchange import Exchange, KeptConnectionLost, os_error_text
from gateway.upstream.direct.pool import Pool
from gateway.upstream.direct.stream import DirectStream
from gateway.upstream.transport import DEFAULT_HEADERS, HttpRequest, no_descriptor, unreached, unresolved


class DirectTransport:
    """Implements gateway.upstream.transport.Transport.

    Args:
        provider: the name for messages.
        endpoint: the base address; calls go to its host and port only.
        pool_size: idle connections kept.
        connect_seconds: limit for looking the host up, for each address tried, TLS included, and for each piece of a
            request on its way out. A kept connection that has not even acknowledged a request by then is replaced.
        environ: where the CA bundle is read.
        clock: measures the limits.

    Raises:
        ValueError: the endpoint is no http or https address.
    """

    def __init__(  # noqa: PLR0913 - one place puts a transport together
        self,
        provider: str,
        endpoint: str,
        *,
        pool_size: int,
        connect_seconds: float,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        origin = Origin.of(endpoint)
        self._provider = provider
        self._host = origin.host
        self._site = "/".join(endpoint.split("/", 3)[:3])
        self._connect_seconds = connect_seconds
        self._clock = clock
        self._trust = TrustStore.of(environ)
        self._head = HeadWriter(origin.authority, DEFAULT_HEADERS)
        self._dialer = Dialer(origin, self._trust, clock)
        self._pool = Pool(pool_size)

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        head = self._rendered(request)
        limit = max(min(self._connect_seconds, timeout), 0.001)
        pending = PendingResponse(on_sent)
        on_wait(pending)

        def answer_over(connection: Connection, seconds: float) -> ByteStream:
            exchange = Exchange(self._provider, connection, pending, self._clock, self._connect_seconds)
            try:
                reader, early = exchange.run(head, request.body, seconds, limit)
            except BaseException:
                connection.close()
                raise
            return DirectStream(self._provider, connection, reader, early, give=self._pool.give, clock=self._clock)

        try:
            kept = self._pool.take()
            if kept is None:
                return answer_over(self._dial(pending, limit), timeout)
            try:
                return answer_over(kept, timeout)
            except KeptConnectionLost as lost:
                left = lost.left
            self._pool.clear()  # the provider probably closed the others, too
            return answer_over(self._dial(pending, limit), left)
        finally:
            pending.finish()

    def close(self) -> None:
        self._pool.close()

    def _rendered(self, request: HttpRequest) -> bytes:
        target = request.url.removeprefix(self._site)
        if target == request.url or target[:1] not in ("", "/", "?"):
            raise ConnectionFailed(f"{self._provider} could not be reached (the address is not its own).")
        if not target.startswith("/"):
            target = f"/{target}"
        try:
            return self._head.render(target, request.headers, len(request.body))
        except ProtocolError as fault:
            raise unreached(self._provider, fault) from None

    def _dial(self, pending: PendingResponse, limit: float) -> Connection:
        try:
            return self._dialer.dial(pending, limit)
        except NotResolved:
            raise unresolved(f"{self._provider} could not be reached", self._connect_seconds) from None
        except TimeoutError:
            why = f"{self._provider} could not be reached within {self._connect_seconds:g} s."
            raise ConnectionFailed(why) from None
        except ssl.SSLError as fault:
            why = handshake_fault(fault, self._host, self._trust)
            raise ConnectionFailed(f"{self._provider} could not be reached: {why}.") from None
        except (OSError, UnicodeError) as fault:
            if is_exhausted(fault):
                raise no_descriptor(self._provider) from None
            raise unreached(self._provider, os_error_text(fault)) from None
