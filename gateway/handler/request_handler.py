"""The walk of a chat request: parse, route, dispatch, reply, and one record at its end.

One handler serves the callers of one wire, which it knows by its contract only.
"""

import logging
from collections.abc import Mapping
from typing import Final

from gateway.config.schema import Timeouts
from gateway.core.durations import in_words
from gateway.core.errors import GatewayError, InternalFault
from gateway.core.provider_failures import ProviderFailure
from gateway.core.records import CallRecord
from gateway.core.source import RequestContext
from gateway.dispatch.attempt import TargetAnswer
from gateway.dispatch.call import Call
from gateway.dispatch.failover import Failover, Resumed
from gateway.dispatch.operation import Chat
from gateway.dispatch.watchdog import CallWatchdog
from gateway.handler.reply import EVENT_STREAM, JSON_TYPE, LONGEST_ADVICE, Reply, error_reply
from gateway.handler.reply_headers import attempts_text, error_code, gateway_headers
from gateway.handler.response_transformer import ResponseTransformer
from gateway.observe.observers import Observers
from gateway.providers.base import Answer
from gateway.routing.router import Route, Router, Target
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.streaming.body import StreamedBody, StreamRelay
from gateway.streaming.session import StreamSession, stream_of
from gateway.wires.base import Encoder, InboundWire

STALL_REPLACEABLE: Final = 20.0
STALL_ALONE: Final = 120.0
"""Seconds of silence allowed between two pieces of a stream: where another candidate could go on, and where none."""
logger = logging.getLogger(__name__)


class RequestHandler:
    """Answers chat requests.

    Args:
        wire: the callers' wire format.
        router: names to targets.
        failover: targets to an answer.
        transformer: an answer to the callers' wire.
        timeouts: by provider name.
        calls: the running ones.
        observers: get a record a call.
        relay: takes streams that have begun from their threads; without one each keeps its thread.
    """

    def __init__(  # noqa: PLR0913 - the walk's stations, handed in once
        self,
        *,
        wire: InboundWire,
        router: Router,
        failover: Failover,
        transformer: ResponseTransformer,
        timeouts: Mapping[str, Timeouts],
        calls: CallWatchdog,
        observers: Observers,
        relay: StreamRelay | None = None,
    ) -> None:
        self._wire = wire
        self._router = router
        self._failover = failover
        self._transformer = transformer
        self._timeouts = timeouts
        self._calls = calls
        self._observers = observers
        self._relay = relay

    def handle(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        """The reply to a request. Never raises GatewayError: an error is a reply too."""
        self._calls.add(call)
        try:
            return self._answer(call, body, context)
        except GatewayError as error:
            self._finished(call, self._wire.error_status(error), error)
            return self._refusal(call, error)
        except Exception:
            if not call.caller.commit():
                self._calls.remove(call)
                raise
            logger.exception("request %s failed on a fault of the gateway", call.request_id)
            fault = InternalFault("The gateway failed on a fault of its own; its log has the details.")
            self._finished(call, self._wire.error_status(fault), fault)
            return self._refusal(call, fault)
        except BaseException:
            self._calls.remove(call)
            raise

    def _answer(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        request = self._wire.parse_request(body, context)
        call.model, call.streamed = request.model, request.stream
        chat = Chat(request, self._transformer.whole, self._wire.resume_request)
        if request.stream:
            return self._stream(chat, call)
        found = self._first_that_answers(self._router.candidates(request.model), chat, call)
        if not isinstance(found.answer, Answer):
            raise TypeError("a stream is no whole answer")
        return self._whole(found.answer, call)

    def _stream(self, chat: Chat, call: Call) -> Reply:
        call.heartbeats = encoder = self._transformer.encoder(chat.request)
        route = self._router.candidates(chat.request.model)
        found = self._first_that_answers(route, chat, call)
        try:
            return self._streamed(found, _Stream(self, route, chat, encoder, call))
        except BaseException:
            found.close()
            raise

    def _first_that_answers(self, route: Route, chat: Chat, call: Call) -> TargetAnswer:
        found = self._failover.first_that_answers(route, chat, call)
        call.first_content = call.age()
        if found.answer.dropped:
            call.dropped = tuple(map(self._wire.field_name, found.answer.dropped))
        return found

    def _whole(self, answer: Answer, call: Call) -> Reply:
        call.usage = answer.response.usage
        passed_on = self._wire.forwarded(answer.headers, answer.response.source.wire)
        headers = (("Content-Type", JSON_TYPE), *gateway_headers(call), *passed_on)
        return Reply(200, headers, answer.content, sent=lambda: self._finished(call, 200, None))

    def _streamed(self, answer: TargetAnswer, asked: "_Stream") -> Reply:
        stream, route, call = stream_of(answer), asked.route, asked.call
        resumable = asked.chat.request.plain and route.stream_recovery == "resume" and len(route.targets) > 1
        stall = self._stall(route, answer.target, resumable=resumable)
        machine = AnswerMachine(stream.decoder, asked.encoder, stall, resumable=resumable)
        headers = (*EVENT_STREAM, *gateway_headers(call), *self._wire.forwarded(stream.headers, stream.wire))
        session = call.stream = StreamSession(machine, answer, call, asked)
        call.caller.commit()
        asked.encoder.answered_by(str(answer.target), None)
        return Reply(200, headers, StreamedBody(session, self._relay))

    def resume(self, route: Route, chat: Chat, call: Call, text_so_far: str) -> Resumed:
        """Another candidate's stream, where that of `call.target` broke off after this text."""
        return self._failover.resume(route, chat, text_so_far, call)

    def closed(self, call: Call, machine: AnswerMachine, error: GatewayError | None) -> None:
        """A stream is over."""
        call.usage, call.skipped_events = machine.usage, machine.skipped
        self._finished(call, 200, error)

    def _stall(self, route: Route, target: Target, *, resumable: bool) -> Stall:
        configured = self._timeouts[target.provider].stall_seconds
        if configured != "auto":
            return Stall(configured, configured)
        short = resumable and self._failover.has_alternative(route, target)
        return Stall(STALL_REPLACEABLE if short else STALL_ALONE, STALL_ALONE)

    def _refusal(self, call: Call, error: GatewayError) -> Reply:
        if isinstance(error, ProviderFailure) and (error.retry_after or 0.0) > LONGEST_ADVICE:
            error = error.with_message(f"{error.message} Try again in {in_words(error.retry_after or 0.0)}.")
        begun, call.heartbeats = call.heartbeats, None  # once committed, no heartbeat comes behind the error
        if call.caller.commit():
            event = self._wire.error_event(error) if begun is None else begun.error(error)
            return Reply(200, (*EVENT_STREAM, *gateway_headers(call)), event)
        reply = error_reply(error, self._wire)
        return Reply(reply.status, (*reply.headers, *gateway_headers(call)), reply.body)

    def _finished(self, call: Call, status: int, error: GatewayError | None) -> None:
        self._calls.remove(call)
        self._observers.finished(
            CallRecord(  # from 16 keywords on Python makes a dictionary of them
                call.request_id,
                call.model,
                target=str(call.target) if call.target else None,
                attempts=attempts_text(call),
                status=status,
                error=error_code(error) if error else None,
                streamed=call.streamed,
                queue_ms=round(call.queued * 1000),
                first_ms=None if call.first_content is None else round(call.first_content * 1000),
                total_ms=round(call.age() * 1000),
                prompt_tokens=call.usage.prompt if call.usage else None,
                completion_tokens=call.usage.completion if call.usage else None,
                dropped=call.dropped,
                skipped_events=call.skipped_events,
                learned=call.learned,
                endpoint=call.endpoint,
            )
        )


class _Stream:
    """What a stream was asked with, and what it asks its handler."""

    def __init__(self, handler: RequestHandler, route: Route, chat: Chat, encoder: Encoder, call: Call) -> None:
        self.route = route
        self.chat = chat
        self.encoder = encoder
        self.call = call
        self._handler = handler

    def resume(self, text_so_far: str) -> Resumed:
        return self._handler.resume(self.route, self.chat, self.call, text_so_far)

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        self._handler.closed(self.call, machine, error)
