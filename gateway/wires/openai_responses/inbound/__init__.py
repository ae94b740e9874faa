"""The inbound half of the Responses API: callers speak it.

`request.py` checks a request and completes it from the store. For a provider of another wire, `prompt.py` reads it in
neutral form, and `item_writer.py` writes the answer from neutral form, whole or as events. This half knows nothing of
how providers of this wire are asked.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.response_store import ResponseStore
from gateway.core.source import RequestContext
from gateway.core.strict_json import dumps
from gateway.wires.base import Encoder, Headers, Naming
from gateway.wires.forwarded_headers import RATE_LIMITS, forwarded
from gateway.wires.openai_errors import render_error, unmasked
from gateway.wires.openai_responses import TURN_STATE, WIRE, turn_state
from gateway.wires.openai_responses.inbound import answer, errors, request, resume
from gateway.wires.openai_responses.inbound.encoder import EventEncoder
from gateway.wires.openai_responses.inbound.field_names import field_name

NO_CONTEXT: Final = RequestContext()


class OpenAIResponsesCallers:
    """The inbound half of the contract in gateway.wires.base.

    Args:
        store: keeps answers for requests that build on them.
        now: wall seconds.
        mask: removes secrets from an error's texts before the caller gets them.
    """

    name = WIRE
    request_headers: frozenset[str] = frozenset({TURN_STATE})

    def __init__(self, store: ResponseStore, now: Callable[[], float], mask: Callable[[str], str] = unmasked) -> None:
        self.store = store
        self._now = now
        self._mask = mask

    def parse_request(self, body: bytes, context: RequestContext = NO_CONTEXT) -> ChatRequest:
        return request.parse(body, context, self.store)

    def resume_request(self, chat: ChatRequest, text_so_far: str) -> ChatRequest:
        return resume.resume_request(chat, text_so_far)

    def render_response(self, response: ChatResponse, chat: ChatRequest, naming: Naming) -> bytes:
        return answer.render(response, chat, naming, self.store, self._now)

    def encoder(self, chat: ChatRequest, naming: Naming) -> Encoder:
        return EventEncoder(chat, naming, self.store, self._mask, self._now)

    def render_error(self, error: GatewayError) -> bytes:
        return render_error(error, self._mask)

    def error_event(self, error: GatewayError) -> bytes:
        nothing_known = ChatRequest("", True, True, request.EMPTY, request.no_prompt)
        return self.encoder(nothing_known, Naming(None, True)).error(error)

    def error_status(self, error: GatewayError) -> int:
        return errors.status(error)

    def reply_headers(self, request_id: str) -> Headers:
        return ()

    def forwarded(self, headers: Mapping[str, str], wire: str) -> Headers:
        limits = forwarded(headers, RATE_LIMITS)
        return (*limits, *turn_state(headers).items()) if wire == WIRE else limits

    def field_name(self, name: str) -> str:
        return field_name(name)

    def parse_count(self, body: bytes, context: RequestContext = NO_CONTEXT) -> ChatRequest:
        return request.parse(body, context, self.store)

    def render_count(self, tokens: int) -> bytes:
        return dumps({"object": "response.input_tokens", "input_tokens": tokens})
