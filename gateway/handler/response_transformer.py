"""A provider's answer to the caller's wire: whole, or as a stream that can be closed at any time."""

from typing import Literal

from gateway.core.request import ChatRequest
from gateway.providers.base import Answer, OpenStream
from gateway.streaming.answer_machine import AnswerMachine, Stall
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

    def streamed(self, stream: OpenStream, request: ChatRequest, stall: Stall, *, resumable: bool) -> AnswerMachine:
        """A stream's machine.

        Args:
            stream: whose first content has been read.
            request: what it answers.
            stall: how long silence may last.
            resumable: another candidate may go on where it breaks.
        """
        encoder = self._wire.encoder(self._naming(request.model, usage=request.wants_usage))
        return AnswerMachine(stream.decoder, encoder, stall, resumable=resumable)

    def _naming(self, model: str, *, usage: bool) -> Naming:
        return Naming(None if self._own_name else model, usage)
