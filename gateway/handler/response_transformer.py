"""A provider's answer to the caller's wire: whole, or as a stream that can be closed at any time."""

import logging
from collections.abc import Iterator
from typing import Final, Literal, Protocol

from gateway.core.chat import ChatRequest
from gateway.core.errors import (
    CallerLeft,
    DeadlineExceeded,
    GatewayError,
    InternalFault,
    ProviderFailure,
    Silent,
    StreamBroken,
)
from gateway.handler.attempt import Reached
from gateway.handler.call import Call
from gateway.handler.failover import Resumed
from gateway.handler.running_answer import RunningAnswer, Stall
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


class Ends(Protocol):
    """What is beyond an iterator's knowledge: who else could answer, and what to write down."""

    def resume(self, said: str) -> Resumed:
        """Another candidate's stream, to go on after `said`. Raises GatewayError where there is none."""

    def closed(self, machine: RunningAnswer, error: GatewayError | None) -> None:
        """It is over; `error` is what ended it, if something did. Called once."""


class StreamedBody:
    """Drives a running answer as the iterator that WSGI wants.

    A class and not a generator: closing a generator that was never started runs none of its code, and then the
    provider's connection would stay.

    Args:
        machine: the answer.
        reached: where its bytes come from; closed with the body.
        call: for its deadline, and for whether its caller is still there.
        ends: what is to be done where it breaks, and at its end.
    """

    def __init__(self, machine: RunningAnswer, reached: Reached, call: Call, ends: Ends) -> None:
        self._machine = machine
        self._reached = reached
        self._stream = _stream_of(reached)
        self._call = call
        self._ends = ends
        self._begun = False
        self._judged = False
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
        error = self._machine.error or self._unread()
        try:
            if error is None:
                self._stream.body.finish()
        finally:
            self._judge(error)
            self._ends.closed(self._machine, error)

    def _judge(self, error: GatewayError | None) -> None:
        """Close the stream and say how its target did. Its begin says little: some break every stream in the middle."""
        if self._judged:
            return
        self._judged = True
        self._stream.body.close()
        if error is None:
            self._reached.trial.answered()
        elif isinstance(error, ProviderFailure):
            self._reached.trial.failed(error)
        else:
            self._reached.trial.close()

    def _unread(self) -> GatewayError | None:
        """Why it was closed before its end, if it was."""
        if self._machine.over:
            return None
        return self._call.ended or CallerLeft("The caller left in the middle of the answer.")

    def _more(self) -> bytes:
        if not self._begun:
            self._begun = True
            return self._machine.begin(self._stream.first)
        if self._machine.interrupted is not None:
            return self._go_on(self._machine.interrupted)
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

    def _go_on(self, broken: StreamBroken) -> bytes:
        """Another candidate's stream in the place of the one that broke, else the error."""
        self._judge(broken)
        try:
            resumed = self._ends.resume(self._machine.said)
        except CallerLeft as left:
            return self._machine.failed(left)
        except GatewayError:
            return self._machine.give_up()
        self._judged = False
        self._reached = resumed.reached
        self._stream = _stream_of(resumed.reached)
        target = str(resumed.reached.target)
        return self._machine.resume(self._stream.decoder, self._stream.first, target, anew=resumed.restarted)


def _stream_of(reached: Reached) -> OpenStream:
    if isinstance(reached.answer, OpenStream):
        return reached.answer
    raise TypeError("a whole answer is no stream")
