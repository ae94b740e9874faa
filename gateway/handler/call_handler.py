"""What the walks of all calls share: errors become replies, streams begin and end, and a record is made at the end.

A handler serves the callers of one wire, which it knows by its contract only. What a call asks for is the business of
the handlers that are made from this one.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.clients.admission import ClientAdmission
from gateway.config.schema import Timeouts
from gateway.core.durations import in_words
from gateway.core.errors import GatewayError, InternalFault, ModelNotFound
from gateway.core.provider_failures import ProviderFailure
from gateway.core.source import RequestContext
from gateway.dispatch.call import Call
from gateway.dispatch.failover import Failover, Resumed
from gateway.dispatch.operation import Operation
from gateway.dispatch.target_answer import TargetAnswer
from gateway.dispatch.watchdog import CallWatchdog
from gateway.handler.call_record import record_of
from gateway.handler.reply import EVENT_STREAM, LONGEST_ADVICE, Reply, error_reply
from gateway.handler.reply_headers import gateway_headers
from gateway.handler.session_key import OWN_KEY
from gateway.observe.observers import Observers
from gateway.routing.router import Route, Router, Target
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.streaming.body import StreamedBody, StreamRelay
from gateway.streaming.session import StreamSession, stream_of
from gateway.wires.base import Encoder, InboundWire

STALL_REPLACEABLE: Final = 20.0
STALL_ALONE: Final = 120.0
"""Seconds of silence allowed between two pieces of a stream: where another candidate could go on, and where none."""
UNPRICED: Final = "unpriced"
"""The outcome of a target that a budget passes over."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallServices:
    """What answers the calls of one configuration, whatever their wire.

    Attributes:
        router: names to targets.
        failover: targets to an answer.
        timeouts: by provider name.
        calls: the running ones.
        observers: get a record a call.
        clients: admit calls; without them every call is.
        relay: takes streams that have begun from their threads; without one each keeps its thread.
        session_key: see gateway.handler.session_key.
    """

    router: Router
    failover: Failover
    timeouts: Mapping[str, Timeouts]
    calls: CallWatchdog
    observers: Observers
    clients: ClientAdmission | None = None
    relay: StreamRelay | None = None
    session_key: bytes = OWN_KEY


class CallHandler(ABC):
    """Answers calls.

    Args:
        wire: the callers' wire format.
        services: what answers them.
    """

    def __init__(self, wire: InboundWire, services: CallServices) -> None:
        self._wire = wire
        self._router = services.router
        self._failover = services.failover
        self._timeouts = services.timeouts
        self._calls = services.calls
        self._observers = services.observers
        self._clients = services.clients
        self._relay = services.relay

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

    @abstractmethod
    def _answer(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        """The reply, where there is an answer. Raises GatewayError."""

    def _route_of(self, model: str, call: Call) -> Route:
        """The route of a model's name, noted in the call. Raises ModelNotFound."""
        try:
            route = self._router.candidates(model, call.client.may_use)
        except ModelNotFound:
            if model in self._router.aliases:
                call.alias = model
            raise
        call.alias, call.invented = route.alias, route.invented
        return route

    def _admitted(self, route: Route, operation: Operation, call: Call) -> Route:
        """The route with the targets that the client's budget allows, when the call has its share of that client's
        limits and budget. Raises PriceUnknown, BudgetExhausted, Limited, RequestTooLargeForLimit."""
        if self._clients is None or call.client.settings is None:
            return route
        admitted = self._clients.admit(call.client, route.targets, operation.size, call.came)
        call.share = admitted.share
        for target in admitted.passed_over:
            call.tried(target, UNPRICED)
        return replace(route, targets=admitted.targets) if admitted.passed_over else route

    def _first_that_answers(self, route: Route, operation: Operation, call: Call) -> TargetAnswer:
        found = self._failover.first_that_answers(route, operation, call)
        call.first_content = call.age()
        if found.answer.dropped:
            call.dropped = tuple(map(self._wire.field_name, found.answer.dropped))
        return found

    def _streamed(self, answer: TargetAnswer, asked: "AskedStream") -> Reply:
        stream, route, call = stream_of(answer), asked.route, asked.call
        resumable = asked.resumable and route.stream_recovery == "resume" and len(route.targets) > 1
        stall = self._stall(route, answer.target, resumable=resumable)
        machine = AnswerMachine(stream.decoder, asked.encoder, stall, resumable=resumable)
        headers = (*EVENT_STREAM, *gateway_headers(call), *self._wire.forwarded(stream.headers, stream.wire))
        session = call.stream = StreamSession(machine, answer, call, asked)
        call.caller.commit()
        asked.encoder.answered_by(str(answer.target), None)
        return Reply(200, headers, StreamedBody(session, self._relay))

    def resume(self, route: Route, operation: Operation, call: Call, text_so_far: str) -> Resumed:
        """Another candidate's stream, where that of `call.target` broke off after this text."""
        return self._failover.resume(route, operation, text_so_far, call)

    def closed(self, call: Call, machine: AnswerMachine, error: GatewayError | None) -> None:
        """A stream is over."""
        call.usage, call.skipped_events, call.mended = machine.usage, machine.skipped, machine.mended
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
        record = record_of(call, status, error)
        call.share.settle(record)
        self._calls.remove(call)
        self._observers.finished(record)


class AskedStream:
    """What a stream was asked with, and what it asks its handler.

    Args:
        handler: the call's.
        route: the targets that may be asked.
        operation: what they are asked for.
        encoder: writes the answer.
        call: the call.
        resumable: whether another target may resume it.
    """

    def __init__(  # noqa: PLR0913 - what a stream is made of, handed in once
        self,
        handler: CallHandler,
        route: Route,
        operation: Operation,
        encoder: Encoder,
        call: Call,
        *,
        resumable: bool,
    ) -> None:
        self.route = route
        self.operation = operation
        self.encoder = encoder
        self.call = call
        self.resumable = resumable
        self._handler = handler

    def resume(self, text_so_far: str) -> Resumed:
        return self._handler.resume(self.route, self.operation, self.call, text_so_far)

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        self._handler.closed(self.call, machine, error)
