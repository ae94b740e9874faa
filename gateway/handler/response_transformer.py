"""A provider's answer to the caller's wire: whole, or as a stream that can be closed at any time."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ProviderFailure, ProviderTimeout
from gateway.core.request import ChatRequest
from gateway.handler.relayed_stream import Outlet
from gateway.handler.running_answer import RunningAnswer, Stall
from gateway.handler.stream_drive import StreamDrive
from gateway.providers.base import Answer, OpenStream
from gateway.upstream.byte_stream import Detached
from gateway.wires.base import InboundWire, Naming


class ResponseTransformer:
    """Writes answers in the wire of the callers.

    Args:
        wire: the callers'.
        response_model: which name an answer carries.
    """

    def __init__(self, wire: InboundWire, response_model: Literal["alias", "upstream"]) -> None:
        self._wire = wire
        self._own_name = response_model == "upstream"

    def whole(self, answer: Answer, model: str) -> bytes:
        """A whole answer; `model` is the name that was asked for."""
        return self._wire.render_response(answer.response, self._naming(model, usage=True))

    def streamed(self, stream: OpenStream, request: ChatRequest, stall: Stall, *, resumable: bool) -> RunningAnswer:
        """A stream's machine.

        Args:
            stream: whose first content has been read.
            request: what it answers.
            stall: how long silence may last.
            resumable: another candidate may go on where it breaks.
        """
        encoder = self._wire.encoder(self._naming(request.model, usage=request.wants_usage))
        return RunningAnswer(stream.decoder, encoder, stall, resumable=resumable)

    def failed(self, error: GatewayError) -> bytes:
        """The error as the only event of a stream whose head has gone out already."""
        return self._wire.encoder(self._naming("", usage=False)).error(error)

    def _naming(self, model: str, *, usage: bool) -> Naming:
        return Naming(None if self._own_name else model, usage)


class StreamRelay(Protocol):
    """What takes a stream from its thread (gateway.handler.relay)."""

    def reserve(self) -> bool:
        """Make sure of a place; False: there is none."""

    def release(self) -> None:
        """The place is not needed."""

    def add(self, drive: StreamDrive, source: Detached, outlet: Outlet) -> None:
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

    def __init__(self, drive: StreamDrive, relay: StreamRelay | None = None, *, begun: bool = False) -> None:
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
        patience = self._drive.patience()
        if patience.seconds <= 0:
            return self._drive.silent(patience)
        try:
            return self._drive.received(self._drive.body.read(patience.seconds))
        except ProviderTimeout:
            return self._drive.silent(patience)
        except ProviderFailure as failure:
            return self._drive.broke(failure)
