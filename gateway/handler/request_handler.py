"""The walk of a chat request: parse, route, dispatch, reply, and one record at its end."""

from functools import partial

from gateway.core.source import RequestContext
from gateway.dispatch.call import Call
from gateway.dispatch.operation import Chat
from gateway.handler.call_handler import AskedStream, CallHandler, CallServices
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.handler.reply_headers import gateway_headers
from gateway.handler.response_transformer import ResponseTransformer
from gateway.handler.session_key import of_chat
from gateway.providers.base import Answer
from gateway.wires.base import InboundWire


class RequestHandler(CallHandler):
    """Answers chat requests.

    Args:
        wire: the callers' wire format.
        services: what answers them.
        transformer: an answer to the callers' wire.
    """

    def __init__(self, wire: InboundWire, services: CallServices, transformer: ResponseTransformer) -> None:
        super().__init__(wire, services)
        self._transformer = transformer
        self._session_key = services.session_key

    def _answer(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        request = self._wire.parse_request(body, context)
        call.model, call.streamed = request.model, request.stream
        call.session = partial(of_chat, request, context.session, self._session_key)
        chat = Chat(request, self._transformer.whole, self._wire.resume_request)
        if request.stream:
            return self._stream(chat, call)
        route = self._admitted(self._route_of(request.model, call), chat, call)
        found = self._first_that_answers(route, chat, call)
        if not isinstance(found.answer, Answer):
            raise TypeError("a stream is no whole answer")
        return self._whole(found.answer, call)

    def _stream(self, chat: Chat, call: Call) -> Reply:
        call.heartbeats = encoder = self._transformer.encoder(chat.request)
        route = self._admitted(self._route_of(chat.request.model, call), chat, call)
        found = self._first_that_answers(route, chat, call)
        try:
            return self._streamed(found, AskedStream(self, route, chat, encoder, call, resumable=chat.request.plain))
        except BaseException:
            found.close()
            raise

    def _whole(self, answer: Answer, call: Call) -> Reply:
        call.usage, call.mended = answer.response.usage, answer.response.mended
        passed_on = self._wire.forwarded(answer.headers, answer.response.source.wire)
        headers = (("Content-Type", JSON_TYPE), *gateway_headers(call), *passed_on)
        return Reply(200, headers, answer.content, sent=lambda: self._finished(call, 200, None))
