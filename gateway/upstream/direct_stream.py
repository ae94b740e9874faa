"""A response that comes over a connection of our own."""

import threading
from collections.abc import Callable

from gateway.core.clock import Clock
from gateway.core.provider_failures import InvalidAnswer, ProviderTimeout
from gateway.http1.response_body import ProtocolError
from gateway.http1.response_reader import ResponseReader
from gateway.net.sockets import shut_down
from gateway.upstream.byte_stream import ByteStream, Detached
from gateway.upstream.connection import Connection
from gateway.upstream.content_coding import Unpacker


class DirectStream(ByteStream):
    """One response.

    Args:
        provider: the name for messages.
        connection: the stream owns it from here on.
        reader: has read the head, and nothing is wrong with it.
        early: what of the body came with the head.
        give: takes the connection if it can serve again.
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
        self._unpacker: Unpacker | None = None
        self._lock = threading.Lock()  # over the four below
        self._reading = False
        self._detached = False
        self._closed = False
        self._cut = False

    def read(self, timeout: float) -> bytes:
        until: float | None = None
        left = timeout
        while True:
            if body := self._at_hand():
                return body
            if self._ended():
                return b""
            if until is None:
                until = self._clock.monotonic() + timeout
            else:  # what came was framing: that must not begin the time anew
                left = until - self._clock.monotonic()
            self._early = self._took(self._receive(left))

    def detach(self) -> Detached | None:
        with self._lock:
            if self._closed or self._coding:
                return None
            self._detached = True
        early, self._early = self._early, b""
        return Detached(self._connection.socket, early, self._fed, self._ended, self._fell)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._early = b""
            done = _wake if self._reading else self._give if self._serves_again() else Connection.close
        done(self._connection)

    def cut(self) -> None:
        with self._lock:
            if not self._closed:
                self._cut = True
                shut_down(self._connection.socket)

    def _serves_again(self) -> bool:
        return self._reader.reusable and not self._cut and not self._connection.spoiled

    def _at_hand(self) -> bytes:
        """The body's bytes that have come, unpacked."""
        raw, self._early = self._early, b""
        if not self._coding:
            return raw
        try:
            if self._unpacker is None:
                if not raw:
                    return raw
                self._unpacker = Unpacker(self._coding)
            while raw or self._unpacker.pending:
                if body := self._unpacker.feed(raw):
                    return body
                raw = b""
        except ProtocolError as fault:
            self._connection.spoiled = True  # who says of bytes what they are not may say so of where they end
            raise self._broken(fault) from None
        return b""

    def _ended(self) -> bool:
        """Whether the body is complete. Raises InvalidAnswer: it will not be."""
        if self._reader.fault is not None:
            raise self._broken(self._reader.fault)
        if not self._reader.ended:
            return False
        if self._cut:  # where the connection's end is the body's end, a cut looks like one
            raise InvalidAnswer(f"The answer of {self._provider} was cut.")
        if self._unpacker is not None and not self._unpacker.whole:
            raise self._broken("its compressed answer ends too early")
        return True

    def _fed(self, data: bytes) -> bytes:
        body = self._took(data)
        if not body:
            self._ended()
        return body

    def _took(self, data: bytes) -> bytes:
        """What of the body is in `data`, which was received."""
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
            raise self._fell(fault) from None
        finally:
            with self._lock:
                self._reading = False
                closed = self._closed
            if closed:
                self._connection.close()

    def _fell(self, fault: OSError) -> InvalidAnswer:
        return self._broken(type(fault).__name__)

    def _broken(self, why: object) -> InvalidAnswer:
        return InvalidAnswer(f"{self._provider} broke off in the middle of its answer ({why}).")


def _wake(connection: Connection) -> None:
    """For a thread that reads from it and will close it. Closed under that thread, the number of its descriptor may be
    another connection's by the time it looks."""
    shut_down(connection.socket)
