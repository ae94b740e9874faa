"""A stream as a WSGI iterator: one thread waits for each piece, until a relay takes the stream from it.

WSGI servers iterate over a body, so this driver works under any of them. It knows the relay by its protocol only.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.core.provider_failures import ProviderFailure, ProviderTimeout
from gateway.streaming.relayed_stream import Outlet
from gateway.streaming.session import StreamSession
from gateway.upstream.byte_stream import Detached


class StreamRelay(Protocol):
    """What takes a stream from its thread (gateway.streaming.relay)."""

    def reserve(self) -> bool:
        """Reserve a place for a stream. Returns False if there is none."""

    def release(self) -> None:
        """Give a reserved place back."""

    def add(self, session: StreamSession, source: Detached, outlet: Outlet) -> None:
        """Carry the stream to its end."""


class StreamedBody:
    """The iterator over one stream's bytes for the caller.

    A class and not a generator: closing a generator that was never started runs none of its code, so the provider's
    connection would stay open.

    Args:
        session: the stream.
        relay: may take the stream from its thread.
        begun: `session.begin` was called already.
    """

    def __init__(self, session: StreamSession, relay: StreamRelay | None = None, *, begun: bool = False) -> None:
        self._session = session
        self._relay = relay
        self._begun = begun
        self._detached = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        session = self._session
        session.let_go()
        while not session.over:
            try:
                piece = self._next_piece()
            except Exception as error:  # noqa: BLE001 - logged there
                session.hold()
                piece = session.crashed(error)
            if piece:
                return piece  # the stream is held until the next call: the server writes the piece meanwhile
            session.let_go()
        raise StopIteration

    def detach(self) -> Callable[[Outlet], None] | None:
        """Take the stream from its thread, once the first piece is out. Do not iterate after that; close the body when
        the answer ends.

        Returns:
            A function that has the relay send the rest through an outlet. Call it when the thread no longer uses the
            answer. None where only a thread can continue, at least for now.
        """
        relay, session = self._relay, self._session
        if relay is None or not (self._begun and session.expects_data and relay.reserve()):
            return None
        source = None
        try:
            source = session.body.detach()
        finally:
            if source is None:
                relay.release()
        if source is None:
            return None
        self._detached, detached = True, source
        session.move_to_relay()
        return lambda outlet: relay.add(session, detached, outlet)

    def close(self) -> None:
        """Close the session. A complete answer's framing is read first, so that the provider's connection can serve
        again. Idempotent."""
        try:
            if self._session.reusable and not self._detached:
                self._session.body.finish()
        finally:
            self._session.close()

    def _next_piece(self) -> bytes:
        if not self._begun:
            self._begun = True
            self._session.hold()
            return self._session.begin()
        if self._session.interrupted:
            return self._session.resume()
        return self._read_piece()

    def _read_piece(self) -> bytes:
        session = self._session
        read_timeout = session.read_timeout()
        if read_timeout.seconds <= 0:
            session.hold()
            return session.timed_out(read_timeout)
        try:
            data = session.body.read(read_timeout.seconds)
            session.hold()
            return session.received(data)
        except ProviderTimeout:
            session.hold()
            return session.timed_out(read_timeout)
        except ProviderFailure as failure:
            session.hold()
            return session.failed(failure)
