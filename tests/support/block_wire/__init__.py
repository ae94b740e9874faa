"""An invented wire for chats, which shares nothing with the real ones but the contract: callers speak it at PATH.

Requests name everything in their own words, answers are blocks in their order, and the events of a stream are numbered.
It is a wire like any other, added by this folder and a row; nothing of the gateway knows it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core import sse
from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext
from gateway.core.strict_json import dumps
from gateway.server.routes import Endpoint, chat
from gateway.wires.base import Encoder, Headers, Naming
from gateway.wires.forwarded_headers import RATE_LIMITS, forwarded
from tests.support.block_wire import answer, errors, request
from tests.support.block_wire.answer import EventEncoder

PATH: Final = "/oracle/v1/talk"
MOST_HELD: Final = 16 << 20
"""Characters that wait for the end of the open call."""


class BlockCallers:
    """The inbound half of the contract in gateway.wires.base.

    Args:
        mask: removes secrets from an error's texts.
        most_held: characters of a stream that may wait for the end of the open call.
    """

    name = request.WIRE
    request_headers = frozenset({request.THOUGHTS})

    def __init__(self, mask: Callable[[str], str], most_held: int = MOST_HELD) -> None:
        self._mask = mask
        self._most_held = most_held

    def parse_request(self, body: bytes, context: RequestContext) -> ChatRequest:
        return request.parse(body, context)

    def resume_request(self, chat: ChatRequest, text_so_far: str) -> ChatRequest:
        return request.continued(chat, text_so_far)

    def render_response(self, response: ChatResponse, chat: ChatRequest, naming: Naming) -> bytes:
        return dumps(answer.whole(response, chat, naming))

    def encoder(self, chat: ChatRequest, naming: Naming) -> Encoder:
        return EventEncoder(chat, naming, self._mask, self._most_held)

    def error_status(self, error: GatewayError) -> int:
        return errors.status(error)

    def render_error(self, error: GatewayError) -> bytes:
        return dumps(errors.body(error, self._mask))

    def error_event(self, error: GatewayError) -> bytes:
        return sse.encode(dumps({"n": 0, **errors.body(error, self._mask)}), "doom")

    def reply_headers(self, request_id: str) -> Headers:
        return (("oracle-id", request_id),)

    def forwarded(self, headers: Mapping[str, str], wire: str) -> Headers:
        return forwarded(headers, RATE_LIMITS)

    def field_name(self, name: str) -> str:
        return errors.field_name(name)


ROW: Final = Endpoint("talk", PATH, ("POST",), BlockCallers, chat, model_call=True)
"""All that the gateway is given of this wire."""
