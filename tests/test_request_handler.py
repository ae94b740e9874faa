"""A request's whole walk below the server: the reply, its headers, and the one line the log has of it."""

import io
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from gateway.auth.sources import ApiKey, CredentialSource, StoredToken
from gateway.config import schema
from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import CallerLeft, Draining, GatewayError
from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    Evidence,
    InvalidAnswer,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    Unavailable,
)
from gateway.core.records import CallRecord, TryRecord
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.core.secrets import Secret
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.watchdog import CallWatchdog
from gateway.handler.call_handler import CallServices
from gateway.handler.reply import Reply
from gateway.handler.request_handler import RequestHandler
from gateway.handler.response_transformer import ResponseTransformer
from gateway.observe.logs import CallLog, set_up
from gateway.observe.observers import Observers
from gateway.providers.base import Answer, AttemptContext, OpenStream, Provider
from gateway.providers.openai import OpenAIProvider
from gateway.routing.router import Router, Target
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.chats import NO_CONTEXT
from tests.support.fakes import FakeClock
from tests.support.scene import Dispatch
from tests.support.upstream_script import (
    Body,
    Cut,
    Done,
    Head,
    Json,
    Reset,
    ScriptedUpstream,
    Sse,
    Stall,
    Status,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

INBOUND = OpenAIChatCallers()
OUTBOUND = OpenAIChatProvider()
LONG = 20.0  # seconds; only a hang takes so long
USAGE = {"prompt_tokens": 12, "completion_tokens": 340, "total_tokens": 352}
PROMPT = "canary-prompt-2718281828"
KEY = "canary-key-3141592653"


# Small stand-ins ---------------------------------------------------------------------------------------------------


class FakeBody:
    """The rest of a stream: what each read brings, and whether it was finished and closed."""

    def __init__(self, *reads: bytes | Exception) -> None:
        self.headers: Mapping[str, str] = {"X-RateLimit-Remaining-Requests": "9", "Set-Cookie": "a=b"}
        self.reads = list(reads)
        self.finished = 0
        self.closed = 0

    def read(self, timeout: float) -> bytes:
        said = self.reads.pop(0) if self.reads else b""
        if isinstance(said, Exception):
            raise said
        return said

    def finish(self) -> None:
        self.finished += 1

    def close(self) -> None:
        self.closed += 1

    def cancel(self) -> None:
        self.reads = [InvalidAnswer("cut")]


def sse(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


def stream_of(body: FakeBody, first: str = "one ") -> OpenStream:
    """A stream that has said its first word; `body` brings the rest."""
    decoder = OUTBOUND.decoder(0, Rendered(b""))
    return OpenStream(decoder.feed(sse(*sse_events(first, finish=None))), decoder, cast(ByteStream, body), ())


def whole(text: str = "hi", dropped: tuple[str, ...] = (), headers: Mapping[str, str] | None = None) -> Answer:
    value = json_answer(text, model="own-name", usage=USAGE).value
    return Answer(OUTBOUND.parse_response(json.dumps(value).encode(), 0, Rendered(b"")), headers or {}, dropped)


class FakeProvider:
    """Plays outcomes in turn, then answers; a failure at their end stays."""

    def __init__(self, *outcomes: Answer | OpenStream | Exception) -> None:
        self.name = "fake"
        self.outcomes = list(outcomes)
        self.asked: list[str] = []

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        answer = self._next(context)
        assert isinstance(answer, Answer)
        return answer

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        answer = self._next(context)
        assert isinstance(answer, OpenStream)
        return answer

    def _next(self, context: AttemptContext) -> Answer | OpenStream:
        self.asked.append(context.model)
        context.on_sent()
        outcome = self.outcomes[0] if self.outcomes else whole()
        if isinstance(outcome, Exception) and len(self.outcomes) == 1:
            raise outcome  # for ever: a second try fails as well
        del self.outcomes[:1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        pass


class Lines(CallLog):
    """The log's lines as values, besides."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[CallRecord] = []

    def finished(self, line: CallRecord) -> None:
        super().finished(line)
        self.lines.append(line)


class Scene:
    """The real handler over the given providers. The alias `best` has a model m of each, in their order."""

    def __init__(
        self,
        folder: Path,
        calls: CallWatchdog,
        providers: Mapping[str, Provider],
        *,
        clock: Clock | None = None,
        model: str = "m",
        limits: Sequence[RateLimit] = (),
        sources: Mapping[str, CredentialSource] | None = None,
        timeouts: schema.Timeouts | None = None,
        own_name: bool = False,
    ) -> None:
        self.clock = clock or FakeClock()
        self.calls = calls
        self.log = Lines()
        self.gone = False
        names = list(providers)
        targets = tuple(schema.Target(provider=name, model=model, priority=rank) for rank, name in enumerate(names))
        times = {name: timeouts or schema.Timeouts() for name in names}
        observers = Observers([self.log])
        parts = Dispatch(
            folder, providers, self.clock, limits=limits, sources=sources, timeouts=times, observers=observers
        )
        self.health = parts.health
        aliases = [schema.Alias(alias="best", providers=targets)] if targets else []
        router = Router(aliases, {name: schema.Provider() for name in names})
        services = CallServices(router, parts.failover, times, calls, observers)
        self.handler = RequestHandler(
            INBOUND, services, ResponseTransformer(INBOUND, "upstream" if own_name else "alias")
        )

    def call(self, timeout: float = 600.0) -> Call:
        return Call("req_1", self.clock, timeout=timeout, caller=NoCaller(lambda: self.gone))

    def ask(self, model: str = "best", *, call: Call | None = None, **fields: object) -> Reply:
        body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **fields}
        reply = self.handler.handle(call or self.call(), json.dumps(body).encode(), NO_CONTEXT)
        if reply.sent is not None:
            reply.sent()
        return reply

    def rests(self, *names: str) -> bool:
        return bool(self.health.order([Target(name, "m") for name in names])[1])

    @property
    def line(self) -> CallRecord:
        """The one line of the one call; nothing runs any more."""
        (line,) = self.log.lines
        assert len(self.calls) == 0, "a call that has ended still counts as running"
        return line


@pytest.fixture
def calls(often_looked_after: None) -> Iterator[CallWatchdog]:
    running = CallWatchdog(SystemClock())
    yield running
    running.close()


def header(reply: Reply, name: str) -> str | None:
    values = [value for each, value in reply.headers if each.lower() == name.lower()]
    assert len(values) <= 1, f"{name} is said twice"
    return values[0] if values else None


def error_of(reply: Reply) -> dict[str, object]:
    assert isinstance(reply.body, bytes)
    error = json.loads(reply.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert header(reply, "content-type") == "application/json"
    return dict(error)


def events(reply: Reply) -> list[object]:
    """The events of a streamed reply, read to its end and closed as the server does."""
    assert not isinstance(reply.body, bytes)
    try:
        text = b"".join(reply.body).decode()
    finally:
        reply.body.close()
    data = [block.removeprefix("data: ") for block in text.split("\n\n") if block.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def text_of(said: Sequence[object]) -> str:
    deltas = [
        choice["delta"].get("content") or ""
        for event in said
        if isinstance(event, dict)
        for choice in event.get("choices", [])
    ]
    return "".join(deltas)


# Whole answers -----------------------------------------------------------------------------------------------------


def test_a_whole_answer_and_all_that_is_told_of_it(tmp_path: Path, calls: CallWatchdog) -> None:
    limits = {"X-RateLimit-Remaining-Requests": "9", "x-ratelimit-reset": "1s", "Set-Cookie": "a=b", "Server": "x"}
    scene = Scene(tmp_path, calls, {"a": FakeProvider(whole("hello", ("seed",), limits))})
    reply = scene.ask()
    assert isinstance(reply.body, bytes)
    answer = json.loads(reply.body)
    assert (reply.status, answer["choices"][0]["message"]["content"]) == (200, "hello")
    assert answer["model"] == "best"
    assert dict(reply.headers) == {
        "Content-Type": "application/json",
        "x-gateway-queue-ms": "0",
        "x-gateway-attempts": "a/m=200",
        "x-gateway-provider": "a",
        "x-gateway-model": "m",
        "x-gateway-dropped": "seed",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset": "1s",
    }
    assert scene.line == CallRecord(
        at=scene.clock.wall(),
        request_id="req_1",
        asked="best",
        alias="best",
        provider="a",
        model="m",
        answered=True,
        attempts="a/m=200",
        tries=(TryRecord("a", "m", "200", ms=0, usage=Usage(12, 340)),),
        status=200,
        error=None,
        streamed=False,
        queue_ms=0,
        first_ms=0,
        total_ms=0,
        input=12,
        cached=0,
        cache_write=0,
        output=340,
        reasoning=0,
        dropped=("seed",),
        endpoint="chat",
    )


def test_the_real_name_of_the_model_can_be_shown(tmp_path: Path, calls: CallWatchdog) -> None:
    reply = Scene(tmp_path, calls, {"a": FakeProvider()}, own_name=True).ask()
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["model"] == "own-name"


def test_a_model_can_be_asked_for_past_the_aliases(tmp_path: Path, calls: CallWatchdog) -> None:
    provider = FakeProvider()
    scene = Scene(tmp_path, calls, {"a": provider})
    reply = scene.ask("a/org/model:free")
    assert reply.status == 200
    assert provider.asked == ["org/model:free"]
    assert header(reply, "x-gateway-model") == "org/model:free"
    assert scene.line.asked == "a/org/model:free"


def test_failing_over_is_told(tmp_path: Path, calls: CallWatchdog) -> None:
    failing = FakeProvider(Unavailable("x", evidence=Evidence(status=503)))
    scene = Scene(tmp_path, calls, {"a": failing, "b": FakeProvider()})
    reply = scene.ask()
    attempts = "a/m=503,a/m=503,b/m=200"
    assert header(reply, "x-gateway-attempts") == attempts
    assert (header(reply, "x-gateway-provider"), scene.line.attempts) == ("b", attempts)
    assert (scene.line.target, scene.line.error) == ("b/m", None)


def test_time_in_the_queue_is_told(tmp_path: Path, calls: CallWatchdog) -> None:
    rule = RateLimit(provider="a", requests_per_minute=1, max_wait_seconds=90)
    scene = Scene(tmp_path, calls, {"a": FakeProvider()}, limits=[rule])
    scene.ask()
    reply = scene.ask()
    assert header(reply, "x-gateway-queue-ms") == "60000"
    line = scene.log.lines[1]
    assert (line.queue_ms, line.first_ms, line.total_ms) == (60_000, 60_000, 60_000)


# Failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"{}", "model"),
        (b'{"model": "best"}', "messages"),
        (b'{"model": "' + b"x" * 1_000_000 + b'", "messages": [1]}', "model"),
    ],
    ids=["empty", "cut", "list", "no-model", "no-messages", "huge-model"],
)
def test_a_request_that_cannot_be_read_is_a_reply_too(
    tmp_path: Path, calls: CallWatchdog, body: bytes, param: str
) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider()})
    reply = scene.handler.handle(scene.call(), body, NO_CONTEXT)
    assert (reply.status, error_of(reply)["param"]) == (400, param)
    assert (scene.line.status, scene.line.error, scene.line.target) == (400, "invalid_request_error", None)


@pytest.mark.parametrize("name", ["x\r\nSet-Cookie: a=b", "\x1b[2J", "a\u2028b", "a/\x00", "\ud800"])
def test_a_name_that_no_model_has_is_refused(tmp_path: Path, calls: CallWatchdog, name: str) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider()})
    assert scene.ask(name).status == 400
    assert scene.line.attempts == ""


@pytest.mark.parametrize("name", ["bset", "모델", "x/y"])
def test_an_unknown_model_is_not_found(tmp_path: Path, calls: CallWatchdog, name: str) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider()})
    reply = scene.ask(name)
    error = error_of(reply)
    assert (reply.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert str(error["message"]).isprintable()
    assert (scene.line.error, scene.line.attempts) == ("model_not_found", "")
    assert header(reply, "x-gateway-attempts") is None


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Unavailable("down", evidence=Evidence(status=500), status=500), 500, "provider_unavailable"),
        (ConnectionFailed("x"), 502, "provider_unreachable"),
        (InvalidAnswer("x"), 502, "provider_invalid_response"),
        (ContentRefused("x", evidence=Evidence(status=400)), 400, "content_policy_violation"),
        (RequestRejected("x", evidence=Evidence(status=422), status=422, param="seed", code="bad"), 422, "bad"),
    ],
    ids=str,
)
def test_a_providers_failure_reaches_the_caller_as_it_is(
    tmp_path: Path, calls: CallWatchdog, failure: ProviderFailure, status: int, code: str
) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider(failure, failure)})
    reply = scene.ask()
    error = error_of(reply)
    assert (reply.status, error["code"], error["message"], error["param"]) == (
        status,
        code,
        failure.message,
        failure.param,
    )
    assert header(reply, "x-gateway-attempts") == scene.line.attempts != ""
    assert header(reply, "x-gateway-provider") is None
    assert (scene.line.status, scene.line.error) == (status, code)
    assert (scene.line.target, scene.line.first_ms) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [
        (None, {"Retry-After": "10", "retry-after-ms": "10000"}),  # what it rests for after two in a row
        (0.0, {"Retry-After": "1", "retry-after-ms": "1"}),
        (1.2, {"Retry-After": "2", "retry-after-ms": "1200"}),
        (60.0, {"Retry-After": "60", "retry-after-ms": "60000"}),
        (60.5, {"x-should-retry": "false"}),
        (86_400.0, {"x-should-retry": "false"}),
    ],
)
def test_the_caller_is_told_when_to_come_again(
    tmp_path: Path, calls: CallWatchdog, seconds: float | None, headers: Mapping[str, str]
) -> None:
    failure = RateLimited("slow down", evidence=Evidence(status=429, retry_after=seconds))
    reply = Scene(tmp_path, calls, {"a": FakeProvider(failure)}).ask()
    names = ("Retry-After", "retry-after-ms", "x-should-retry")
    assert {name: value for name, value in reply.headers if name in names} == headers


def test_a_long_wait_is_told_in_words(tmp_path: Path, calls: CallWatchdog) -> None:
    failure = QuotaExhausted("The quota is spent.", evidence=Evidence(status=429, retry_after=12_000))
    reply = Scene(tmp_path, calls, {"a": FakeProvider(failure)}).ask()
    assert error_of(reply)["message"] == "The quota is spent. Try again in 3 hours 20 minutes."


def test_where_every_queue_is_full_the_caller_is_told_the_shortest_wait(tmp_path: Path, calls: CallWatchdog) -> None:
    rules = [RateLimit(provider=name, requests_per_minute=1, max_queue_size=0) for name in "ab"]
    clock = FakeClock()
    scene = Scene(tmp_path, calls, {"a": FakeProvider(), "b": FakeProvider()}, limits=rules, clock=clock)
    scene.ask()
    clock.advance(20)
    scene.ask()
    scene.log.lines.clear()
    reply = scene.ask()
    assert (reply.status, error_of(reply)["code"]) == (429, "rate_limit_exceeded")
    assert header(reply, "retry-after") == "40"
    assert scene.line.attempts == "a/m=limited,b/m=limited,a/m=limited,b/m=limited"


def test_a_missing_login_is_told(tmp_path: Path, calls: CallWatchdog) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider()}, sources={"a": StoredToken()})
    reply = scene.ask()
    assert (reply.status, error_of(reply)["code"]) == (401, "login_required")
    assert scene.line.attempts == "a/m=login_required"


def test_a_deadline_is_told(tmp_path: Path, calls: CallWatchdog) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider()})
    reply = scene.ask(call=scene.call(timeout=0.0))
    assert (reply.status, error_of(reply)["code"]) == (504, "deadline_exceeded")
    assert scene.line.status == 504


def test_a_caller_that_left_has_a_line_and_blames_nobody(tmp_path: Path, calls: CallWatchdog) -> None:
    provider = FakeProvider()
    scene = Scene(tmp_path, calls, {"a": provider})
    scene.gone = True
    assert scene.ask().status == 499
    assert (scene.line.status, scene.line.error, provider.asked) == (499, "caller_left", [])
    assert not scene.rests("a")


def test_a_fault_of_our_own_is_told_as_one_and_nothing_runs_on(tmp_path: Path, calls: CallWatchdog) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider(ZeroDivisionError())})
    reply = scene.ask()
    assert (reply.status, error_of(reply)["code"]) == (500, "internal_error")
    assert len(calls) == 0


# Names from outside in headers -------------------------------------------------------------------------------------

HOSTILE_MODELS = ("m; Set-Cookie: a=b", "m,b/x=200", "m=%", "mödel 模型", "a b c", "%0d%0aX: y")


@pytest.mark.parametrize("model", HOSTILE_MODELS)
@pytest.mark.parametrize("works", [True, False], ids=["answers", "fails"])
def test_a_hostile_model_name_stays_one_entry_of_one_header_line(
    tmp_path: Path, calls: CallWatchdog, model: str, works: bool
) -> None:
    outcome = whole() if works else Unavailable("x", evidence=Evidence(status=503))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(outcome)}, model=model)
    for name in ("best", f"a/{model}"):
        reply = scene.ask(name)
        for _, value in reply.headers:
            assert value.isascii()
            assert value.isprintable()
        attempts = header(reply, "x-gateway-attempts") or ""
        assert (attempts.count(","), attempts.count("=")) == ((0, 1) if works else (1, 2))  # a failure is tried twice


@pytest.mark.parametrize("code", ["x\r\nSet-Cookie: a=b", "x,b/m=200", "ünï", "c" * 300])
def test_a_hostile_code_of_a_provider_stays_one_entry_of_one_header_line(
    tmp_path: Path, calls: CallWatchdog, code: str
) -> None:
    scene = Scene(tmp_path, calls, {"a": FakeProvider(QuotaExhausted("x", code=code)), "b": FakeProvider()})
    attempts = header(scene.ask(), "x-gateway-attempts") or ""
    assert attempts.isascii()
    assert attempts.isprintable()
    assert (attempts.count(","), attempts.count("=")) == (1, 2)


def test_a_header_of_a_provider_that_is_no_plain_text_is_left_out(tmp_path: Path, calls: CallWatchdog) -> None:
    headers = {"x-ratelimit-a": "ok", "x-ratelimit-b": "bad\x00", "x-ratelimit-c": "ünï", "x-ratelimit-d": "a\r\nb: c"}
    reply = Scene(tmp_path, calls, {"a": FakeProvider(whole(headers=headers))}).ask()
    assert [name for name, _ in reply.headers if name.startswith("x-ratelimit")] == ["x-ratelimit-a"]


# Streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_and_all_that_is_told_of_it(tmp_path: Path, calls: CallWatchdog) -> None:
    rest = sse(*sse_events("two three", usage=USAGE)[1:], "[DONE]")
    body = FakeBody(rest)
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    reply = scene.ask(stream=True, stream_options={"include_usage": True})
    assert dict(reply.headers) == {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
        "x-gateway-queue-ms": "0",
        "x-gateway-attempts": "a/m=200",
        "x-gateway-provider": "a",
        "x-gateway-model": "m",
        "x-ratelimit-remaining-requests": "9",
    }
    assert len(calls) == 1, "it runs until its last byte"
    assert scene.log.lines == []
    said = events(reply)
    assert text_of(said) == "one two three"
    assert said[-1] == "[DONE]"
    assert {event["model"] for event in said if isinstance(event, dict)} == {"best"}
    assert (body.finished, body.closed) == (1, 1)
    assert (scene.line.streamed, scene.line.status, scene.line.error) == (True, 200, None)
    assert (scene.line.input, scene.line.output) == (12, 340)


def test_token_counts_are_logged_where_the_caller_did_not_ask_for_them(tmp_path: Path, calls: CallWatchdog) -> None:
    body = FakeBody(sse(*sse_events("two", usage=USAGE)[1:], "[DONE]"))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    said = events(scene.ask(stream=True))
    assert not [event for event in said if isinstance(event, dict) and event.get("usage")]
    assert (scene.line.input, scene.line.output) == (12, 340)


def test_unreadable_events_are_counted(tmp_path: Path, calls: CallWatchdog) -> None:
    body = FakeBody(sse("{not json", *sse_events("two")[1:], "[DONE]"))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    assert text_of(events(scene.ask(stream=True))) == "one two"
    assert scene.line.skipped_events == 1


def test_a_stream_that_breaks_ends_with_an_error_and_is_held_against_its_target(
    tmp_path: Path, calls: CallWatchdog
) -> None:
    body = FakeBody(sse(sse_events("two")[1]), InvalidAnswer("a broke off."))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body)), "b": FakeProvider(QuotaExhausted("spent"))})
    said = events(scene.ask(stream=True))
    last = said[-1]
    assert isinstance(last, dict)
    assert last["error"]["code"] == "stream_interrupted"
    assert "[DONE]" not in said
    assert (body.finished, body.closed) == (0, 1)
    assert (scene.line.status, scene.line.error, scene.line.target) == (200, "stream_interrupted", "a/m")
    assert scene.health.describe(Target("a", "m")).failures == 1


def test_a_caller_that_leaves_a_stream_blames_nobody(tmp_path: Path, calls: CallWatchdog) -> None:
    body = FakeBody(*[sse(sse_events("two")[1])] * 50)
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    reply = scene.ask(stream=True)
    assert not isinstance(reply.body, bytes)
    next(iter(reply.body))
    reply.body.close()
    reply.body.close()
    assert (body.finished, body.closed) == (0, 1)
    assert (scene.line.error, scene.rests("a")) == ("caller_left", False)


def test_a_stream_that_nobody_began_to_read_is_closed_all_the_same(tmp_path: Path, calls: CallWatchdog) -> None:
    body = FakeBody()
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    reply = scene.ask(stream=True)
    assert not isinstance(reply.body, bytes)
    reply.body.close()
    assert (body.closed, scene.line.error) == (1, "caller_left")


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("The gateway was stopped.")], ids=str)
@pytest.mark.parametrize("looks", [b"", InvalidAnswer("cut")], ids=["like-an-end", "like-a-break"])
def test_a_stream_that_is_ended_from_outside_blames_nobody(
    tmp_path: Path, calls: CallWatchdog, reason: GatewayError, looks: bytes | Exception
) -> None:
    body = FakeBody(looks)
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))})
    call = scene.call()
    reply = scene.ask(call=call, stream=True)
    call.end(reason)
    last = events(reply)[-1]
    assert isinstance(last, dict)
    assert last["error"]["message"] == reason.message
    assert (scene.line.error, scene.rests("a")) == (reason.code, False)


def test_a_stream_past_its_deadline_says_so_and_blames_nobody(tmp_path: Path, calls: CallWatchdog) -> None:
    clock = FakeClock()
    body = FakeBody(sse(sse_events("two")[1]))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(stream_of(body))}, clock=clock)
    reply = scene.ask(stream=True)
    clock.advance(600)
    last = events(reply)[-1]
    assert isinstance(last, dict)
    assert last["error"]["code"] == "deadline_exceeded"
    assert (scene.line.error, scene.rests("a")) == ("deadline_exceeded", False)


def test_a_stream_that_nobody_can_begin_has_a_true_status(tmp_path: Path, calls: CallWatchdog) -> None:
    failure = Unavailable("down", evidence=Evidence(status=503))
    scene = Scene(tmp_path, calls, {"a": FakeProvider(failure), "b": FakeProvider(failure)})
    reply = scene.ask(stream=True)
    assert (reply.status, error_of(reply)["message"]) == (503, "down")
    assert (scene.line.streamed, scene.line.attempts) == (True, "a/m=503,a/m=503,b/m=503,b/m=503")


# On real sockets ---------------------------------------------------------------------------------------------------


class Wired:
    """The handler over scripted upstreams, with the real clock."""

    def __init__(self, folder: Path, calls: CallWatchdog, stack: ExitStack, **ups: ScriptedUpstream) -> None:
        clock = SystemClock()
        providers = {name: self._provider(name, up, clock) for name, up in ups.items()}
        for provider in providers.values():
            stack.callback(provider.close)
        sources: dict[str, CredentialSource] = {name: ApiKey(Secret(KEY)) for name in ups}
        self.scene = Scene(folder, calls, providers, clock=clock, sources=sources)

    def _provider(self, name: str, up: ScriptedUpstream, clock: Clock) -> OpenAIProvider:
        session = UpstreamSession(name, up.base_url, pool_size=8, connect_seconds=LONG, environ={})
        agents = UserAgentPool()
        return OpenAIProvider(
            name, up.base_url, session=session, user_agents=agents, wire=OUTBOUND, stream_usage=True, clock=clock
        )


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def wired(tmp_path: Path, calls: CallWatchdog, stack: ExitStack, up: ScriptedUpstream) -> Scene:
    """`a` is the fixture `up`; `b` is healthy."""
    healthy = stack.enter_context(ScriptedUpstream())
    return Wired(tmp_path, calls, stack, a=up, b=healthy).scene


FAULTS: Mapping[str, tuple[tuple[Step, ...], str]] = {
    "503": ((Status(503),), "503"),
    "429": ((Status(429, {"Retry-After": "30"}),), "429"),
    "401": ((Json(401, {"error": {"message": "bad key"}}),), "401"),
    "context": ((Json(400, {"error": {"message": "x", "code": "context_length_exceeded"}}),), "400"),
    "html": ((Status(200, body=b"<html>"),), "provider_invalid_response"),
    "error-in-200": ((Json(200, {"error": {"message": "x", "code": 500}}),), "500"),
    "redirect": ((Status(302, {"Location": "http://["}),), "302"),
    "cut": ((Head(), Cut()), "provider_invalid_response"),
}


@pytest.mark.parametrize(("steps", "word"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_fault_of_the_first_is_answered_by_the_second(
    wired: Scene, up: ScriptedUpstream, steps: tuple[Step, ...], word: str, stream: bool
) -> None:
    tries = 1 if word in ("429", "401", "400") else 2  # what is a matter of chance is tried twice
    for _ in range(tries):
        up.plays(*steps)
    reply = wired.ask(stream=stream)
    text = text_of(events(reply)) if stream else json.loads(cast(bytes, reply.body))["choices"][0]["message"]["content"]
    assert text == "Hello from the scripted upstream."
    assert header(reply, "x-gateway-attempts") == f"a/m={word}," * tries + "b/m=200"
    assert wired.line.attempts == f"a/m={word}," * tries + "b/m=200"
    assert len(up.requests) == tries


def test_a_reset_is_tried_once_more_at_the_same_target(wired: Scene, up: ScriptedUpstream) -> None:
    up.plays(Reset())
    reply = wired.ask()
    assert header(reply, "x-gateway-attempts") == "a/m=provider_unreachable,a/m=200"


def test_a_refusal_of_the_content_is_passed_on_and_not_routed_around(wired: Scene, up: ScriptedUpstream) -> None:
    up.plays(Json(400, {"error": {"message": "Not allowed.", "code": "content_policy_violation"}}))
    reply = wired.ask()
    assert (reply.status, error_of(reply)["message"]) == (400, "Not allowed.")
    assert header(reply, "x-gateway-attempts") == "a/m=400"


SILENCES: Mapping[str, tuple[Step, ...]] = {
    "head": (Stall(),),
    "chunked": (Head(), Body(b": wait\n\n"), Stall()),
    "until-close": (Head(framing="close"), Body(b": wait\n\n"), Stall()),
}


@pytest.mark.parametrize("steps", SILENCES.values(), ids=SILENCES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_caller_that_leaves_while_the_provider_is_silent_closes_it_within_two_seconds(
    wired: Scene, up: ScriptedUpstream, stream: bool, steps: tuple[Step, ...]
) -> None:
    up.plays(*steps)
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(wired.ask(stream=stream)), daemon=True)
    thread.start()
    (asked,) = up.wait_for_requests(1)
    wired.gone = True
    thread.join(LONG)
    assert asked.client_gone.wait(2.0)
    assert [reply.status for reply in replies] == [499]
    assert (wired.line.error, wired.line.attempts) == ("caller_left", "a/m=caller_left")
    assert not wired.rests("a")


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_caller_that_leaves_in_the_middle_of_a_stream_blames_nobody(
    wired: Scene, up: ScriptedUpstream, framing: str
) -> None:
    up.plays(Head(framing="close") if framing == "close" else Head(), Sse(sse_events("one two")[:2]), Stall())
    reply = wired.ask(stream=True)
    wired.gone = True
    events(reply)
    assert up.requests[0].client_gone.wait(2.0)
    assert (wired.line.error, wired.rests("a")) == ("caller_left", False)


def test_whoever_is_cut_takes_no_other_call_with_it(wired: Scene, up: ScriptedUpstream) -> None:
    """A call keeps what it held last. Its connection may serve another call by the time its caller leaves."""
    up.plays(Status(400, body=b'{"error": {"message": "no"}}'))
    first = wired.call()
    wired.ask(call=first)
    up.plays(Head(), Sse(sse_events("one")), Done())
    reply = wired.ask(stream=True)
    assert up.connections == 1
    first.end(CallerLeft("left"))
    assert text_of(events(reply)) == "one"
    assert wired.log.lines[-1].error is None


def test_connections_are_kept_after_whole_answers_and_streams(wired: Scene, up: ScriptedUpstream) -> None:
    for stream in (False, True, True, False):
        reply = wired.ask(stream=stream)
        if stream:
            events(reply)
    assert (up.connections, len(wired.calls)) == (1, 0)


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_neither_prompt_nor_key_nor_answer_is_ever_in_a_line(wired: Scene, up: ScriptedUpstream, form: str) -> None:
    echo = {"error": {"message": f"You said {PROMPT} with {KEY}", "type": "t", "code": None}}
    said = "canary-answer-1618033988"
    text = io.StringIO()
    handler = set_up("debug", "json" if form == "json" else "pretty", [], text)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    try:
        for steps in (
            (json_answer(said),),
            (Json(400, echo),),
            (Json(200, echo),),
            (Status(500, body=PROMPT.encode()),),
            (Reset(),),
            (Head(200, {"X-RateLimit-A": "1"}), Body(PROMPT.encode()), Cut()),
        ):
            up.plays(*steps)
            wired.ask()
        up.plays(*sse_answer(said))
        events(wired.ask(stream=True))
        up.plays(Sse([sse_events(said)[1], json.dumps(echo)]))
        events(wired.ask(stream=True))
        wired.handler.handle(wired.call(), f'{{"model": "best", "messages": "{PROMPT}"}}'.encode(), NO_CONTEXT)
        wired.handler.handle(wired.call(), f'{{"model": "best", "messages": [{{"role": "{PROMPT}'.encode(), NO_CONTEXT)
    finally:
        root.removeHandler(handler)
        root.setLevel(logging.WARNING)
        logging.getLogger("gateway").setLevel(logging.NOTSET)
    written = text.getvalue()
    assert len(wired.log.lines) == 10
    assert written.count("req_1") >= 10, "a line for each call, and one for each try that failed"
    for canary in (PROMPT, KEY, said):
        assert canary not in written
