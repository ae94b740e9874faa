"""The outbound half of OpenAI chat completions: providers are asked in it.

`response.py` and `decoder.py` read whole and streamed answers, and repair what known servers get wrong and known
clients fail on. This half knows nothing of how callers of this wire are answered.
"""

from collections.abc import Mapping
from typing import Final

from gateway.core.answer import ChatResponse
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.wires.base import Decoder
from gateway.wires.openai_chat import VENDOR, WIRE
from gateway.wires.openai_chat.outbound import errors, request, response
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder
from gateway.wires.openai_chat.outbound.dialect import Dialect

COMPATIBLE: Final = Dialect()


class OpenAIChatProvider:
    """The outbound half of the contract in gateway.wires.base.

    Args:
        dialect: what the server takes.
    """

    name = WIRE
    vendor = VENDOR

    def __init__(self, dialect: Dialect = COMPATIBLE) -> None:
        self._dialect = dialect

    def render_request(self, chat: ChatRequest, model: str, ask: Ask) -> Rendered:
        return request.render(chat, model, ask, self._dialect)

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        return response.parse(body, now, asked)

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        return ChunkDecoder(now, asked)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        return errors.parse(status, headers, body)
