"""Targets that play what they are told to, behind the real failover."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest

from gateway.auth.renewal import Refresher
from gateway.auth.sources import CredentialSource
from gateway.config import schema
from gateway.config.rate_limit import RateLimit
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, Evidence, ProviderFailure, RateLimited, Unavailable
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.operation import Chat
from gateway.dispatch.target_answer import TargetAnswer
from gateway.providers.base import Answer, AttemptContext, OpenStream
from gateway.routing.accounts import AccountPool
from gateway.routing.router import Route, Target
from gateway.upstream.byte_stream import ByteStream
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.fakes import FakeClock
from tests.support.scene import Dispatch
from tests.support.upstream_script import json_answer

INBOUND = OpenAIChatCallers()
OUTBOUND = OpenAIChatProvider()
ANSWER = Answer(OUTBOUND.parse_response(json.dumps(json_answer("hi").value).encode(), 0, Rendered(b"")), {}, ())
TIMEOUT = 600.0

Outcome = Answer | OpenStream | Exception | Callable[[], Answer]


def not_continued(request: ChatRequest, text_so_far: str) -> ChatRequest:
    raise AssertionError("no answer breaks off here")


def chat_of(request: ChatRequest) -> Chat:
    return Chat(request, lambda response, request: b"", not_continued)


class NoBody(ByteStream):
    """A body that is never read."""

    def __init__(self) -> None:
        pass

    def read(self, timeout: float) -> bytes:
        raise AssertionError("nobody reads it here")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


class FakeProvider:
    """Plays outcomes in turn, the last one for ever, and remembers what it was asked, and how."""

    def __init__(self, name: str, played: list[tuple[str, Outcome]]) -> None:
        self.name = name
        self.outcomes: list[Outcome] = [ANSWER]
        self.requests_leave = True
        self.requests: list[ChatRequest] = []
        self.contexts: list[AttemptContext] = []
        self._played = played

    def plays(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        answer = self._next(request, context)
        assert isinstance(answer, Answer)
        return answer

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        answer = self._next(request, context)
        assert isinstance(answer, OpenStream)
        return answer

    def _next(self, request: ChatRequest, context: AttemptContext) -> Answer | OpenStream:
        self.requests.append(request)
        self.contexts.append(context)
        if self.requests_leave:
            context.on_sent()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        self._played.append((self.name, outcome))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Answer | OpenStream) else outcome()

    def close(self) -> None:
        pass


class WatchedClock(FakeClock):
    """CallWatchdog `meanwhile` at the begin of every wait."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = list

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        self.meanwhile()
        return super().wait(condition, timeout)


class Scene:
    """The providers a to d behind the real loop, limits, credentials and memory; time moves only where one waits."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Mapping[str, RateLimit] | None = None,
        sources: Mapping[str, CredentialSource] | None = None,
        timeouts: Mapping[str, schema.Timeouts] | None = None,
        logins: Refresher | None = None,
        pools: Mapping[str, AccountPool] | None = None,
    ) -> None:
        self.clock = WatchedClock()
        self.played: list[tuple[str, Outcome]] = []
        self.providers = {name: FakeProvider(name, self.played) for name in "abcd"}
        self.gone = False
        parts = Dispatch(
            folder,
            self.providers,
            self.clock,
            limits=[*(limits or {}).values()],
            sources=sources,
            timeouts=timeouts,
            logins=logins,
            pools=pools,
        )
        self.health, self.budgets, self.limiters = parts.health, parts.budgets, parts.limiters
        self.store, self.auth, self.failover, self.turns = parts.store, parts.auth, parts.failover, parts.turns

    def __getitem__(self, name: str) -> FakeProvider:
        return self.providers[name]

    def call(self) -> Call:
        return Call("req_1", self.clock, timeout=TIMEOUT, caller=NoCaller(lambda: self.gone))

    def ask(
        self, names: str | Route, *, when_limited: Literal["next", "wait"] = "next", call: Call | None = None
    ) -> Call:
        """Ask the targets m of the providers, or a route; the call as it is after an answer."""
        call = call or self.call()
        assert self.reach(names, REQUEST, when_limited=when_limited, call=call).answer == ANSWER
        return call

    def reach(
        self, names: str | Route, request: ChatRequest, *, when_limited: Literal["next", "wait"] = "next", call: Call
    ) -> TargetAnswer:
        """Whoever answers."""
        asked = route(names, when_limited) if isinstance(names, str) else names
        return self.failover.first_that_answers(asked, chat_of(request), call)

    def fails(self, names: str, *, when_limited: Literal["next", "wait"] = "next") -> tuple[GatewayError, Call]:
        """The failure that the caller is told."""
        call = self.call()
        with pytest.raises(GatewayError) as caught:
            self.ask(names, when_limited=when_limited, call=call)
        assert call.target is None
        return caught.value, call

    def tries(self, names: str = "abc") -> list[int]:
        """How often each provider was asked."""
        return [len(self.providers[name].contexts) for name in names]

    def has_failed(self, name: str, *failures: ProviderFailure) -> None:
        """Calls before had these failures there."""
        for failure in failures:
            ticket = self.health.enter(Target(name, "m"), forced=True)
            assert ticket is not None
            ticket.failed(failure)

    def failures(self, name: str) -> int:
        """Failures in a row that count against the provider's target."""
        return self.health.describe(Target(name, "m")).failures

    def rests(self, name: str) -> bool:
        return self.health.order([Target(name, "m")])[1] != []

    def takes(self, name: str, count: int) -> None:
        """Use up `count` slots of a provider's limit."""
        limiter = self.limiters.of(name)
        assert limiter is not None
        for _ in range(count):
            assert limiter.try_acquire()


def asked(text: str, *, stream: bool = False) -> ChatRequest:
    body = {"model": "best", "stream": stream, "messages": [{"role": "user", "content": text}]}
    return INBOUND.parse_request(json.dumps(body).encode())


def route(names: str, when_limited: Literal["next", "wait"] = "next") -> Route:
    return Route("best", tuple(Target(name, "m") for name in names), when_limited)


REQUEST = asked("hi")


def limit(name: str, per_minute: int = 1, *, queue: int = 50, wait: float = 3_600.0) -> dict[str, RateLimit]:
    rule = RateLimit(provider=name, requests_per_minute=per_minute, max_queue_size=queue, max_wait_seconds=wait)
    return {name: rule}


def told(seconds: float, status: int = 429) -> Evidence:
    return Evidence(status=status, retry_after=seconds)


DOWN = Unavailable("down", evidence=Evidence(status=503))
TOO_MANY = RateLimited("too many", evidence=Evidence(status=429))
BROKEN_LINE = ConnectionFailed("no connection")
