"""What a call takes of a rate limit: one slot for each request that left, and nothing else."""

from pathlib import Path

import pytest

from gateway.auth.sources import StoredToken
from gateway.auth.tokens.token import Token
from gateway.config.rate_limit import RateLimit
from gateway.core.errors import CallerLeft, Draining, GatewayError
from gateway.core.provider_failures import (
    ConnectionFailed,
    CredentialRefused,
    InvalidAnswer,
    ProviderFailure,
    RequestRejected,
    UnsupportedByTarget,
)
from gateway.core.rendered import Rendered
from gateway.core.secrets import Secret
from gateway.providers.base import Answer, OpenStream
from gateway.routing.router import Target
from tests.support.failover_scene import ANSWER, OUTBOUND, NoBody, Scene, asked, chat_of, limit, route
from tests.support.limits import used as count


def used(scene: Scene, name: str = "a") -> int:
    """Slots of the provider's limit that count now."""
    limiter = scene.limiters.of(name)
    assert limiter is not None
    assert limiter.waiting == 0
    return count(limiter)


def test_an_answer_takes_one_slot_from_when_its_request_left(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))

    def answer_late() -> Answer:
        scene.clock.advance(50)
        return ANSWER

    scene["a"].plays(answer_late)
    scene.ask("a")
    assert used(scene) == 1
    scene.clock.advance(10)
    assert used(scene) == 0


@pytest.mark.parametrize("failure", [ConnectionFailed("x"), RequestRejected("x"), CredentialRefused("x")], ids=repr)
def test_a_failure_of_a_request_that_left_keeps_its_slot(tmp_path: Path, failure: ProviderFailure) -> None:
    scene = Scene(tmp_path, limits=limit("a", 9))
    scene["a"].plays(failure)
    scene.fails("a")
    assert used(scene) == len(scene["a"].contexts) > 0


@pytest.mark.parametrize("failure", [ConnectionFailed("x"), UnsupportedByTarget("x"), ZeroDivisionError()], ids=repr)
def test_a_request_that_never_left_takes_no_slot(tmp_path: Path, failure: Exception) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene["a"].requests_leave = False
    scene["a"].plays(failure)
    scene.fails("a")
    assert used(scene) == 0


def test_the_second_try_can_use_the_slot_that_the_first_gave_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene["a"].requests_leave = False
    scene["a"].plays(ConnectionFailed("x"))
    scene.fails("a")
    assert (len(scene["a"].contexts), used(scene)) == (2, 0)


def test_a_stream_holds_its_permit_until_it_is_closed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    scene["a"].requests_leave = False  # so that it shows when the permit is closed
    scene["a"].plays(OpenStream([], OUTBOUND.decoder(0, Rendered(b"")), NoBody(), ()))
    answer = scene.reach("a", asked("hi", stream=True), call=scene.call())
    assert used(scene) == 1
    answer.close()
    answer.close()
    assert used(scene) == 0


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("stop")], ids=repr)
def test_a_call_that_ends_while_it_is_admitted_takes_no_slot(tmp_path: Path, reason: GatewayError) -> None:
    scene = Scene(tmp_path, limits=limit("a"))
    call = scene.call()
    credential = scene.auth.credential

    def end_meanwhile(provider: str) -> object:
        call.end(reason)
        return credential(provider)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.auth, "credential", end_meanwhile)
        with pytest.raises(type(reason)):
            scene.ask("a", call=call)
    assert (used(scene), scene.tries()) == (0, [0, 0, 0])
    assert scene.health.open() == []


def test_a_token_that_expires_in_the_queue_gives_the_slot_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()}, limits=limit("a"))
    scene.store.put("a", Token(Secret("token-1"), None, scene.clock.wall() + 30))
    scene.takes("a", 1)
    scene.fails("a", when_limited="wait")
    assert (used(scene), scene.tries()) == (0, [0, 0, 0])
    assert scene.health.open() == []


def test_a_refused_token_that_is_marked_is_not_counted_against_its_target(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sources={"a": StoredToken()})
    scene.store.put("a", Token(Secret("token-1"), None, None))
    refused = CredentialRefused("x")
    scene["a"].plays(refused)
    scene.fails("a")
    assert not scene.rests("a")
    assert refused.counts_against_target, "a failure is not changed on its way"


def test_a_call_that_has_used_all_its_tries_takes_no_slot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=limit("c"))
    for name in "ab":
        scene[name].plays(InvalidAnswer("x"))
    call = scene.call()
    for _ in range(5):
        assert call.take_try()
    with pytest.raises(InvalidAnswer):
        scene.failover.first_that_answers(route("abc"), chat_of(asked("hi")), call)
    assert used(scene, "c") == 0


def tokens(name: str) -> dict[str, RateLimit]:
    return {name: RateLimit(provider=name, tokens_per_minute=10_000)}


def test_a_whole_answer_counts_the_tokens_that_its_provider_has_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=tokens("a"))
    scene.ask("a")
    assert used(scene) == 2


def test_a_request_whose_tokens_nobody_has_told_counts_its_estimate(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=tokens("a"))
    scene["a"].plays(RequestRejected("x"))
    scene.fails("a")
    estimate = chat_of(asked("hi")).size().input + 256
    assert used(scene) == estimate == 4 + 1 + 256


def test_a_request_that_never_left_counts_no_tokens(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=tokens("a"))
    scene["a"].requests_leave = False
    scene["a"].plays(UnsupportedByTarget("x"))
    scene.fails("a")
    assert used(scene) == 0


def test_a_further_request_of_an_attempt_counts_as_a_request_and_takes_no_second_place(tmp_path: Path) -> None:
    row = RateLimit(provider="a", requests_per_minute=5, max_concurrent=1)
    scene = Scene(tmp_path, limits={"a": row})

    def ask_twice() -> Answer:
        further = scene["a"].contexts[-1].further_permit()
        further.sent()
        further.close()
        return ANSWER

    scene["a"].plays(ask_twice)
    scene.ask("a")
    limiter = scene.limiters.of("a", "m")
    assert limiter is not None
    assert [unit.used for unit in limiter.status()[0].units] == [0, 2]


def test_a_full_number_of_places_hands_the_call_to_the_next_target(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits={"a": RateLimit(provider="a", max_concurrent=1)})
    scene.takes("a", 1)
    assert scene.ask("ab").target == Target("b", "m")
    assert scene.tries("ab") == [0, 1]
