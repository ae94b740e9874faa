"""The outbound half of the Responses API: providers are asked in it.

`own_request.py` sends what a caller of this wire has written, `from_prompt.py` renders a request from neutral form. The
events of an answer pass to callers of this wire, and are read into neutral form for all others. This half knows nothing
of how callers of this wire are answered.
"""

from collections.abc import Mapping

from gateway.core.answer import ChatResponse
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.wires.base import Decoder
from gateway.wires.openai_responses import VENDOR, WIRE
from gateway.wires.openai_responses.outbound import errors, from_prompt, own_request, response
from gateway.wires.openai_responses.outbound.decoder import EventDecoder
from gateway.wires.reasoning_memory import ReasoningMemory


class OpenAIResponsesProvider:
    """The outbound half of the contract in gateway.wires.base.

    Args:
        provider: the provider's name, by which it knows the answers that it has made.
        memory: reasoning that belongs to tool calls, for callers whose wire has no place for it.
    """

    name = WIRE
    vendor = VENDOR

    def __init__(self, provider: str, memory: ReasoningMemory) -> None:
        self._provider = provider
        self._memory = memory

    def render_request(self, chat: ChatRequest, model: str, ask: Ask) -> Rendered:
        if chat.source.wire == WIRE:
            return own_request.render(chat, model, ask, self._provider)
        return from_prompt.render(chat, model, ask, self._memory)

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        return response.parse(body, now, asked, self._memory)

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        return EventDecoder(now, asked, self._memory)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        return errors.parse(status, headers, body)
