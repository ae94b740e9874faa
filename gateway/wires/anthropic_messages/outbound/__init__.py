"""The outbound half of Anthropic's Messages API: providers are asked in it.

A caller's own request of this wire passes with another name of the model; others are rendered from neutral form. A
stream and a whole answer are read by the same reader. This half knows nothing of how callers of this wire are answered.
"""

from collections.abc import Mapping

from gateway.core.answer import ChatResponse
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.wires.anthropic_messages import VENDOR, WIRE
from gateway.wires.anthropic_messages.outbound import decoder, errors, request, response
from gateway.wires.base import Decoder
from gateway.wires.reasoning_memory import ReasoningMemory


class AnthropicMessagesProvider:
    """The outbound half of the contract in gateway.wires.base.

    Args:
        memory: reasoning that clients may not send back; shared by all providers of this wire.
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
