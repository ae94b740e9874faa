"""A chat request's walk: read, routed, answered by the first who can, written down."""

import logging
import re
from collections.abc import Mapping
from typing import Final

from gateway.config.schema import Timeouts
from gateway.core.durations import in_words
from gateway.core.errors import GatewayError, InternalFault
from gateway.core.provider_failures import ProviderFailure
from gateway.core.records import CallRecord
from gateway.core.request import ChatRequest
from gateway.dispatch.attempt import TargetAnswer
from gateway.dispatch.call import Call
from gateway.dispatch.caller import Headers
from gateway.dispatch.failover import Failover, Resumed
from gateway.dispatch.operation import Chat
from gateway.dispatch.watchdog import CallWatchdog
from gateway.handler.reply import EVENT_STREAM, JSON_TYPE, LONGEST_ADVICE, Reply, error_reply
from gateway.handler.response_transformer import ResponseTransformer
from gateway.observe.observers import Observers
from gateway.providers.base import Answer, OpenStream
from gateway.routing.router import Route, Router, Target
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.streaming.body import StreamedBody, StreamRelay
from gateway.streaming.session import StreamSession
from gateway.wires.base import InboundWire

STALL_REPLACEABLE: Final = 20.0
STALL_ALONE: Final = 120.0
"""Seconds of silence allowed between two pieces of a stream: where another candidate could go on, and where none."""
FORWARDED: Final = re.compile(r"^x-ratelimit-[a-z0-9-]{1,64}$", re.MULTILINE | re.IGNORECASE | re.ASCII)
"""Headers of a provider that are passed on: what clients read to pace themselves."""
MOST_FORWARDED: Final = 32
LONGEST_FORWARDED: Final = 256
"""Clients refuse a reply of more than 100 headers, so a provider that sends many would make an error of its answer."""
CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
UNSAFE: Final = re.compile(r"[^!-$&-+\--<>-~]")
"""What is not printable ASCII, the blank, and what parts the entries of a list: comma, equals sign and percent."""

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

    def handle(self, call: Call, body: bytes) -> Reply:
        """The reply to a request body. Never raises GatewayError: an error is a reply too."""
        self._calls.add(call)
        try:
            return self._answer(call, body)
        except GatewayError as error:
            self._finished(call, error.status, error)
            return self._refusal(call, error)
        except Exception:
            if not call.caller.commit():
                self._calls.remove(call)
                raise
            logger.exception("request %s failed on a fault of the gateway", call.request_id)
            fault = InternalFault("The gateway failed on a fault of its own; its log has the details.")
            self._finished(call, fault.status, fault)
            return self._refusal(call, fault)
        except BaseException:
            self._calls.remove(call)
            raise

    def _answer(self, call: Call, body: bytes) -> Reply:
        request = self._wire.parse_request(body)
        call.model, call.streamed = request.model, request.stream
        route = self._router.candidates(request.model)
        reached = self._failover.first_that_answers(route, Chat(request, self._wire.resume_request), call)
        call.first_content = call.age()
        call.dropped = reached.answer.dropped
        try:
            if isinstance(reached.answer, Answer):
                return self._whole(reached.answer, route, call)
            return self._streamed(reached, reached.answer, route, request, call)
        except BaseException:
            reached.close()
            raise

    def _whole(self, answer: Answer, route: Route, call: Call) -> Reply:
        content = self._transformer.whole(answer, route.name)
        call.usage = answer.response.usage
        headers = (("Content-Type", JSON_TYPE), *_told(call), *_forwarded(answer.headers))
        return Reply(200, headers, content, sent=lambda: self._finished(call, 200, None))

    def _streamed(
        self, reached: TargetAnswer, stream: OpenStream, route: Route, request: ChatRequest, call: Call
    ) -> Reply:
        resumable = request.plain and route.stream_recovery == "resume" and len(route.targets) > 1
        stall = self._stall(route, reached.target, resumable=resumable)
        machine = self._transformer.streamed(stream, request, stall, resumable=resumable)
        headers = (*EVENT_STREAM, *_told(call), *_forwarded(stream.headers))
        call.caller.commit()
        drive = StreamSession(machine, reached, call, _StreamCallbacks(self, route, request, call))
        return Reply(200, headers, StreamedBody(drive, self._relay))

    def resume(self, route: Route, request: ChatRequest, call: Call, said: str) -> Resumed:
        """Another candidate's stream, where that of `call.target` has broken off after `said`."""
        return self._failover.resume(route, Chat(request, self._wire.resume_request), said, call)

    def closed(self, call: Call, machine: AnswerMachine, error: GatewayError | None) -> None:
        """A stream is over."""
        call.usage, call.skipped_events = machine.usage, machine.skipped
        self._finished(call, 200, error)

    def _stall(self, route: Route, target: Target, *, resumable: bool) -> Stall:
        told = self._timeouts[target.provider].stall_seconds
        if told != "auto":
            return Stall(told, told)
        short = resumable and self._failover.has_alternative(route, target)
        return Stall(STALL_REPLACEABLE if short else STALL_ALONE, STALL_ALONE)

    def _refusal(self, call: Call, error: GatewayError) -> Reply:
        if isinstance(error, ProviderFailure) and (error.retry_after or 0.0) > LONGEST_ADVICE:
            error.message += f" Try again in {in_words(error.retry_after or 0.0)}."
        if call.caller.commit():
            return Reply(200, (*EVENT_STREAM, *_told(call)), self._wire.error_event(error))
        reply = error_reply(error, self._wire)
        return Reply(reply.status, (*reply.headers, *_told(call)), reply.body)

    def _finished(self, call: Call, status: int, error: GatewayError | None) -> None:
        self._calls.remove(call)
        self._observers.finished(
            CallRecord(
                request_id=call.request_id,
                model=call.model,
                target=str(call.target) if call.target else None,
                attempts=attempts_text(call),
                status=status,
                error=_word(error) if error else None,
                streamed=call.streamed,
                queue_ms=round(call.queued * 1000),
                first_ms=None if call.first_content is None else round(call.first_content * 1000),
                total_ms=round(call.age() * 1000),
                prompt_tokens=call.usage.prompt if call.usage else None,
                completion_tokens=call.usage.completion if call.usage else None,
                dropped=call.dropped,
                skipped_events=call.skipped_events,
                endpoint=call.endpoint,
            )
        )


class _StreamCallbacks:
    """What a stream's body asks its handler, with what the answer is to know."""

    def __init__(self, handler: RequestHandler, route: Route, request: ChatRequest, call: Call) -> None:
        self._handler = handler
        self._route = route
        self._request = request
        self._call = call

    def resume(self, said: str) -> Resumed:
        return self._handler.resume(self._route, self._request, self._call, said)

    def closed(self, machine: AnswerMachine, error: GatewayError | None) -> None:
        self._handler.closed(self._call, machine, error)


def _word(error: GatewayError) -> str:
    """What the log calls an error. A provider's own code may be any text, and a prompt with it."""
    return error.code if error.code and CODE.fullmatch(error.code) else type(error).code or type(error).type


def attempts_text(call: Call) -> str:
    """`openai/gpt-4=503,gemini/gemini-2.5-pro=200`; what would break the list is percent-encoded."""
    told = [f"{_header_safe(str(target))}={_header_safe(outcome)}" for target, outcome in call.attempts]
    return ",".join(told)


def _told(call: Call) -> Headers:
    """The headers that tell what happened."""
    headers = [("x-gateway-queue-ms", str(round(call.queued * 1000)))]
    if call.attempts:
        headers.append(("x-gateway-attempts", attempts_text(call)))
    if call.target:
        headers.append(("x-gateway-provider", call.target.provider))
        headers.append(("x-gateway-model", _header_safe(call.target.model)))
    if call.dropped:
        headers.append(("x-gateway-dropped", ",".join(call.dropped)))
    return tuple(headers)


def _forwarded(headers: Mapping[str, str]) -> Headers:
    names = FORWARDED.findall("\n".join(headers))  # in one look: most names of a head are others
    found = [(name.lower(), value) for name in names if _can_stand(value := headers[name])]
    return tuple(found[:MOST_FORWARDED])


def _can_stand(value: str) -> bool:
    return len(value) <= LONGEST_FORWARDED and value.isascii() and value.isprintable()


def _header_safe(text: str) -> str:
    if UNSAFE.search(text) is None:
        return text
    return UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), text)
