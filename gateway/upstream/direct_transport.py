"""Calls over connections of our own: the way to every provider that no proxy stands before."""

import errno
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.clock import Clock
from gateway.core.provider_failures import ConnectionFailed, ProviderFailure, ProviderTimeout
from gateway.http1.head_writer import HeadWriter
from gateway.http1.response_body import ProtocolError
from gateway.http1.response_reader import ResponseReader
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.connection import Connection, Dialer, Origin
from gateway.upstream.direct_stream import DirectStream
from gateway.upstream.pool import Pool
from gateway.upstream.transport import DEFAULT_HEADERS, Post, uncounted
from gateway.upstream.waiting import Wait

GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ESHUTDOWN, errno.EPROTOTYPE})
"""What sending meets when the other side has hung up; EPROTOTYPE is macOS's for a moment of it."""


class DirectTransport:
    """The contract of gateway.upstream.transport.

    Args:
        provider: the name for messages.
        endpoint: the base address; calls go to its host and port and nowhere else.
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
        self, call: Post, timeout: float, waiting: Callable[[Wait], None], sent: Callable[[], None] = uncounted
    ) -> ByteStream:
        head = self._rendered(call)
        wait = Wait(sent)
        waiting(wait)
        connection: Connection | None = None
        try:
            limit = max(min(self._connect_seconds, timeout), 0.001)
            connection = self._pool.take() or self._dial(wait, limit)
            wait.watch(connection.socket)
            self._send(connection, head, call.body, limit)
            wait.begun()
            reader, early = self._answer(connection, timeout)
        except BaseException as failure:
            if connection is not None:
                connection.close()
                if connection.reused and isinstance(failure, ConnectionFailed) and not wait.was_cut:
                    self._pool.clear()  # who has ended one has ended them all: a second try needs a new one
            raise
        finally:
            wait.over()
        return DirectStream(self._provider, connection, reader, early, give=self._pool.give, clock=self._clock)

    def close(self) -> None:
        self._pool.close()

    def _rendered(self, call: Post) -> bytes:
        target = call.url.removeprefix(self._site)
        if target == call.url or target[:1] not in ("", "/", "?"):
            raise ConnectionFailed(f"{self._provider} could not be reached (the address is not its own).")
        if not target.startswith("/"):
            target = f"/{target}"
        try:
            return self._head.render(target, call.headers, len(call.body))
        except ProtocolError as fault:
            raise self._unreached(fault) from None

    def _dial(self, wait: Wait, limit: float) -> Connection:
        try:
            return self._dialer.dial(wait, limit)
        except TimeoutError:
            why = f"{self._provider} could not be reached within {self._connect_seconds:g} s."
            raise ConnectionFailed(why) from None
        except ssl.SSLError:
            raise ConnectionFailed(f"{self._provider} could not be reached: the TLS handshake failed.") from None
        except (OSError, UnicodeError) as fault:
            raise self._unreached(_words(fault)) from None

    def _send(self, connection: Connection, head: bytes, body: bytes, limit: float) -> None:
        try:
            connection.send(head, body, limit)
        except TimeoutError:
            raise self._unreached(f"it took nothing more of the request for {limit:g} s") from None
        except OSError as fault:
            # who refuses a request before its end may have said why, and what it has said can still be read
            if fault.errno not in GONE and not isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise self._unreached(_words(fault)) from None
            connection.spoiled = True

    def _answer(self, connection: Connection, timeout: float) -> tuple[ResponseReader, bytes]:
        """The head of the answer, and what of the body came with it."""
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
            raise self._unreached(_words(fault)) from None

    def _unreached(self, why: object) -> ProviderFailure:
        return ConnectionFailed(f"{self._provider} could not be reached ({why}).")


def _words(fault: OSError | UnicodeError) -> str:
    """The cause in a word: `Connection refused`, `Name or service not known`, a class name."""
    return (fault.strerror if isinstance(fault, OSError) else None) or type(fault).__name__
