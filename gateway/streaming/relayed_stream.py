"""A stream that the relay carries: from what is received of it to what its caller hears, and the way to the caller.

A thread that has a stream to itself asks it for the next piece (gateway.upstream.byte_stream); here pieces come when
they come, and what two reads of that thread would give has to be made of one.
"""

import ssl
from typing import Protocol

from gateway.core.provider_failures import ProviderFailure
from gateway.streaming.session import ReadTimeout, StreamSession
from gateway.upstream.byte_stream import DRAIN_READS, DRAIN_SECONDS, READ_SIZE, Detached


class Outlet(Protocol):
    """The way to one caller, whose head and first piece are out."""

    @property
    def untaken(self) -> int:
        """Bytes that the caller has not taken yet."""

    @property
    def left(self) -> bool:
        """Nobody takes anything any more."""

    def send(self, piece: bytes) -> bool:
        """Send it, without waiting as long as little is untaken; False where the caller has left."""

    def close(self) -> None:
        """Close the drive and end the answer. Once."""


class RelayedStream:
    """One stream; of the relay's thread, but while another one asks a candidate to go on with it.

    Attributes:
        drive: the rules.
        outlet: the way to the caller.
        source: what is read; None where it is over or a candidate is asked.
        look: monotonic seconds when to look next whether its provider has been silent for too long.
        watched: whether the selector has its socket.
        has_more: its socket may have decrypted more than was read, which no selector sees.
        paused: whether its caller has to take something first.
        framing_reads: reads that are left to find the end of the framing; None while it answers.

    Args:
        drive: as above.
        outlet: as above.
        source: as above.
    """

    __slots__ = (
        *("drive", "framing_reads", "has_more", "look", "outlet", "paused", "source", "watched"),
        *("_heard", "_secure"),
    )

    def __init__(self, drive: StreamSession, outlet: Outlet, source: Detached | None) -> None:
        self.drive = drive
        self.outlet = outlet
        self.source = source
        self.look = 0.0
        self.watched = False
        self.has_more = False
        self.paused = False
        self.framing_reads: int | None = None
        self._secure = False
        self._heard = 0.0  # monotonic seconds when its provider last said something

    def begin(self, source: Detached, now: float) -> bytes:
        """What the caller hears of what had come before. `now`: monotonic seconds, as for the others."""
        source.connection.setblocking(False)
        self._secure = self.has_more = isinstance(source.connection, ssl.SSLSocket)
        self._heard = now
        return self._said(source, source.early, now)

    def read(self, now: float) -> bytes:
        """What the caller hears of what has come, if anything has."""
        source = self.source
        self.has_more = False
        if source is None:
            return b""
        try:
            data = source.connection.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as fault:
            return self._broke(source.broken(fault))
        self.has_more = self._secure
        try:
            body = source.feed(data)
        except ProviderFailure as failure:
            return self._broke(failure)
        if self.framing_reads:
            self.framing_reads = self._framing_reads_left(source, self.framing_reads - 1, closed=not data)
            return b""
        return self._said(source, body, now, closed=not data)

    def resumes_reading(self, now: float) -> None:
        """Its provider was not read for a while, which was not its silence."""
        self._heard = now

    def read_timeout(self, now: float) -> ReadTimeout:
        """How much longer it may be silent."""
        silence = now - self._heard
        if self.framing_reads:
            return ReadTimeout(DRAIN_SECONDS - silence, to_deadline=False)
        return self.drive.read_timeout(silence)

    def silent(self, read_timeout: ReadTimeout) -> bytes:
        """Nothing came within `read_timeout`: what the caller hears."""
        if self.framing_reads:
            self.framing_reads = 0
            return b""
        return self.drive.silent(read_timeout)

    def finish(self, now: float) -> None:
        """It has said everything. The rest of its framing is awaited for a moment, so that the provider's connection
        can serve again (as ByteStream.finish does)."""
        self.framing_reads = 0
        try:
            if self.source is not None and self.drive.whole and not self.source.ended():
                self.framing_reads = DRAIN_READS
                self._heard = self.look = now
        except ProviderFailure:
            return

    def _said(self, source: Detached, body: bytes, now: float, *, closed: bool = False) -> bytes:
        """What the caller hears of `body`, and of its end if this is it."""
        drive = self.drive
        said = b""
        try:
            if body:
                said = drive.received(body)
                self._heard = now
            if drive.goes_on and (closed or source.ended()):
                said += drive.received(b"")
        except ProviderFailure as failure:
            said += drive.broke(failure)
        return said

    def _broke(self, failure: ProviderFailure) -> bytes:
        if self.framing_reads:
            self.framing_reads = 0  # the answer was whole before
            return b""
        return self.drive.broke(failure)

    def _framing_reads_left(self, source: Detached, reads: int, *, closed: bool) -> int:
        try:
            return 0 if closed or source.ended() else reads
        except ProviderFailure:
            return 0
