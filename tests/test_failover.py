"""The loop over candidates: who is asked, in which order, what is remembered, and what the caller is told."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth import OAuthSettings, OAuthUnreachable, TokenReply, token_from
from gateway.auth.renewal import Refresher
from gateway.auth.sources import ApiKey, CredentialSource, NoCredential, StoredToken
from gateway.auth.token_file import Token
from gateway.auth.token_store import TokenStore
from gateway.auth.watch_files import WatchedFiles
from gateway.config import schema
from gateway.core.chat import ChatRequest, Rendered
from gateway.core.errors import (
    BrokenAnswer,
    CallerLeft,
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    DeadlineExceeded,
    Draining,
    Evidence,
    GatewayError,
    Limited,
    LoginRequired,
    ModelNotFound,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    Silent,
    StreamBroken,
    TargetModelMissing,
    Unavailable,
)
from gateway.core.secrets import Secret
from gateway.handler.attempt import AUTO_FIRST_CONTENT, Attempt
from gateway.handler.call import Call
from gateway.handler.failover import Failover, most_telling
from gateway.handler.request_handler import attempts_text
from gateway.limits.rate_limiter import RateLimiters
from gateway.providers.base import Answer, OpenStream, Terms
from gateway.routing.health import Health
from gateway.routing.router import Route, Target
from gateway.wires.openai_chat import OpenAIChat
from tests.fakes import FakeClock
from tests.upstream_script import json_answer

WIRE = OpenAIChat()
ANSWER = Answer(WIRE.parse_response(json.dumps(json_answer("hi").value).encode(), 0, Rendered(b"")), {}, ())
TIMEOUT = 600.0

Outcome = Answer | OpenStream | Exception | Callable[[], Answer]


class FakeProvider:
    """Plays outcomes in turn, the last one for ever, and remembers on which terms it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes: list[Outcome] = [ANSWER]
        self.terms: list[Terms] = []

    def plays(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)

    def send(self, request: ChatRequest, terms: Terms) -> Answer:
        answer = self._next(terms)
        assert isinstance(answer, Answer)
        return answer

    def open(self, request: ChatRequest, terms: Terms) -> OpenStream:
        answer = self._next(terms)
        assert isinstance(answer, OpenStream)
        return answer

    def _next(self, terms: Terms) -> Answer | OpenStream:
        self.terms.append(terms)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Answer | OpenStream) else outcome()

    def close(self) -> None:
        pass


class WatchedClock(FakeClock):
    """Calls `meanwhile` at the begin of every wait."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = list

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        self.meanwhile()
        return super().wait(condition, timeout)


class Scene:
    """The providers a, b and c behind the real loop, limits, credentials and memory; time stands still."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Mapping[str, schema.RateLimit] | None = None,
        sources: Mapping[str, CredentialSource] | None = None,
        timeouts: Mapping[str, schema.Timeouts] | None = None,
        logins: Refresher | None = None,
    ) -> None:
        self.clock = WatchedClock()
        self.providers = {name: FakeProvider(name) for name in "abc"}
        self.health = Health(self.clock)
        self.limiters = RateLimiters([*(limits or {}).values()], self.clock)
        self.store = TokenStore(folder / "tokens.json", self.clock)
        self.gone = False
        attempt = Attempt(
            self.providers,
            {name: schema.Timeouts() for name in "abc"} | dict(timeouts or {}),
            self.limiters,
            AuthManager(
                {name: NoCredential() for name in "abc"} | dict(sources or {}),
                self.store,
                WatchedFiles([], self.clock),
                self.clock,
                clients=None if logins is None else lambda _: logins,
            ),
        )
        self.failover = Failover(attempt, self.health)

    def __getitem__(self, name: str) -> FakeProvider:
        return self.providers[name]

    def call(self) -> Call:
        return Call("req_1", self.clock, timeout=TIMEOUT, left=lambda: self.gone)

    def ask(self, names: str, *, when_limited: Literal["next", "wait"] = "next", call: Call | None = None) -> Call:
        """Ask the targets m of the providers; the call as it is after an answer."""
        call = call or self.call()
        route = Route("best", tuple(Target(name, "m") for name in names), when_limited)
        assert self.failover.first_that_answers(route, REQUEST, call) is ANSWER
        return call

    def fails(self, names: str, *, when_limited: Literal["next", "wait"] = "next") -> tuple[GatewayError, Call]:
        """The failure that the caller is told."""
        call = self.call()
        with pytest.raises(GatewayError) as caught:
            self.ask(names, when_limited=when_limited, call=call)
        assert call.target is None
        return caught.value, call

    def tries(self, names: str = "abc") -> list[int]:
        """How often each provider was asked."""
        return [len(self.providers[name].terms) for name in names]

    def takes(self, name: str, count: int) -> None:
        """Use up `count` slots of a provider's limit."""
        limiter = self.limiters.of(name)
        assert limiter is not None
        for _ in range(count):
            assert limiter.try_acquire()


REQUEST = WIRE.parse_request(json.dumps({"model": "best", "messages": [{"role": "user", "content": "hi"}]}).encode())


def limit(name: str, per_minute: int = 1, *, queue: int = 50, wait: float = 3_600.0) -> dict[str, schema.RateLimit]:
    rule = schema.RateLimit(provider=name, requests_per_minute=per_minute, max_queue_size=queue, max_wait_seconds=wait)
    return {name: rule}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def told(seconds: float, status: int = 429) -> Evidence:
    return Evidence(status=status, retry_after=seconds)


# The order ---------------------------------------------------------------------------------------------------------


def test_the_first_that_answers_is_the_only_one_asked(scene: Scene) -> None:
    call = scene.ask("abc")
    assert scene.tries() == [1, 0, 0]
    assert call.target == Target("a", "m")
    assert attempts_text(call) == "a/m=200"


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Unavailable("x", evidence=Evidence(status=503)), "503"),
        (RateLimited("x", evidence=Evidence(status=429)), "429"),
        (QuotaExhausted("x", evidence=Evidence(status=402)), "402"),
        (Silent("x"), "provider_timeout"),
        (BrokenAnswer("x"), "provider_invalid_response"),
        (CredentialRefused("x", evidence=Evidence(status=401)), "401"),
        (TargetModelMissing("x", evidence=Evidence(status=404)), "404"),
        (ContextTooLong("x", evidence=Evidence(status=400)), "400"),
    ],
    ids=str,
)
def test_who_fails_is_asked_once_and_the_next_one_after_it(scene: Scene, failure: ProviderFailure, word: str) -> None:
    scene["a"].plays(failure)
    call = scene.ask("ab")
    assert scene.tries() == [1, 1, 0]
    assert attempts_text(call) == f"a/m={word},b/m=200"
    assert call.target == Target("b", "m")


@pytest.mark.parametrize("kind", [ContentRefused, RequestRejected])
def test_what_another_would_refuse_too_ends_the_loop(scene: Scene, kind: type[ProviderFailure]) -> None:
    failure = kind("no", evidence=Evidence(status=400))
    scene["a"].plays(Unavailable("x", evidence=Evidence(status=500)))
    scene["b"].plays(failure)
    error, call = scene.fails("abc")
    assert error is failure
    assert scene.tries() == [1, 1, 0]
    assert attempts_text(call) == "a/m=500,b/m=400"


def test_a_connection_that_failed_is_tried_exactly_twice(scene: Scene) -> None:
    scene["a"].plays(ConnectionFailed("x"))
    call = scene.ask("ab")
    assert scene.tries() == [2, 1, 0]
    assert attempts_text(call) == "a/m=provider_unreachable,a/m=provider_unreachable,b/m=200"


def test_a_connection_that_failed_once_costs_nothing_more(scene: Scene) -> None:
    scene["a"].plays(ConnectionFailed("x"), ANSWER)
    call = scene.ask("ab")
    assert scene.tries() == [2, 0, 0]
    assert attempts_text(call) == "a/m=provider_unreachable,a/m=200"
    assert scene.health.order([Target("a", "m")])[1] == []


def test_a_second_try_needs_a_slot_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits={"a": schema.RateLimit(provider="a", requests_per_minute=1)})
    scene["a"].plays(ConnectionFailed("x"))
    call = scene.ask("ab")
    assert scene.tries() == [1, 1, 0]
    assert attempts_text(call) == "a/m=provider_unreachable,b/m=200"
    assert scene.health.order([Target("a", "m")])[1] == [Target("a", "m")]


def test_the_second_try_may_fail_for_another_reason(scene: Scene) -> None:
    scene["a"].plays(ConnectionFailed("x"), Unavailable("y", evidence=Evidence(status=503)))
    call = scene.ask("ab")
    assert attempts_text(call) == "a/m=provider_unreachable,a/m=503,b/m=200"


def test_a_fault_of_our_own_is_nobodys_failure(scene: Scene) -> None:
    scene["a"].plays(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        scene.ask("ab")
    assert scene.health.order([Target("a", "m")])[1] == []


# Who rests ---------------------------------------------------------------------------------------------------------


def test_who_failed_rests_and_the_record_says_so(scene: Scene) -> None:
    scene["a"].plays(Unavailable("x", evidence=Evidence(status=503)))
    scene.ask("ab")
    call = scene.ask("ab")
    assert scene.tries() == [1, 2, 0]
    assert attempts_text(call) == "a/m=resting,b/m=200"
    scene.clock.advance(1)
    scene["a"].plays(ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_who_rests_is_asked_after_the_others(scene: Scene) -> None:
    scene["a"].plays(Unavailable("x", evidence=Evidence(status=503)), ANSWER)
    scene.ask("ab")
    scene["b"].plays(Unavailable("x", evidence=Evidence(status=500)))
    call = scene.ask("ab")
    assert attempts_text(call) == "a/m=resting,b/m=500,a/m=200"


def test_where_all_rest_the_one_due_soonest_is_asked(scene: Scene) -> None:
    for name, seconds in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        scene.health.failed(Target(name, "m"), RateLimited("x", evidence=told(seconds)))
    assert attempts_text(scene.ask("abc")) == "b/m=200"
    assert scene.tries() == [0, 1, 0]


def test_one_answer_clears_the_memory(scene: Scene) -> None:
    scene["a"].plays(Unavailable("x"), ANSWER)
    scene.ask("ab")
    scene.ask("a")
    assert attempts_text(scene.ask("ab")) == "a/m=200"


@pytest.mark.parametrize("kind", [ContextTooLong, ContentRefused, RequestRejected])
def test_what_is_the_requests_fault_is_not_held_against_the_target(scene: Scene, kind: type[ProviderFailure]) -> None:
    scene["a"].plays(kind("x"))
    scene.fails("a")
    assert scene.health.order([Target("a", "m")])[1] == []


def test_a_stream_that_breaks_is_held_against_its_target(scene: Scene) -> None:
    scene.failover.broke(Target("a", "m"), StreamBroken("x"))
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"


# Credentials -------------------------------------------------------------------------------------------------------


def test_a_missing_login_goes_on_to_the_next(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()}, limits=limit("a"))
    call = scene.ask("ab")
    assert scene.tries() == [0, 1, 0]
    assert attempts_text(call) == "a/m=login_required,b/m=200"
    limiter = scene.limiters.of("a")
    assert limiter is not None
    assert limiter.try_acquire(), "who cannot call takes no slot"
    assert scene.health.order([Target("a", "m")])[1] == []


def test_a_missing_login_everywhere_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken(), "b": StoredToken()})
    error, call = scene.fails("ab")
    assert isinstance(error, LoginRequired)
    assert attempts_text(call) == "a/m=login_required,b/m=login_required"


def test_a_refused_token_is_not_offered_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()})
    scene.store.put("a", Token(Secret("token-1"), None, None))
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)))
    scene.ask("ab")
    scene.clock.advance(60)
    assert attempts_text(scene.ask("ab")) == "a/m=login_required,b/m=200"
    assert scene.tries() == [1, 2, 0]


def test_a_refused_key_makes_its_target_rest_because_nothing_else_remembers_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": ApiKey(Secret("sk-1"))})
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)))
    assert attempts_text(scene.ask("ab")) == "a/m=401,b/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"


def test_a_refused_token_makes_no_target_rest_so_that_the_next_token_is_used_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()})
    scene.store.put("a", Token(Secret("token-1"), None, None))
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)), ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=401,b/m=200"
    scene.store.put("a", Token(Secret("token-2"), None, None))
    assert attempts_text(scene.ask("ab")) == "a/m=200"


class FakeLogins:
    """A login server that gives token-2, token-3 and so on; or none, where it is down."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.asked += 1
        if self.down:
            raise OAuthUnreachable("no connection")
        return TokenReply(Secret(f"token-{self.asked + 1}"), Secret(f"refresh-{self.asked + 1}"), 3_600.0)


class LoginScene(Scene):
    """The provider a has a login that was obtained ten minutes ago."""

    def __init__(self, folder: Path, *, limits: Mapping[str, schema.RateLimit] | None = None) -> None:
        self.logins = FakeLogins()
        source = StoredToken(OAuthSettings("a", "client-1"))
        super().__init__(folder, sources={"a": source}, limits=limits, logins=self.logins)
        kept = TokenReply(Secret("token-1"), Secret("refresh-1"), 3_600.0)
        self.store.put("a", token_from(kept, self.clock.wall()))
        self.clock.advance(600)

    def shown(self) -> list[str]:
        """The tokens that a was asked with."""
        secrets = [terms.credential.secret for terms in self["a"].terms]
        return [secret.reveal() for secret in secrets if secret]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_renewed_and_the_same_target_asked_once_more(tmp_path: Path, status: int) -> None:
    scene = LoginScene(tmp_path)
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=status)), ANSWER)
    assert attempts_text(scene.ask("ab")) == f"a/m={status},a/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=200"
    assert scene.shown() == ["token-1", "token-2", "token-2"]
    assert scene.logins.asked == 1


def test_a_second_refusal_goes_on_to_the_next_and_is_not_held_against_the_target(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)))
    assert attempts_text(scene.ask("ab")) == "a/m=401,a/m=401,b/m=200"
    assert scene.health.order([Target("a", "m")])[1] == []
    assert attempts_text(scene.ask("ab")) == "a/m=login_required,b/m=200"
    assert scene.shown() == ["token-1", "token-2"]
    assert scene.logins.asked == 1
    scene.store.put("a", Token(Secret("token-9")))
    scene["a"].plays(ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_where_nobody_else_is_there_a_second_refusal_is_what_the_caller_is_told(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene["a"].plays(CredentialRefused("first"), second := CredentialRefused("second"))
    error, call = scene.fails("a")
    assert error is second
    assert len(call.attempts) == 2


def test_a_token_that_cannot_be_renewed_goes_on_to_the_next(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene.logins.down = True
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)))
    assert attempts_text(scene.ask("ab")) == "a/m=401,b/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=token_renewal_failed,b/m=200"
    assert scene.tries() == [1, 2, 0]
    assert scene.health.order([Target("a", "m")])[1] == []


def test_the_try_with_a_renewed_token_needs_a_slot_of_its_own(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path, limits=limit("a"))
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)), ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=401,b/m=200"
    assert scene.shown() == ["token-1"]


@pytest.mark.parametrize("refused_first", [True, False])
def test_no_target_is_tried_three_times_whatever_the_reasons(tmp_path: Path, refused_first: bool) -> None:
    scene = LoginScene(tmp_path)
    reasons: list[ProviderFailure] = [ConnectionFailed("x"), CredentialRefused("no", evidence=Evidence(status=401))]
    scene["a"].plays(*(reversed(reasons) if refused_first else reasons), ANSWER)
    scene.ask("ab")
    assert scene.tries() == [2, 1, 0]


def test_who_leaves_during_a_renewal_is_not_asked_for_again(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)

    def refuse_and_leave() -> Answer:
        scene.clock.advance(TIMEOUT)
        raise CredentialRefused("no", evidence=Evidence(status=401))

    scene["a"].plays(refuse_and_leave, ANSWER)
    error, _ = scene.fails("ab")
    assert isinstance(error, DeadlineExceeded)
    assert scene.tries() == [1, 0, 0]


def test_a_credential_is_looked_up_again_after_a_wait_for_a_slot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()}, limits=limit("a"))
    scene.store.put("a", Token(Secret("token-1"), None, scene.clock.wall() + 30))
    scene.takes("a", 1)
    renewed = Token(Secret("token-2"), None, scene.clock.wall() + 3_600)

    def renew() -> None:
        scene.clock.meanwhile = list
        scene.store.put("a", renewed)

    scene.clock.meanwhile = renew
    scene.ask("a")
    secret = scene["a"].terms[0].credential.secret
    assert secret is not None
    assert secret.reveal() == "token-2"


# Rate limits -------------------------------------------------------------------------------------------------------


def test_where_a_limit_has_no_room_the_next_one_is_asked(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = scene.ask("ab")
    assert attempts_text(call) == "a/m=limited,b/m=200"
    assert (scene.tries(), call.queued) == ([0, 1, 0], 0.0)
    assert scene.health.order([Target("a", "m")])[1] == [], "our own limit is not its failure"


def test_where_none_has_room_the_soonest_is_waited_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a") | limit("b") | limit("c"))
    scene.takes("b", 1)
    scene.clock.advance(10)
    scene.takes("a", 1)
    scene.takes("c", 1)
    call = scene.ask("abc")
    assert attempts_text(call) == "a/m=limited,b/m=limited,c/m=limited,b/m=200"
    assert scene.tries() == [0, 1, 0]
    assert call.queued == pytest.approx(50.0)


def test_a_limited_one_is_waited_for_where_the_others_fail(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    scene["b"].plays(Unavailable("x", evidence=Evidence(status=503)))
    call = scene.ask("ab")
    assert attempts_text(call) == "a/m=limited,b/m=503,a/m=200"


def test_a_single_target_without_room_is_waited_for_and_the_record_is_plain(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = scene.ask("a")
    assert attempts_text(call) == "a/m=200"
    assert call.queued == pytest.approx(60.0)


def test_an_alias_may_say_to_wait_at_the_first(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = scene.ask("ab", when_limited="wait")
    assert attempts_text(call) == "a/m=200"
    assert scene.tries() == [1, 0, 0]
    assert call.queued == pytest.approx(60.0)


def test_waiting_at_the_first_still_goes_on_where_its_queue_is_full(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", queue=0))
    scene.takes("a", 1)
    call = scene.ask("ab", when_limited="wait")
    assert attempts_text(call) == "a/m=limited,b/m=200"


@pytest.mark.parametrize("when_limited", ["next", "wait"])
def test_where_every_queue_is_full_the_shortest_wait_is_told(
    tmp_path: Path, when_limited: Literal["next", "wait"]
) -> None:
    scene = Scene(tmp_path, limits=limit("a", queue=0) | limit("b", queue=0) | limit("c", queue=0))
    for name in "bac":
        scene.takes(name, 1)
        scene.clock.advance(5)
    error, call = scene.fails("abc", when_limited=when_limited)
    assert isinstance(error, Limited)
    assert error.retry_after == pytest.approx(45.0)
    assert error.status == 429
    assert scene.tries() == [0, 0, 0]
    assert set(attempts_text(call).split(",")) == {"a/m=limited", "b/m=limited", "c/m=limited"}


def test_a_wait_that_is_too_long_is_refused_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", wait=59.0))
    scene.takes("a", 1)
    error, call = scene.fails("a")
    assert isinstance(error, Limited)
    assert (call.queued, scene.clock.monotonic()) == (0.0, call.started)


def test_the_provider_has_the_last_word_over_our_own_limit(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", queue=0))
    scene.takes("a", 1)
    scene["b"].plays(Unavailable("x", evidence=Evidence(status=503)))
    error, call = scene.fails("ab")
    assert isinstance(error, Unavailable)
    assert attempts_text(call) == "a/m=limited,b/m=503,a/m=limited"


def test_every_try_takes_a_slot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", 2))
    scene["a"].plays(ConnectionFailed("x"))
    scene.fails("a")
    limiter = scene.limiters.of("a")
    assert limiter is not None
    assert not limiter.try_acquire()


# Time limits -------------------------------------------------------------------------------------------------------


def patience(scene: Scene, name: str) -> float:
    return scene[name].terms[-1].first_content


def test_while_another_stands_ready_the_first_content_has_a_limit(scene: Scene) -> None:
    scene["a"].plays(Silent("x"))
    scene.clock.advance(0)
    scene.ask("ab")
    assert patience(scene, "a") == AUTO_FIRST_CONTENT
    assert patience(scene, "b") == TIMEOUT
    assert [scene[name].terms[0].deadline for name in "ab"] == [scene.clock.monotonic() + TIMEOUT] * 2


def test_who_waited_for_a_slot_as_the_only_target_has_the_whole_deadline(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    scene.ask("a")
    assert patience(scene, "a") == pytest.approx(TIMEOUT - 60)


def test_of_those_who_were_crowded_only_the_last_has_the_whole_deadline(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a") | limit("b"))
    scene.takes("a", 1)
    scene.clock.advance(1)
    scene.takes("b", 1)
    scene["a"].plays(Silent("x"))
    scene.ask("ab")
    assert patience(scene, "a") == AUTO_FIRST_CONTENT
    assert patience(scene, "b") == pytest.approx(TIMEOUT - 60)


def test_while_a_crowded_one_is_left_the_last_of_the_row_has_a_limit(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    scene.ask("ab")
    assert patience(scene, "b") == AUTO_FIRST_CONTENT


def test_a_configured_limit_means_that_number_everywhere(tmp_path: Path) -> None:
    scene = Scene(tmp_path, timeouts={name: schema.Timeouts(first_token_seconds=7.0) for name in "ab"})
    scene["a"].plays(Silent("x"))
    scene.ask("ab")
    assert (patience(scene, "a"), patience(scene, "b")) == (7.0, 7.0)


def test_past_the_deadline_nobody_is_asked_any_more(scene: Scene) -> None:
    def slow() -> Answer:
        scene.clock.advance(TIMEOUT)
        raise Silent("x")

    scene["a"].plays(slow)
    error, call = scene.fails("ab")
    assert isinstance(error, DeadlineExceeded)
    assert scene.tries() == [1, 0, 0]
    assert call.remaining() <= 0


def test_a_queue_that_is_longer_than_the_deadline_is_not_joined(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = Call("req_1", scene.clock, timeout=30, left=lambda: False)
    with pytest.raises(Limited):
        scene.ask("a", call=call)
    assert scene.clock.monotonic() == call.started


# The caller leaves -------------------------------------------------------------------------------------------------


def test_a_caller_that_left_before_costs_no_call(scene: Scene) -> None:
    scene.gone = True
    error, _ = scene.fails("ab")
    assert isinstance(error, CallerLeft)
    assert scene.tries() == [0, 0, 0]


@pytest.mark.parametrize(
    "failure", [BrokenAnswer("cut"), ConnectionFailed("cut"), Silent("x"), ContentRefused("x")], ids=str
)
def test_a_caller_that_leaves_meanwhile_blames_nobody(scene: Scene, failure: ProviderFailure) -> None:
    def leave() -> Answer:
        scene.gone = True
        raise failure

    scene["a"].plays(leave)
    error, call = scene.fails("ab")
    assert isinstance(error, CallerLeft)
    assert scene.tries() == [1, 0, 0]
    assert scene.health.order([Target("a", "m")])[1] == []
    assert attempts_text(call) == "a/m=caller_left"


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("stop")], ids=str)
def test_a_call_that_is_ended_from_outside_says_why(scene: Scene, reason: GatewayError) -> None:
    call = scene.call()

    def end() -> Answer:
        call.end(reason)
        raise BrokenAnswer("cut")

    scene["a"].plays(end)
    with pytest.raises(type(reason)) as caught:
        scene.ask("ab", call=call)
    assert caught.value is reason
    assert scene.health.order([Target("a", "m")])[1] == []


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("stop")], ids=str)
def test_a_call_that_is_ended_in_the_queue_says_why(tmp_path: Path, reason: GatewayError) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = scene.call()
    scene.clock.meanwhile = lambda: call.end(reason)
    with pytest.raises(type(reason)) as caught:
        scene.ask("a", call=call)
    assert caught.value is reason
    limiter = scene.limiters.of("a")
    assert limiter is not None
    assert limiter.waiting == 0
    assert scene.tries() == [0, 0, 0]


# What is told ------------------------------------------------------------------------------------------------------


def test_the_last_word_of_a_provider_tells_most() -> None:
    first, last = Unavailable("first"), RateLimited("last")
    assert most_telling([first, Limited("x", retry_after=1), last, LoginRequired("x")]) is last


def test_else_the_shortest_wait_tells_most() -> None:
    short = Limited("short", retry_after=1)
    assert most_telling([Limited("long", retry_after=9), short, LoginRequired("x")]) is short


def test_a_wait_that_is_not_known_is_not_the_shortest() -> None:
    known = Limited("known", retry_after=9)
    assert most_telling([Limited("unknown"), known]) is known


def test_else_whatever_there_is() -> None:
    login = LoginRequired("x")
    assert most_telling([login]) is login
    assert isinstance(most_telling([]), ModelNotFound)


OUTCOMES: Mapping[str, tuple[Outcome, Sequence[str], bool]] = {
    "answers": (ANSWER, ["200"], False),
    "down": (Unavailable("x", evidence=Evidence(status=503)), ["503"], True),
    "unreachable": (ConnectionFailed("x"), ["provider_unreachable"] * 2, True),
    "rejects": (RequestRejected("x", evidence=Evidence(status=422)), ["422"], False),
    "too-long": (ContextTooLong("x", evidence=Evidence(status=400)), ["400"], True),
}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=3, max_size=3))
def test_the_record_tells_exactly_who_was_asked_in_order_until_the_loop_ended(tmp_path: Path, kinds: list[str]) -> None:
    scene = Scene(tmp_path)
    expected: list[str] = []
    ended = False
    for name, kind in zip("abc", kinds, strict=True):
        outcome, words, goes_on = OUTCOMES[kind]
        scene[name].plays(outcome)
        if not ended:
            expected += [f"{name}/m={word}" for word in words]
        ended = ended or not goes_on
    call = scene.call()
    try:
        scene.ask("abc", call=call)
    except ProviderFailure as error:
        assert call.target is None
        assert error in [OUTCOMES[kind][0] for kind in kinds]
    else:
        assert call.target == Target("abc"[kinds.index("answers")], "m")
    assert attempts_text(call) == ",".join(expected)
