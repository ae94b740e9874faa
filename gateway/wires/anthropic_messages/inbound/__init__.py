"""The inbound half of Anthropic's Messages API: callers speak it.

`request.py` checks a request. For a provider of another wire, `prompt.py` reads it in neutral form, and `answer.py` and
`blocks.py` write the answer from neutral form. This half knows nothing of how providers of this wire are asked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.answer import ChatResponse
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext
from gateway.core.strict_json import dumps
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.inbound import answer, encoder, errors, fields, request, resume
from gateway.wires.anthropic_messages.inbound.params import shows_reasoning
from gateway.wires.base import Encoder, Headers, Naming
from gateway.wires.forwarded_headers import RATE_LIMITS, forwarded

NO_CONTEXT: Final = RequestContext()
OWN_LIMITS: Final = re.compile(r"\n(anthropic-ratelimit-[a-z0-9-]{1,64})$", re.MULTILINE)
"""Anthropic's headers about limits. Source: https://platform.claude.com/docs/en/api/rate-limits."""


class AnthropicMessagesCallers:
    """The inbound half of the contract in gateway.wires.base.

    Args:
        mask: removes secrets from an error's texts before the caller gets them.
    """

    name = WIRE
    request_headers = frozenset({"anthropic-version", "anthropic-beta"})

    def __init__(self, mask: Callable[[str], str] = errors.unmasked) -> None:
        self._mask = mask

    def parse_request(self, body: bytes, context: RequestContext = NO_CONTEXT) -> ChatRequest:
        return request.parse(body, context)

    def parse_count(self, body: bytes, context: RequestContext = NO_CONTEXT) -> ChatRequest:
        return request.parse(body, context, counts=True)

    def render_count(self, tokens: int) -> bytes:
        return dumps({"input_tokens": tokens})

    def resume_request(self, chat: ChatRequest, text_so_far: str) -> ChatRequest:
        return resume.resume_request(chat, text_so_far)

    def render_response(self, response: ChatResponse, chat: ChatRequest, naming: Naming) -> bytes:
        return answer.render(response, naming, shows_reasoning=shows_reasoning(chat.source.body))

    def encoder(self, chat: ChatRequest, naming: Naming) -> Encoder:
        return encoder.EventEncoder(naming, shows_reasoning=shows_reasoning(chat.source.body), mask=self._mask)

    def render_error(self, error: GatewayError) -> bytes:
        return errors.render_error(error, self._mask)

    def error_event(self, error: GatewayError) -> bytes:
        return encoder.error_event(error, self._mask)

    def error_status(self, error: GatewayError) -> int:
        return errors.status(error)

    def reply_headers(self, request_id: str) -> Headers:
        return (("request-id", request_id),)

    def forwarded(self, headers: Mapping[str, str], wire: str) -> Headers:
        return forwarded(headers, OWN_LIMITS if wire == WIRE else RATE_LIMITS)

    def field_name(self, name: str) -> str:
        return fields.field_name(name)
