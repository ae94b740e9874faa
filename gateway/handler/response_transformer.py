"""Answers in the caller's wire: which name they carry, and who writes them."""

from typing import Literal

from gateway.core.answer import ChatResponse
from gateway.core.request import ChatRequest
from gateway.wires.base import Encoder, InboundWire, Naming


class ResponseTransformer:
    """Writes answers in the wire of the callers.

    Args:
        wire: the callers'.
        response_model: which name an answer carries: the alias that was asked for, or the provider's own.
    """

    def __init__(self, wire: InboundWire, response_model: Literal["alias", "upstream"]) -> None:
        self._wire = wire
        self._own_name = response_model == "upstream"

    def whole(self, response: ChatResponse, request: ChatRequest) -> bytes:
        """A whole answer to `request`. Raises InvalidAnswer where the wire cannot express it."""
        return self._wire.render_response(response, request, self._naming(request, usage=True))

    def encoder(self, request: ChatRequest) -> Encoder:
        """An encoder for the stream that answers `request`."""
        return self._wire.encoder(request, self._naming(request, usage=request.wants_usage))

    def _naming(self, request: ChatRequest, *, usage: bool) -> Naming:
        return Naming(None if self._own_name else request.model, usage)
