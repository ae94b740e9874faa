"""A stream as the iterator that WSGI wants: a thread waits for each piece, until a relay takes the stream from it."""

from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.core.provider_failures import ProviderFailure, ProviderTimeout
from gateway.streaming.relayed_stream import Outlet
from gateway.streaming.session import StreamSession
from gateway.upstream.byte_stream import Detached


class StreamRelay(Protocol):
    """What takes a stream from its thread (gateway.streaming.relay)."""

    def reserve(self) -> bool:
        """Make sure of a place; False: there is none."""

    def release(self) -> None:
        """The place is not needed."""

    def add(self, drive: StreamSession, source: Detached, outlet: Outlet) -> None:
        """Carry the stream to its end."""


class StreamedBody:
    """Drives a running answer as the iterator that WSGI wants: on a thread that waits for each piece.

    A class and not a generator: closing a generator that was never started runs none of its code, and then the
    provider's connection would stay.

    Args:
        drive: the answer.
        relay: may take the stream from its thread.
        begun: whether its begin has been taken.
    """

    def __init__(self, drive: StreamSession, relay: StreamRelay | None = None, *, begun: bool = False) -> None:
        self._drive = drive
        self._relay = relay
        self._begun = begun
        self._detached = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._drive.over:
            try:
                said = self._more()
            except Exception as error:  # noqa: BLE001 - logged there
                said = self._drive.crashed(error)
            if said:
                return said
        raise StopIteration

    def detach(self) -> Callable[[Outlet], None] | None:
        """What has the relay send the rest through an outlet, once the thread has nothing more to do with the answer:
        the iterator is not asked again, and closed at the answer's end. None where only a thread can go on, at least
        for now."""
        relay, drive = self._relay, self._drive
        if relay is None or not (self._begun and drive.goes_on and relay.reserve()):
            return None
        source = None
        try:
            source = drive.body.detach()
        finally:
            if source is None:
                relay.release()
        if source is None:
            return None
        self._detached, detached = True, source
        return lambda outlet: relay.add(drive, detached, outlet)

    def close(self) -> None:
        try:
            if self._drive.whole and not self._detached:
                self._drive.body.finish()
        finally:
            self._drive.close()

    def _more(self) -> bytes:
        if not self._begun:
            self._begun = True
            return self._drive.begin()
        if self._drive.interrupted:
            return self._drive.go_on()
        read_timeout = self._drive.read_timeout()
        if read_timeout.seconds <= 0:
            return self._drive.silent(read_timeout)
        try:
            return self._drive.received(self._drive.body.read(read_timeout.seconds))
        except ProviderTimeout:
            return self._drive.silent(read_timeout)
        except ProviderFailure as failure:
            return self._drive.broke(failure)
