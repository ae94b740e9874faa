"""A provider's answer to the caller's wire: whole, or as a stream that can be closed at any time."""

import logging
from collections.abc import Callable, Iterator
from typing import Final, Literal

from gateway.core.errors import (
    CallerLeft,
    DeadlineExceeded,
    GatewayError,
    InternalFault,
    ProviderFailure,
    Silent,
    StreamBroken,
)
from gateway.handler.call import Call
from gateway.handler.running_answer import RunningAnswer
from gateway.providers.base import Answer, OpenStream
from gateway.wires.base import InboundWire, Naming

TOO_LONG: Final = "The answer took longer than gateway.requestTimeoutSeconds."

logger = logging.getLogger(__name__)


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

    def streamed(self, stream: OpenStream, model: str, *, usage: bool, stall: float) -> RunningAnswer:
        """A stream's machine. `usage`: the caller asked for token counts; `stall`: seconds of silence allowed."""
        return RunningAnswer(stream.decoder, self._wire.encoder(self._naming(model, usage=usage)), stall)

    def _naming(self, model: str, *, usage: bool) -> Naming:
        return Naming(None if self._own_name else model, usage)


class StreamedBody:
    """Drives a running answer as the iterator that WSGI wants.

    A class and not a generator: closing a generator that was never started runs none of its code, and then the
    provider's connection would stay.

    Args:
        machine: the answer.
        stream: where its bytes come from; closed with the body.
        call: for its deadline, and for whether its caller is still there.
        closed: is told once, with the error that ended the answer, if one did.
    """

    def __init__(
        self,
        machine: RunningAnswer,
        stream: OpenStream,
        call: Call,
        closed: Callable[[RunningAnswer, GatewayError | None], None],
    ) -> None:
        self._machine = machine
        self._stream = stream
        self._call = call
        self._tell = closed
        self._begun = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._machine.over:
            try:
                said = self._more()
            except Exception:
                logger.exception("request %s failed on a fault of the gateway", self._call.request_id)
                said = self._machine.failed(InternalFault("The gateway failed on a fault of its own."))
            if said:
                return said
        raise StopIteration

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        complete = self._machine.over and self._machine.error is None
        try:
            if complete:
                self._stream.body.finish()
        finally:
            self._stream.body.close()
            self._tell(self._machine, self._machine.error or self._unread())

    def _unread(self) -> GatewayError | None:
        """Why it was closed before its end, if it was."""
        if self._machine.over:
            return None
        return self._call.ended or CallerLeft("The caller left in the middle of the answer.")

    def _more(self) -> bytes:
        if not self._begun:
            self._begun = True
            return self._machine.begin(self._stream.first)
        patience, left = self._machine.patience, self._call.remaining()
        if left <= 0:
            return self._machine.failed(DeadlineExceeded(TOO_LONG))
        try:
            data = self._stream.body.read(min(patience, left))
            if not data and self._call.ended:
                return self._machine.failed(self._call.ended)  # a connection that was cut can look like its end
            return self._machine.received(data)
        except Silent:
            return self._machine.silent() if patience <= left else self._machine.failed(DeadlineExceeded(TOO_LONG))
        except ProviderFailure as failure:
            broken = StreamBroken(f"{failure.message} The answer above is incomplete.")
            return self._machine.failed(self._call.ended or broken)
