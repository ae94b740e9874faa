"""The outbound half of OpenAI chat completions: providers are asked in it.

`response.py` and `decoder.py` read whole and streamed answers, and repair what known servers get wrong and known
clients fail on. This half knows nothing of how callers of this wire are answered.
"""

from collections.abc import Mapping
from typing import Literal

from gateway.core.answer import ChatResponse
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.wires.base import Decoder
from gateway.wires.openai_chat import VENDOR, WIRE
from gateway.wires.openai_chat.outbound import errors, request, response
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder


class OpenAIChatProvider:
    """The outbound half of the contract in gateway.wires.base.

    Args:
        history: "strict" removes fields from a conversation that OpenAI's own server refuses and other servers have
            added; "as_is" keeps them, for servers that read or ignore them.
        tool_calls_finish: gives a choice that called a tool the finish reason "tool_calls" where the provider sends
            "stop", as Google's own endpoint does (python-genai#2868, 2026-08). Not for OpenAI, whose "stop" after a
            forced tool is correct.
    """

    name = WIRE
    vendor = VENDOR

    def __init__(self, *, history: Literal["strict", "as_is"] = "as_is", tool_calls_finish: bool = False) -> None:
        self._strict_history = history == "strict"
        self._tool_calls_finish = tool_calls_finish

    def render_request(self, chat: ChatRequest, model: str, ask: Ask) -> Rendered:
        return request.render(chat, model, ask, strict_history=self._strict_history)

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        return response.parse(body, now, asked, tool_calls_finish=self._tool_calls_finish)

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        return ChunkDecoder(now, asked, tool_calls_finish=self._tool_calls_finish)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        return errors.parse(status, headers, body)
