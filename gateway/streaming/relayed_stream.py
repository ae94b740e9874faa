"""One stream that the relay carries: from the bytes that its socket received to the bytes for its caller.

A thread with a stream of its own asks for the next piece and gets one (gateway.upstream.byte_stream). On the relay the
pieces come by themselves, and one receive may hold both a piece and the body's end. It knows one socket, and neither
the selector nor the other streams.
"""

import ssl
from typing import Protocol

from gateway.core.provider_failures import ProviderFailure
from gateway.streaming.session import ReadTimeout, StreamSession
from gateway.upstream.byte_stream import DRAIN_READS, DRAIN_SECONDS, READ_SIZE, Detached


class Outlet(Protocol):
    """The connection to one caller, to whom the head and the first piece have been sent."""

    @property
    def untaken(self) -> int:
        """Bytes that the caller has not taken yet."""

    @property
    def left(self) -> bool:
        """The caller has left."""

    @property
    def last_write(self) -> float:
        """Monotonic seconds when something was last sent."""

    def heartbeat(self) -> bool:
        """Send a heartbeat of the session, if nothing is untaken. Returns whether it was sent."""

    def send(self, piece: bytes) -> bool:
        """Send a piece, without waiting as long as little is untaken. Returns False if the caller has left."""

    def close(self) -> None:
        """Close the session and end the answer. Called once."""


class RelayedStream:
    """One stream. It belongs to the relay's thread, except while a thread of the pool asks another target.

    Attributes:
        session: the rules.
        outlet: the connection to the caller.
        source: what is read; None where the stream is over or another target is being asked.
        next_check: monotonic seconds when to check next whether the provider has been idle too long.
        watched: the selector has the socket.
        has_more: the socket may have decrypted more than was read, which no selector sees.
        paused: the provider is not read until the caller takes something.
        framing_reads: reads that are left to find the end of the framing; None while the answer lasts.

    Args:
        session: as above.
        outlet: as above.
        source: as above.
    """

    __slots__ = (
        *("framing_reads", "has_more", "next_check", "outlet", "paused", "session", "source", "watched"),
        *("_is_tls", "_last_received"),
    )

    def __init__(self, session: StreamSession, outlet: Outlet, source: Detached | None) -> None:
        self.session = session
        self.outlet = outlet
        self.source = source
        self.next_check = 0.0
        self.watched = False
        self.has_more = False
        self.paused = False
        self.framing_reads: int | None = None
        self._is_tls = False
        self._last_received = 0.0  # monotonic seconds

    def begin(self, source: Detached, now: float) -> bytes:
        """Prepare the socket. Returns the caller's bytes of what was received before.

        Args:
            source: what is read from now on.
            now: monotonic seconds, as for the other methods.
        """
        source.connection.setblocking(False)
        self._is_tls = self.has_more = isinstance(source.connection, ssl.SSLSocket)
        self._last_received = now
        return self._received(source, source.early, now)

    def read(self, now: float) -> bytes:
        """Receive without blocking. Returns the caller's bytes; b"" if nothing has come."""
        source = self.source
        self.has_more = False
        if source is None:
            return b""
        try:
            data = source.connection.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as fault:
            return self._failed(source.broken(fault))
        self.has_more = self._is_tls
        try:
            body = source.feed(data)
        except ProviderFailure as failure:
            return self._failed(failure)
        if self.framing_reads:
            self.framing_reads = self._framing_reads_left(source, self.framing_reads - 1, closed=not data)
            return b""
        return self._received(source, body, now, closed=not data)

    def restart_timeout(self, now: float) -> None:
        """The relay reads the provider again after a pause, which does not count as idle."""
        self._last_received = now
        self.session.read_again()

    def read_timeout(self, now: float) -> ReadTimeout:
        """How much longer the provider may be idle."""
        idle = now - self._last_received
        if self.framing_reads:
            return ReadTimeout(DRAIN_SECONDS - idle, to_deadline=False)
        return self.session.read_timeout(idle)

    def timed_out(self, read_timeout: ReadTimeout) -> bytes:
        """The provider sent nothing within `read_timeout`. Returns the caller's bytes."""
        if self.framing_reads:
            self.framing_reads = 0
            return b""
        return self.session.timed_out(read_timeout)

    def finish(self, now: float) -> None:
        """The answer is over. Wait a moment for the rest of its framing, so that the provider's connection can serve
        again (as ByteStream.finish does)."""
        self.framing_reads = 0
        try:
            if self.source is not None and self.session.reusable and not self.source.ended():
                self.framing_reads = DRAIN_READS
                self._last_received = self.next_check = now
        except ProviderFailure:
            return

    def _received(self, source: Detached, body: bytes, now: float, *, closed: bool = False) -> bytes:
        """The caller's bytes of `body`, and of the body's end if this is it."""
        session = self.session
        out = b""
        try:
            if body:
                out = session.received(body)
                self._last_received = now
            if session.expects_data and (closed or source.ended()):
                out += session.received(b"")
        except ProviderFailure as failure:
            out += session.failed(failure)
        return out

    def _failed(self, failure: ProviderFailure) -> bytes:
        if self.framing_reads:
            self.framing_reads = 0  # the answer was complete before
            return b""
        return self.session.failed(failure)

    def _framing_reads_left(self, source: Detached, reads: int, *, closed: bool) -> int:
        try:
            return 0 if closed or source.ended() else reads
        except ProviderFailure:
            return 0
