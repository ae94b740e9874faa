"""The loop over candidates: who is asked, in which order, what is remembered, and what the caller is told."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest

from gateway.auth.oauth.errors import OAuthUnreachable
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.sources import ApiKey, StoredToken
from gateway.auth.tokens.token import Token
from gateway.config import schema
from gateway.config.rate_limit import RateLimit
from gateway.core.errors import (
    CallerLeft,
    DeadlineExceeded,
    Draining,
    GatewayError,
    InternalFault,
    Limited,
    LoginRequired,
    ModelNotFound,
)
from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    InvalidAnswer,
    ProviderFailure,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    StreamBroken,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
    UnsupportedByTarget,
)
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.core.secrets import Secret
from gateway.dispatch.attempt import BACKOFF, LONGEST_RETRY_AFTER
from gateway.dispatch.call import MAX_TRIES, Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.failover import Resumed, most_informative
from gateway.dispatch.operation import Chat
from gateway.handler.reply_headers import attempts_text
from gateway.providers.base import Answer, OpenStream
from gateway.routing.breaker import FIRST_OPENING, IN_A_ROW
from gateway.routing.router import Target
from tests.support.failover_scene import (
    ANSWER,
    BROKEN_LINE,
    DOWN,
    OUTBOUND,
    REQUEST,
    TIMEOUT,
    TOO_MANY,
    NoBody,
    Scene,
    asked,
    limit,
    route,
    told,
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# The order ---------------------------------------------------------------------------------------------------------


def test_the_first_that_answers_is_the_only_one_asked(scene: Scene) -> None:
    call = scene.ask("abc")
    assert scene.tries() == [1, 0, 0]
    assert call.target == Target("a", "m")
    assert attempts_text(call) == "a/m=200"


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (RateLimited("x", evidence=told(LONGEST_RETRY_AFTER + 0.1)), "429"),
        (Unavailable("x", evidence=told(LONGEST_RETRY_AFTER + 0.1, 503)), "503"),
        (QuotaExhausted("x", evidence=Evidence(status=402)), "402"),
        (ProviderTimeout("x"), "provider_timeout"),
        (CredentialRefused("x", evidence=Evidence(status=401)), "401"),
        (TargetModelMissing("x", evidence=Evidence(status=404)), "404"),
        (ContextTooLong("x", evidence=Evidence(status=400)), "400"),
        (UnsupportedByTarget("x"), "cannot"),
        (UnsupportedByModel("x", evidence=Evidence(status=400)), "cannot"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ProviderFailure) else value,
)
def test_who_would_fail_again_is_asked_once_and_the_next_one_after_it(
    scene: Scene, failure: ProviderFailure, word: str
) -> None:
    scene["a"].plays(failure)
    call = scene.ask("ab")
    assert scene.tries() == [1, 1, 0]
    assert attempts_text(call) == f"a/m={word},b/m=200"
    assert (call.target, call.age()) == (Target("b", "m"), 0.0)


@pytest.mark.parametrize("kind", [ContentRefused, RequestRejected])
def test_what_another_would_refuse_too_ends_the_loop(scene: Scene, kind: type[ProviderFailure]) -> None:
    failure = kind("no", evidence=Evidence(status=400))
    scene["a"].plays(InvalidAnswer("x"))
    scene["b"].plays(failure)
    error, call = scene.fails("abc")
    assert error is failure
    assert scene.tries() == [2, 1, 0]
    assert attempts_text(call) == "a/m=provider_invalid_response,a/m=provider_invalid_response,b/m=400"


def test_a_fault_of_our_own_ends_the_call_and_is_nobodys_failure(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene["a"].plays(ZeroDivisionError("secret detail"))
    error, call = scene.fails("ab")
    assert isinstance(error, InternalFault)
    assert "secret" not in error.message
    assert "ZeroDivisionError" in caplog.text
    assert (scene.tries(), scene.failures("a"), call.attempts) == ([1, 0, 0], 0, [])


# Second tries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "word", "pause"),
    [
        (BROKEN_LINE, "provider_unreachable", 0.0),
        (InvalidAnswer("x"), "provider_invalid_response", 0.0),
        (DOWN, "503", BACKOFF / 2),
        (TOO_MANY, "429", BACKOFF / 2),
        (RateLimited("x", evidence=told(2.0)), "429", 2.0),
        (RateLimited("x", evidence=told(0.0)), "429", 0.0),
        (Unavailable("x", evidence=told(LONGEST_RETRY_AFTER, 503)), "503", LONGEST_RETRY_AFTER),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ProviderFailure) else str(value),
)
def test_who_may_do_better_is_asked_exactly_once_more_after_its_pause(
    scene: Scene, failure: ProviderFailure, word: str, pause: float
) -> None:
    scene["a"].plays(failure, ANSWER)
    call = scene.ask("ab")
    assert attempts_text(call) == f"a/m={word},a/m=200"
    assert call.age() == pytest.approx(pause)
    scene.clock.advance(60)
    scene["a"].plays(failure)
    call = scene.ask("ab")
    assert attempts_text(call) == f"a/m={word},a/m={word},b/m=200"
    assert scene.tries() == [4, 1, 0]


def test_a_target_that_did_better_at_once_has_nothing_against_it(scene: Scene) -> None:
    scene["a"].plays(BROKEN_LINE, ANSWER)
    scene.ask("ab")
    assert (scene.rests("a"), scene.failures("a")) == (False, 0)


def test_the_second_try_may_fail_for_another_reason(scene: Scene) -> None:
    scene["a"].plays(BROKEN_LINE, last := Unavailable("y", evidence=Evidence(status=500)))
    error, call = scene.fails("a")
    assert error is last
    assert attempts_text(call) == "a/m=provider_unreachable,a/m=500"


def test_a_second_try_needs_a_slot_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene["a"].plays(BROKEN_LINE)
    call = scene.ask("ab")
    assert scene.tries() == [1, 1, 0]
    assert attempts_text(call) == "a/m=provider_unreachable,b/m=200"
    assert scene.health.open() == []


def test_a_second_try_that_is_not_made_takes_no_slot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", 2))
    scene.has_failed("a", *[BROKEN_LINE] * (IN_A_ROW - 1))
    scene["a"].plays(BROKEN_LINE)
    assert attempts_text(scene.ask("ab")) == "a/m=provider_unreachable,b/m=200"
    scene.takes("a", 1)


def test_a_provider_whose_retries_are_spent_is_asked_once_a_call_until_it_has_earned_another(scene: Scene) -> None:
    while scene.budgets.take("a"):
        pass
    scene["a"].plays(BROKEN_LINE)
    assert attempts_text(scene.ask("ab")) == "a/m=provider_unreachable,b/m=200"
    scene["a"].plays(ANSWER)
    for _ in range(5):
        scene.ask("a")
    scene["a"].plays(BROKEN_LINE, ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=provider_unreachable,a/m=200"


def test_a_call_makes_at_most_six_requests(scene: Scene) -> None:
    for name in "abc":
        scene[name].plays(BROKEN_LINE)
    error, call = scene.fails("abcd")
    assert isinstance(error, ConnectionFailed)
    assert scene.tries("abcd") == [2, 2, 2, 0]
    assert len(call.attempts) == MAX_TRIES


def test_the_sixth_request_has_no_second_try(scene: Scene) -> None:
    for name, failure in (("a", BROKEN_LINE), ("b", BROKEN_LINE), ("c", ProviderTimeout("x")), ("d", BROKEN_LINE)):
        scene[name].plays(failure)
    scene.fails("abcd")
    assert scene.tries("abcd") == [2, 2, 1, 1]


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("stop")], ids=str)
def test_a_call_that_is_ended_in_a_pause_says_why(scene: Scene, reason: GatewayError) -> None:
    call = scene.call()
    scene.clock.meanwhile = lambda: call.end(reason)
    scene["a"].plays(DOWN)
    with pytest.raises(type(reason)) as caught:
        scene.ask("ab", call=call)
    assert caught.value is reason
    assert scene.tries() == [1, 0, 0]


# Who rests ---------------------------------------------------------------------------------------------------------


def test_who_failed_once_is_asked_again_by_the_next_call(scene: Scene) -> None:
    scene["a"].plays(DOWN, DOWN, ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=503,a/m=503,b/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_five_failures_in_a_row_make_a_target_rest_and_the_record_says_so(scene: Scene) -> None:
    scene["a"].plays(DOWN)
    records = [attempts_text(scene.ask("ab")) for _ in range(4)]
    twice, once = "a/m=503,a/m=503,b/m=200", "a/m=503,b/m=200"
    assert records == [twice, twice, once, "a/m=resting,b/m=200"]
    assert scene.tries() == [IN_A_ROW, 4, 0]


def test_who_rested_is_probed_once_and_is_back_with_one_answer(scene: Scene) -> None:
    scene.has_failed("a", *[DOWN] * IN_A_ROW)
    scene["a"].plays(DOWN)
    scene.clock.advance(FIRST_OPENING)
    assert attempts_text(scene.ask("ab")) == "a/m=503,b/m=200", "a probe that fails has no second try"
    scene.clock.advance(2 * FIRST_OPENING - 1)
    scene["a"].plays(ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"
    scene.clock.advance(1)
    assert [attempts_text(scene.ask("ab")) for _ in range(2)] == ["a/m=200", "a/m=200"]
    assert scene.failures("a") == 0


def test_while_a_probe_is_under_way_no_other_call_asks(scene: Scene) -> None:
    scene.has_failed("a", *[DOWN] * IN_A_ROW)
    scene.clock.advance(FIRST_OPENING)
    others: list[str] = []

    def meanwhile() -> Answer:
        others.append(attempts_text(scene.ask("ab")))
        return ANSWER

    scene["a"].plays(meanwhile, ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=200"
    assert others == ["a/m=resting,b/m=200"]


def test_a_single_target_is_asked_however_often_it_has_failed_but_once_a_call(scene: Scene) -> None:
    scene.has_failed("a", *[DOWN] * IN_A_ROW)
    scene["a"].plays(DOWN, DOWN, ANSWER)
    assert [attempts_text(scene.fails("a")[1]) for _ in range(2)] == ["a/m=503", "a/m=503"]
    assert attempts_text(scene.ask("a")) == "a/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=200", "one answer ends the rest"


@pytest.mark.parametrize(
    ("failure", "rest"),
    [
        (RateLimited("x", evidence=told(30.0)), 30.0),
        (QuotaExhausted("x", evidence=told(7_200.0)), 7_200.0),
        (TargetModelMissing("x", evidence=Evidence(status=404)), 60.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_says_so_is_left_in_peace_for_that_time_without_counting_as_failed(
    scene: Scene, failure: ProviderFailure, rest: float
) -> None:
    scene["a"].plays(failure, ANSWER)
    scene.ask("ab")
    assert scene.failures("a") == 0
    scene.clock.advance(rest - 0.1)
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"
    scene.clock.advance(0.1)
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_who_says_no_time_is_left_in_peace_for_some_seconds(scene: Scene) -> None:
    scene["a"].plays(TOO_MANY, TOO_MANY, ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=429,a/m=429,b/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"
    scene.clock.advance(60)
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_a_model_that_is_missing_says_nothing_of_its_providers_other_models(scene: Scene) -> None:
    scene["a"].plays(TargetModelMissing("x"))
    scene.ask("ab")
    assert scene.rests("a")
    assert scene.health.order([other := Target("a", "other")])[0] == [other]


def test_who_rests_is_asked_after_the_others(scene: Scene) -> None:
    scene.has_failed("a", RateLimited("x", evidence=told(3_600.0)))
    scene["b"].plays(DOWN)
    call = scene.ask("ab")
    assert attempts_text(call) == "a/m=resting,b/m=503,b/m=503,a/m=200"


def test_where_all_rest_they_are_asked_in_the_order_of_their_due_time(scene: Scene) -> None:
    for name, seconds in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        scene.has_failed(name, RateLimited("x", evidence=told(seconds)))
        scene[name].plays(DOWN, ANSWER)
    error, call = scene.fails("abc")
    assert (type(error), error.message) == (Unavailable, "down")
    assert attempts_text(call) == "b/m=503,c/m=503,a/m=503", "each once: who rests is not asked a second time"
    assert (error.retry_after, DOWN.retry_after) == (10.0, None), "the advice is the call's, not the failure's"
    assert attempts_text(scene.ask("abc")) == "b/m=200"
    assert scene.tries() == [1, 2, 1]


def test_where_all_rest_the_call_has_no_more_tries_than_any_other(scene: Scene) -> None:
    for name in "abcd":
        scene.has_failed(name, RateLimited("x", evidence=told(30.0)))
        scene[name].plays(DOWN)
    call = scene.call()
    for _ in range(MAX_TRIES - 2):
        assert call.take_try()
    with pytest.raises(Unavailable):
        scene.ask("abcd", call=call)
    assert scene.tries("abcd") == [1, 1, 0, 0]


def test_who_begins_to_rest_meanwhile_is_asked_in_the_order_of_its_due_time_too(scene: Scene) -> None:
    """While one that rests is asked, the times of the others go on."""
    for name, seconds in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        scene.has_failed(name, RateLimited("x", evidence=told(seconds)))

    def fails_while_c_is_limited_anew() -> Answer:
        scene.has_failed("c", RateLimited("x", evidence=told(60.0)))
        raise DOWN

    scene["b"].plays(fails_while_c_is_limited_anew)
    assert attempts_text(scene.ask("abc")) == "b/m=503,a/m=200"


@pytest.mark.parametrize("kind", [ContextTooLong, UnsupportedByTarget, ContentRefused, RequestRejected])
def test_what_is_the_requests_fault_is_not_held_against_the_target(scene: Scene, kind: type[ProviderFailure]) -> None:
    scene["a"].plays(kind("x"))
    scene.fails("a")
    assert scene.health.order([Target("a", "m")])[1] == []


def test_a_stream_that_breaks_counts_against_its_target_although_it_began_well(scene: Scene) -> None:
    scene["a"].plays(OpenStream([], OUTBOUND.decoder(0, Rendered(b"")), NoBody(), ()))
    for _ in range(IN_A_ROW):
        reached = scene.reach("ab", asked("hi", stream=True), call=scene.call())
        assert scene.health.open() == [reached.ticket], "it has not ended well yet"
        reached.ticket.failed(StreamBroken("x"))
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


def test_a_refused_key_makes_its_target_rest_at_once_and_is_tried_again_later(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": ApiKey(Secret("sk-1"))})
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)), ANSWER)
    assert attempts_text(scene.ask("ab")) == "a/m=401,b/m=200"
    assert attempts_text(scene.ask("ab")) == "a/m=resting,b/m=200"
    scene.clock.advance(30)
    assert attempts_text(scene.ask("ab")) == "a/m=200"


def test_a_refused_key_is_shown_again_where_nobody_else_is_there(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": ApiKey(Secret("sk-1"))})
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)))
    for _ in range(3):
        error, call = scene.fails("a")
        assert (type(error), attempts_text(call)) == (CredentialRefused, "a/m=401")


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
        self.meanwhile: Callable[[], object] = list

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.asked += 1
        self.meanwhile()
        if self.down:
            raise OAuthUnreachable("no connection")
        return TokenReply(Secret(f"token-{self.asked + 1}"), Secret(f"refresh-{self.asked + 1}"), 3_600.0)


class LoginScene(Scene):
    """The provider a has a login that was obtained ten minutes ago."""

    def __init__(self, folder: Path, *, limits: Mapping[str, RateLimit] | None = None) -> None:
        self.logins = FakeLogins()
        source = StoredToken(OAuthSettings("a", "client-1"))
        super().__init__(folder, sources={"a": source}, limits=limits, logins=self.logins)
        kept = TokenReply(Secret("token-1"), Secret("refresh-1"), 3_600.0)
        self.store.put("a", token_from(kept, self.clock.wall()))
        self.clock.advance(600)

    def shown(self) -> list[str]:
        """The tokens that a was asked with."""
        secrets = [context.credential.secret for context in self["a"].contexts]
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


def test_a_token_is_renewed_also_for_a_target_that_is_asked_although_it_rests(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene.has_failed("a", *[DOWN] * IN_A_ROW)
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)), ANSWER)
    assert attempts_text(scene.ask("a")) == "a/m=401,a/m=200"


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


def test_who_leaves_while_a_refused_token_is_renewed_is_not_asked_for_again(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene.logins.meanwhile = lambda: scene.clock.advance(TIMEOUT)
    scene["a"].plays(CredentialRefused("no", evidence=Evidence(status=401)), ANSWER)
    error, call = scene.fails("ab")
    assert isinstance(error, DeadlineExceeded)
    assert (scene.tries(), attempts_text(call)) == ([1, 0, 0], "a/m=401")


def test_who_leaves_while_a_token_is_renewed_before_the_first_try_costs_no_call(tmp_path: Path) -> None:
    scene = LoginScene(tmp_path)
    scene.clock.advance(3_600)
    scene.logins.meanwhile = lambda: scene.clock.advance(TIMEOUT)
    error, _ = scene.fails("ab")
    assert isinstance(error, DeadlineExceeded)
    assert (scene.tries(), scene.logins.asked, scene.health.open()) == ([0, 0, 0], 1, [])


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
    secret = scene["a"].contexts[0].credential.secret
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
    assert attempts_text(call) == "a/m=limited,b/m=503,b/m=503,a/m=200"


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
    assert attempts_text(call) == "a/m=limited,b/m=503,b/m=503,a/m=limited"


def test_every_try_takes_a_slot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a", 2))
    scene["a"].plays(ConnectionFailed("x"))
    scene.fails("a")
    limiter = scene.limiters.of("a")
    assert limiter is not None
    assert not limiter.try_acquire()


# Time limits -------------------------------------------------------------------------------------------------------


def read_timeout(scene: Scene, name: str) -> float:
    return scene[name].contexts[-1].first_content


def test_with_no_limit_of_its_own_every_try_may_take_what_is_left_of_the_deadline(scene: Scene) -> None:
    def slow() -> Answer:
        scene.clock.advance(100)
        raise ProviderTimeout("x")

    scene["a"].plays(slow)
    call = scene.ask("ab")
    assert (read_timeout(scene, "a"), read_timeout(scene, "b")) == (TIMEOUT, TIMEOUT - 100)
    assert [scene[name].contexts[0].deadline for name in "ab"] == [call.deadline] * 2


def test_a_wait_for_a_slot_is_part_of_the_deadline(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    scene.ask("a")
    assert read_timeout(scene, "a") == pytest.approx(TIMEOUT - 60)


def test_a_configured_limit_means_that_number_everywhere(tmp_path: Path) -> None:
    scene = Scene(tmp_path, timeouts={name: schema.Timeouts(first_token_seconds=7.0) for name in "ab"})
    scene["a"].plays(ProviderTimeout("x"))
    scene.ask("ab")
    assert (read_timeout(scene, "a"), read_timeout(scene, "b")) == (7.0, 7.0)


def test_past_the_deadline_nobody_is_asked_any_more(scene: Scene) -> None:
    def slow() -> Answer:
        scene.clock.advance(TIMEOUT)
        raise ProviderTimeout("x")

    scene["a"].plays(slow)
    error, call = scene.fails("ab")
    assert isinstance(error, DeadlineExceeded)
    assert scene.tries() == [1, 0, 0]
    assert call.remaining() <= 0


def test_a_queue_that_is_longer_than_the_deadline_is_not_joined(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene.takes("a", 1)
    call = Call("req_1", scene.clock, timeout=30, caller=NoCaller())
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
    "failure", [InvalidAnswer("cut"), ConnectionFailed("cut"), ProviderTimeout("x"), ContentRefused("x")], ids=str
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
        raise InvalidAnswer("cut")

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
    assert most_informative([first, Limited("x", retry_after=1), last, LoginRequired("x")]) is last


def test_else_the_shortest_wait_tells_most() -> None:
    short = Limited("short", retry_after=1)
    assert most_informative([Limited("long", retry_after=9), short, LoginRequired("x")]) is short


def test_a_wait_that_is_not_known_is_not_the_shortest() -> None:
    known = Limited("known", retry_after=9)
    assert most_informative([Limited("unknown"), known]) is known


def test_else_whatever_there_is() -> None:
    login = LoginRequired("x")
    assert most_informative([login]) is login
    assert isinstance(most_informative([]), ModelNotFound)


def test_no_time_is_told_where_the_next_request_may_come_at_once(scene: Scene) -> None:
    scene["a"].plays(ConnectionFailed("x"))
    error, _ = scene.fails("a")
    assert error.retry_after is None


@pytest.mark.parametrize("names", ["a", "ab"])
def test_where_all_rest_the_time_until_the_first_may_be_asked_is_told(scene: Scene, names: str) -> None:
    for name in names:
        scene.has_failed(name, *[DOWN] * IN_A_ROW)
        scene[name].plays(Unavailable("x", evidence=Evidence(status=503)))
        scene.clock.advance(1)
    error, _ = scene.fails(names)
    assert error.retry_after == pytest.approx(FIRST_OPENING - len(names))


def test_what_a_provider_told_is_passed_on(scene: Scene) -> None:
    scene["a"].plays(RateLimited("x", evidence=told(17.0)))
    error, _ = scene.fails("a")
    assert error.retry_after == 17.0


# Going on where a stream broke -------------------------------------------------------------------------------------

SO_FAR = "The text so far, which is long enough to be continued."
CONTINUED = asked(f"go on after {SO_FAR}")


def continue_request(request: ChatRequest, text_so_far: str) -> ChatRequest:
    return asked(f"go on after {text_so_far}")


CHAT = Chat(REQUEST, lambda response, request: b"", continue_request)


def resume(scene: Scene, names: str, *, broke: str) -> tuple[Resumed, Call]:
    """Someone to go on where the streams of `broke` have broken."""
    call = scene.call()
    *call.broken_targets, call.target = (Target(name, "m") for name in broke)
    return scene.failover.resume(route(names), CHAT, SO_FAR, call), call


def test_the_next_candidate_is_asked_to_go_on_and_not_the_one_that_broke(scene: Scene) -> None:
    resumed, call = resume(scene, "abc", broke="a")
    assert (resumed.answer.target, resumed.restarted) == (Target("b", "m"), False)
    assert (call.target, scene.tries()) == (Target("b", "m"), [0, 1, 0])
    assert [asked.source for asked in scene["b"].requests] == [CONTINUED.source]


@pytest.mark.parametrize("kind", [RequestRejected, ContextTooLong, UnsupportedByTarget])
def test_who_will_not_go_on_is_asked_to_begin_anew(scene: Scene, kind: type[ProviderFailure]) -> None:
    scene["b"].plays(kind("no prefill", evidence=Evidence(status=400)), ANSWER)
    resumed, call = resume(scene, "ab", broke="a")
    assert (resumed.answer.target, resumed.restarted) == (Target("b", "m"), True)
    assert [asked.source for asked in scene["b"].requests] == [CONTINUED.source, REQUEST.source]
    word = "cannot" if kind is UnsupportedByTarget else "400"
    assert attempts_text(call) == f"b/m={word},b/m=200"
    assert scene.failures("b") == 0


@pytest.mark.parametrize(
    "text", ["text so far", "again and " * 30, "  \n" * 30], ids=["short", "repeats itself", "blank"]
)
def test_where_no_continuation_could_prove_its_place_a_whole_answer_is_asked_for(scene: Scene, text: str) -> None:
    call = scene.call()
    call.target = Target("a", "m")
    assert scene.failover.resume(route("ab"), CHAT, text, call).restarted
    assert [asked.source for asked in scene["b"].requests] == [REQUEST.source]


def test_who_continued_with_something_else_is_asked_for_a_whole_answer(scene: Scene) -> None:
    _, call = resume(scene, "ab", broke="a")
    call.not_continued = True
    again = scene.failover.resume(route("ab"), CHAT, SO_FAR, call)
    assert (again.answer.target, again.restarted) == (Target("b", "m"), True)
    assert [asked.source for asked in scene["b"].requests] == [CONTINUED.source, REQUEST.source]
    assert call.broken_targets == [Target("a", "m")]


@pytest.mark.parametrize("failure", [ContentRefused("x"), QuotaExhausted("x")], ids=lambda value: type(value).__name__)
def test_who_fails_to_go_on_for_another_reason_is_not_asked_to_begin_anew(
    scene: Scene, failure: ProviderFailure
) -> None:
    scene["b"].plays(failure)
    with pytest.raises(type(failure)):
        resume(scene, "ab", broke="a")
    assert [asked.source for asked in scene["b"].requests] == [CONTINUED.source]


def test_an_answer_without_any_text_is_asked_for_again_as_it_was(scene: Scene) -> None:
    call = scene.call()
    call.target = Target("a", "m")
    assert not scene.failover.resume(route("ab"), CHAT, "", call).restarted
    assert scene["b"].requests == [REQUEST]


def test_where_all_have_broken_nobody_goes_on(scene: Scene) -> None:
    with pytest.raises(GatewayError):
        resume(scene, "ab", broke="ab")
    assert scene.tries() == [0, 0, 0]


def test_going_on_is_part_of_the_six_requests_of_a_call(scene: Scene) -> None:
    call = scene.call()
    for _ in range(MAX_TRIES - 1):
        assert call.take_try()
    call.target = Target("a", "m")
    scene["b"].plays(BROKEN_LINE)
    with pytest.raises(ConnectionFailed):
        scene.failover.resume(route("abc"), CHAT, SO_FAR, call)
    assert scene.tries() == [0, 1, 0]


def test_somebody_stands_by_who_is_another_and_does_not_rest(scene: Scene) -> None:
    a = Target("a", "m")
    assert scene.failover.has_alternative(route("ab"), a)
    assert not scene.failover.has_alternative(route("a"), a)
    scene.has_failed("b", *[DOWN] * IN_A_ROW)
    assert not scene.failover.has_alternative(route("ab"), a)
    assert scene.failover.has_alternative(route("abc"), a)
