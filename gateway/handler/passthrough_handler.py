"""The walk of a request beside chat: embeddings, completions, rerank, moderations. It passes as it came.

It is routed by its model, limited, moved on and recorded as a chat is. What differs is which targets may answer
(gateway.routing.endpoint_routes), and that nothing of it is translated here.
"""

from functools import partial
from typing import Literal

from gateway.core.errors import ModelNotFound
from gateway.core.json_members import with_member
from gateway.core.passed import PassedRequest
from gateway.core.source import RequestContext
from gateway.dispatch.call import Call
from gateway.dispatch.operation import Passed
from gateway.handler.call_handler import AskedStream, CallHandler, CallServices
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.handler.reply_headers import ESTIMATED_TOKENS, gateway_headers
from gateway.handler.session_key import of_passed
from gateway.providers.base import Forwarded
from gateway.routing.endpoint_routes import ENDPOINTS, EndpointRoutes
from gateway.routing.router import Route
from gateway.wires.base import InboundWire
from gateway.wires.passed.completions import CompletionEncoder
from gateway.wires.passed.request import parse


class PassthroughHandler(CallHandler):
    """Answers requests beside chat; the call's endpoint says which.

    Args:
        wire: the callers' wire format, in which errors are written.
        services: what answers them.
        endpoints: which targets may answer.
        response_model: which name an answer carries: the alias that was asked for, or the provider's own.
    """

    def __init__(
        self,
        wire: InboundWire,
        services: CallServices,
        endpoints: EndpointRoutes,
        response_model: Literal["alias", "upstream"],
    ) -> None:
        super().__init__(wire, services)
        self._endpoints = endpoints
        self._own_name = response_model == "upstream"

    def _answer(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        request = parse(ENDPOINTS[call.endpoint], body)
        call.model, call.streamed = request.model, request.stream
        call.session = partial(of_passed, request, context.session)
        if request.stream:
            return self._stream(request, call)
        operation = Passed(request)
        route = self._admitted(self._route(request, call), operation, call)
        found = self._first_that_answers(route, operation, call)
        if not isinstance(found.answer, Forwarded):
            raise TypeError("a stream is no whole answer")
        return self._whole(found.answer, request, call)

    def _route(self, request: PassedRequest, call: Call) -> Route:
        try:
            route = self._route_of(request.model, call)
        except ModelNotFound as unknown:
            if request.fields.get("model") is not None:
                raise
            why = f"{unknown.message} A request without `model` goes by that name: make an alias of it."
            raise unknown.with_message(why) from None
        return self._endpoints.candidates(route, request.endpoint)

    def _stream(self, request: PassedRequest, call: Call) -> Reply:
        encoder = CompletionEncoder(None if self._own_name else request.model, self._wire.error_event)
        call.heartbeats = encoder
        operation = Passed(request)
        route = self._admitted(self._route(request, call), operation, call)
        found = self._first_that_answers(route, operation, call)
        try:
            return self._streamed(found, AskedStream(self, route, operation, encoder, call, resumable=False))
        except BaseException:
            found.close()
            raise

    def _whole(self, answer: Forwarded, request: PassedRequest, call: Call) -> Reply:
        call.usage = answer.usage
        content = answer.content if self._own_name else with_member(answer.content, "model", request.model)
        headers = (
            ("Content-Type", JSON_TYPE),
            *gateway_headers(call),
            *((ESTIMATED_TOKENS,) if answer.estimated else ()),
            *self._wire.forwarded(answer.headers, self._wire.name),
        )
        return Reply(200, headers, content, sent=lambda: self._finished(call, 200, None))
