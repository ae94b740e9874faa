"""The inbound half of OpenAI chat completions: callers speak it.

`request.py` checks a request. For a provider of another wire, `prompt.py` reads it in neutral form, and `answer.py` and
`chunks.py` write the answer from neutral form. This half knows nothing of how providers of this wire are asked.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core import sse
from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext
from gateway.wires import openai_errors as errors
from gateway.wires.base import Encoder, Headers, Naming
from gateway.wires.forwarded_headers import RATE_LIMITS, forwarded
from gateway.wires.openai_chat import WIRE
from gateway.wires.openai_chat.inbound import answer, request, resume
from gateway.wires.openai_chat.inbound.encoder import ChunkEncoder

NO_CONTEXT: Final = RequestContext()


class OpenAIChatCallers:
    """The inbound half of the contract in gateway.wires.base.

    Args:
        mask: removes secrets from an error's texts before the caller gets them.
    """

    name = WIRE
    request_headers: frozenset[str] = frozenset()

    def __init__(self, mask: Callable[[str], str] = errors.unmasked) -> None:
        self._mask = mask

    def parse_request(self, body: bytes, context: RequestContext = NO_CONTEXT) -> ChatRequest:
        return request.parse(body)

    def resume_request(self, chat: ChatRequest, text_so_far: str) -> ChatRequest:
        return resume.resume_request(chat, text_so_far)

    def render_response(self, response: ChatResponse, chat: ChatRequest, naming: Naming) -> bytes:
        return answer.render(response, naming)

    def encoder(self, chat: ChatRequest, naming: Naming) -> Encoder:
        return ChunkEncoder(naming, self._mask)

    def render_error(self, error: GatewayError) -> bytes:
        return errors.render_error(error, self._mask)

    def error_event(self, error: GatewayError) -> bytes:
        return sse.encode(self.render_error(error))

    def error_status(self, error: GatewayError) -> int:
        return error.status

    def reply_headers(self, request_id: str) -> Headers:
        return ()

    def forwarded(self, headers: Mapping[str, str], wire: str) -> Headers:
        return forwarded(headers, RATE_LIMITS)

    def field_name(self, name: str) -> str:
        return name
