"""The caller's half of OpenAI chat completions.

For a provider of another wire, `prompt.py` reads the request in neutral form, and `answer.py` and `chunks.py` write the
answer from it.
"""

from collections.abc import Callable

from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.wires.base import Encoder, Naming
from gateway.wires.openai_chat.inbound import answer, errors, request, resume
from gateway.wires.openai_chat.inbound.encoder import ChunkEncoder


class OpenAIChatInbound:
    """The inbound half of the contract in gateway.wires.base.

    Args:
        mask: takes secrets out of an error's texts before a caller sees them.
    """

    def __init__(self, mask: Callable[[str], str] = errors.unmasked) -> None:
        self._mask = mask

    def parse_request(self, body: bytes) -> ChatRequest:
        return request.parse(body)

    def continued(self, chat: ChatRequest, said: str) -> ChatRequest:
        return resume.continued(chat, said)

    def render_response(self, response: ChatResponse, naming: Naming) -> bytes:
        return answer.render(response, naming)

    def encoder(self, naming: Naming) -> Encoder:
        return ChunkEncoder(naming, self._mask)

    def render_error(self, error: GatewayError) -> bytes:
        return errors.render_error(error, self._mask)
