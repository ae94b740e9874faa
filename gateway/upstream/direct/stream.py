"""One response over a connection of our own, as a ByteStream.

It joins the connection (bytes and timeouts) with the reader (HTTP framing) and the decompressor. It decides whether the
connection goes back to the pool when the stream is closed.
"""

import threading
from collections.abc import Callable

from gateway.core.clock import Clock
from gateway.core.provider_failures import InvalidAnswer, ProviderTimeout
from gateway.http1.response_body import ProtocolError
from gateway.http1.response_reader import ResponseReader
from gateway.net.sockets import shut_down
from gateway.upstream.byte_stream import ByteStream, Detached
from gateway.upstream.content_coding import Decompressor
from gateway.upstream.direct.connection import Connection


class DirectStream(ByteStream):
    """One response.

    Args:
        provider: the name for messages.
        connection: the stream owns it from here on.
        reader: has read the head and found no fault in it.
        early: the bytes of the body that came with the head.
        give: takes the connection back if it can serve again.
        clock: measures how long a read takes.
    """

    def __init__(  # noqa: PLR0913 - one place puts a stream together
        self,
        provider: str,
        connection: Connection,
        reader: ResponseReader,
        early: bytes,
        *,
        give: Callable[[Connection], None],
        clock: Clock,
    ) -> None:
        super().__init__(provider, reader.status or 0, reader.headers)
        self._connection = connection
        self._reader = reader
        self._early = early
        self._give = give
        self._clock = clock
        coding = reader.headers.get("content-encoding", "").lower()
        self._coding = "" if coding == "identity" else coding
        self._decompressor: Decompressor | None = None
        self._lock = threading.Lock()  # over the four below
        self._reading = False
        self._detached = False
        self._closed = False
        self._cancelled = False

    def read(self, timeout: float) -> bytes:
        until: float | None = None
        left = timeout
        while True:
            if body := self._available():
                return body
            if self._ended():
                return b""
            if until is None:
                until = self._clock.monotonic() + timeout
            else:  # only framing came, which must not restart the timeout
                left = until - self._clock.monotonic()
            self._early = self._body_in(self._receive(left))

    def detach(self) -> Detached | None:
        with self._lock:
            if self._closed or self._coding:
                return None
            self._detached = True
        early, self._early = self._early, b""
        return Detached(self._connection.socket, early, self._feed, self._ended, self._failed)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._early = b""
            done = _wake if self._reading else self._give if self._serves_again() else Connection.close
        done(self._connection)

    def cancel(self) -> None:
        with self._lock:
            if not self._closed:
                self._cancelled = True
                shut_down(self._connection.socket)

    def _serves_again(self) -> bool:
        return self._reader.reusable and not self._cancelled and not self._connection.spoiled

    def _available(self) -> bytes:
        """The body's bytes that have come, decompressed."""
        raw, self._early = self._early, b""
        if not self._coding:
            return raw
        try:
            if self._decompressor is None:
                if not raw:
                    return raw
                self._decompressor = Decompressor(self._coding)
            while raw or self._decompressor.pending:
                if body := self._decompressor.feed(raw):
                    return body
                raw = b""
        except ProtocolError as fault:
            self._connection.spoiled = True  # a wrong Content-Encoding casts doubt on the framing, too
            raise self._broken(fault) from None
        return b""

    def _ended(self) -> bool:
        """Whether the body is complete. Raises InvalidAnswer if it never will be."""
        if self._reader.fault is not None:
            raise self._broken(self._reader.fault)
        if not self._reader.ended:
            return False
        if self._cancelled:  # where the connection's end is the body's end, cancelling looks like that end
            raise InvalidAnswer(f"The answer of {self._provider} was cut.")
        if self._decompressor is not None and not self._decompressor.whole:
            raise self._broken("its compressed answer ends too early")
        return True

    def _feed(self, data: bytes) -> bytes:
        """`Detached.feed`."""
        body = self._body_in(data)
        if not body:
            self._ended()
        return body

    def _body_in(self, data: bytes) -> bytes:
        """The body's bytes in received `data`; b"" as `data` means that the connection has ended."""
        if data:
            return self._reader.feed(data)
        self._reader.close()
        return b""

    def _receive(self, seconds: float) -> bytes:
        with self._lock:
            if self._closed or self._detached:
                raise InvalidAnswer(f"The answer of {self._provider} was closed.")
            self._reading = True
        try:
            return self._connection.receive(max(seconds, 0.001))
        except TimeoutError:
            raise ProviderTimeout(f"{self._provider} was silent for too long.") from None
        except OSError as fault:
            raise self._failed(fault) from None
        finally:
            with self._lock:
                self._reading = False
                closed = self._closed
            if closed:
                self._connection.close()

    def _failed(self, fault: OSError) -> InvalidAnswer:
        return self._broken(type(fault).__name__)

    def _broken(self, why: object) -> InvalidAnswer:
        return InvalidAnswer(f"{self._provider} broke off in the middle of its answer ({why}).")


def _wake(connection: Connection) -> None:
    """Wake the thread that reads from the connection; that thread closes it. If this one closed it, its descriptor's
    number could belong to another connection when the reader looks."""
    shut_down(connection.socket)
