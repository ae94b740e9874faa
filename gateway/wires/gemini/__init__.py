"""Gemini's generateContent (v1beta), the outbound half of the wire.

No caller speaks this wire so far, so there is no inbound half. One event of a stream and a whole answer are the same
object, GenerateContentResponse, so one reader reads both.
Source: https://ai.google.dev/api/generate-content.
"""

from collections.abc import Mapping

from gateway.core.answer import ChatResponse
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.wires.base import Decoder
from gateway.wires.gemini import decoder, errors, request, response
from gateway.wires.gemini.answer_reader import WIRE
from gateway.wires.gemini.signatures import VENDOR
from gateway.wires.reasoning_memory import ReasoningMemory


class Gemini:
    """The outbound half of the contract in gateway.wires.base.

    Args:
        memory: data of tool calls that clients may not send back; shared by all providers of this wire.
    """

    name = WIRE
    vendor = VENDOR

    def __init__(self, memory: ReasoningMemory) -> None:
        self._memory = memory

    def render_request(self, chat: ChatRequest, model: str, ask: Ask) -> Rendered:
        return request.render(chat, model, self._memory, ask)

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        return response.parse(body, now, asked, self._memory)

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        return decoder.EventDecoder(now, asked, self._memory)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        return errors.parse(status, headers, body)
