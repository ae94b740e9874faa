"""OpenAI chat completions, both halves.

Source: https://platform.openai.com/docs/api-reference/chat. Between a caller and a provider that both speak it the
JSON passes as it came; `response.py` and `stream.py` mend only what known servers get wrong and known clients break on.
For a provider of another wire, `words.py` reads the request in our words, and `answer.py` and `chunks.py` write the
answer from them.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ProviderFailure
from gateway.core.request import ChatRequest, Rendered
from gateway.wires.base import Decoder, Encoder, Naming
from gateway.wires.openai_chat import errors, request, response, resuming, stream


class OpenAIChat:
    """The wire as one object, both halves of the contract in gateway.wires.base.

    Args:
        mask: takes secrets out of an error's texts before a caller sees them.
        history: "strict" takes out of a conversation what OpenAI's own server refuses and other servers have written
            into it; "as_is" lets it pass, for servers that read it or do not mind.
        tool_calls_finish: a choice that called a tool ends with "tool_calls" where the provider says "stop", as
            Google's own endpoint does (python-genai#2868, 2026-08). OpenAI's "stop" after a forced tool is right, so
            this is not for it.
    """

    def __init__(
        self,
        mask: Callable[[str], str] = errors.unmasked,
        *,
        history: Literal["strict", "as_is"] = "as_is",
        tool_calls_finish: bool = False,
    ) -> None:
        self._mask = mask
        self._strict_history = history == "strict"
        self._tool_calls_finish = tool_calls_finish

    def parse_request(self, body: bytes) -> ChatRequest:
        return request.parse(body)

    def continued(self, chat: ChatRequest, said: str) -> ChatRequest:
        return resuming.continued(chat, said)

    def render_request(self, chat: ChatRequest, model: str, *, ask_usage: bool) -> Rendered:
        return request.render(chat, model, ask_usage=ask_usage, strict_history=self._strict_history)

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        return response.parse(body, now, tool_calls_finish=self._tool_calls_finish)

    def render_response(self, answer: ChatResponse, naming: Naming) -> bytes:
        return response.render(answer, naming)

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        return stream.ChunkDecoder(now, asked.choices, tool_calls_finish=self._tool_calls_finish)

    def encoder(self, naming: Naming) -> Encoder:
        return stream.ChunkEncoder(naming, self._mask)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        return errors.parse(status, headers, body)

    def render_error(self, error: GatewayError) -> bytes:
        return errors.render_error(error, self._mask)
