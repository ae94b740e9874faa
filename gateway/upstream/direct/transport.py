"""The direct transport: HTTP/1.1 over connections of our own, for every provider that is not behind a proxy.

It dials or takes a connection from the pool, sends the request and reads the head of the answer. Faults become failures
whose text holds no address and no header, because a header may hold a key.
"""

import errno
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.clock import Clock
from gateway.core.no_op import no_op
from gateway.core.provider_failures import ConnectionFailed, ProviderFailure, ProviderTimeout
from gateway.http1.head_writer import HeadWriter
from gateway.http1.response_body import ProtocolError
from gateway.http1.response_reader import ResponseReader
from gateway.net.descriptors import is_exhausted
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.direct.connection import Connection, Dialer, Origin
from gateway.upstream.direct.pool import Pool
from gateway.upstream.direct.stream import DirectStream
from gateway.upstream.transport import DEFAULT_HEADERS, HttpRequest, no_descriptor

GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ESHUTDOWN, errno.EPROTOTYPE})
"""Errors of sending after the other side has closed. macOS gives EPROTOTYPE for a moment then."""


class DirectTransport:
    """Implements gateway.upstream.transport.Transport.

    Args:
        provider: the name for messages.
        endpoint: the base address; calls go to its host and port only.
        pool_size: idle connections kept.
        connect_seconds: limit for each address tried, TLS included, and for each piece of a request on its way out.
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
        self._site = "/".join(endpoint.split("/", 3)[:3])
        self._connect_seconds = connect_seconds
        self._clock = clock
        self._head = HeadWriter(origin.authority, DEFAULT_HEADERS)
        self._dialer = Dialer(origin, environ, clock)
        self._pool = Pool(pool_size, clock)

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        head = self._rendered(request)
        pending = PendingResponse(on_sent)
        on_wait(pending)
        connection: Connection | None = None
        try:
            limit = max(min(self._connect_seconds, timeout), 0.001)
            connection = self._pool.take() or self._dial(pending, limit)
            pending.attach(connection.socket)
            self._send(connection, head, request.body, limit)
            pending.on_sent()
            reader, early = self._answer(connection, timeout)
        except BaseException as failure:
            if connection is not None:
                connection.close()
                if connection.reused and isinstance(failure, ConnectionFailed) and not pending.was_cancelled:
                    self._pool.clear()  # the provider probably closed the others, too: a second try needs a new one
            raise
        finally:
            pending.finish()
        return DirectStream(self._provider, connection, reader, early, give=self._pool.give, clock=self._clock)

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
            raise self._unreached(fault) from None

    def _dial(self, pending: PendingResponse, limit: float) -> Connection:
        try:
            return self._dialer.dial(pending, limit)
        except TimeoutError:
            why = f"{self._provider} could not be reached within {self._connect_seconds:g} s."
            raise ConnectionFailed(why) from None
        except ssl.SSLError:
            raise ConnectionFailed(f"{self._provider} could not be reached: the TLS handshake failed.") from None
        except (OSError, UnicodeError) as fault:
            if is_exhausted(fault):
                raise no_descriptor(self._provider) from None
            raise self._unreached(_os_error_text(fault)) from None

    def _send(self, connection: Connection, head: bytes, body: bytes, limit: float) -> None:
        try:
            connection.send(head, body, limit)
        except TimeoutError:
            raise self._unreached(f"it took nothing more of the request for {limit:g} s") from None
        except OSError as fault:
            # a provider that refuses a request before its end may have sent the reason, which can still be read
            if fault.errno not in GONE and not isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise self._unreached(_os_error_text(fault)) from None
            connection.spoiled = True

    def _answer(self, connection: Connection, timeout: float) -> tuple[ResponseReader, bytes]:
        """Read the head of the answer; returns the reader and the bytes of the body that came with the head."""
        reader = ResponseReader()
        until = self._clock.monotonic() + timeout
        left = timeout
        while True:
            data = self._receive(connection, left, timeout)
            early = reader.feed(data) if data else b""
            if not data:
                reader.close()
            if reader.status is not None:
                return reader, early
            if reader.fault is not None:
                raise self._unreached(reader.fault)
            left = until - self._clock.monotonic()

    def _receive(self, connection: Connection, left: float, timeout: float) -> bytes:
        try:
            return connection.receive(max(left, 0.001))
        except TimeoutError:
            raise ProviderTimeout(f"{self._provider} did not answer within {timeout:.0f} s.") from None
        except OSError as fault:
            raise self._unreached(_os_error_text(fault)) from None

    def _unreached(self, why: object) -> ProviderFailure:
        return ConnectionFailed(f"{self._provider} could not be reached ({why}).")


def _os_error_text(fault: OSError | UnicodeError) -> str:
    """The cause in short: `Connection refused`, `Name or service not known`, or the class name."""
    return (fault.strerror if isinstance(fault, OSError) else None) or type(fault).__name__
