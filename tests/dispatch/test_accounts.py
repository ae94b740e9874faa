"""Several accounts at one provider: which is asked, what rests one of them, and what counts for all."""

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from gateway.auth.sources import ApiKey, CredentialSource, StoredToken
from gateway.config.rate_limit import RateLimit
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import CredentialRefused, Evidence, ProviderFailure, QuotaExhausted, RateLimited
from gateway.core.secrets import Secret
from gateway.dispatch.call import Call
from gateway.providers.base import Answer
from gateway.routing.accounts import Account, AccountPool
from gateway.routing.router import Target
from tests.support.failover_scene import ANSWER, DOWN, Scene, limit, route, told

SPENT = QuotaExhausted("spent", evidence=Evidence(status=429))
REFUSED = CredentialRefused("no", evidence=Evidence(status=401))
MINUTE = 60.0


class Accounts(Scene):
    """The provider a with some accounts, whose key is their name; b to d have one."""

    def __init__(
        self,
        folder: Path,
        *accounts: Account,
        strategy: Literal["priority", "round-robin", "sticky"] = "priority",
        limits: dict[str, RateLimit] | None = None,
        logged_out: str = "",
    ) -> None:
        sources: dict[str, CredentialSource] = {f"a@{each.name}": ApiKey(Secret(each.name)) for each in accounts}
        if logged_out:
            sources[f"a@{logged_out}"] = StoredToken()
        super().__init__(folder, sources=sources, limits=limits, pools={"a": AccountPool.of(accounts, strategy)})
        self.failing: dict[str, ProviderFailure] = {}
        self["a"].plays(self._by_key)

    def _by_key(self) -> Answer:
        secret = self["a"].contexts[-1].credential.secret
        failure = self.failing.get(secret.reveal() if secret else "")
        if failure is not None:
            raise failure
        return ANSWER

    def fails_at(self, name: str, failure: ProviderFailure | None) -> None:
        if failure is None:
            self.failing.pop(name)
        else:
            self.failing[name] = failure

    def attempts(self, names: str = "a", call: Call | None = None) -> str:
        """`a@work=429,b=200`."""
        return _told(self.ask(names, call=call))

    def told(self, names: str = "a") -> str:
        """The same of a call that fails."""
        call = self.call()
        with pytest.raises(GatewayError):
            self.ask(names, call=call)
        return _told(call)


def _told(call: Call) -> str:
    return ",".join(
        f"{each.provider}{'@' if each.account else ''}{each.account}={each.outcome}" for each in call.attempts
    )


WORK, HOME = Account("work", 1), Account("home", 2)


def test_a_limited_account_is_left_alone_for_as_long_as_it_says_and_the_next_one_answers(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", RateLimited("too many", evidence=told(30)))
    assert scene.attempts("ab") == "a@work=429,a@home=200"
    scene.clock.advance(29)
    assert scene.attempts("ab") == "a@work=resting,a@home=200"
    assert scene.tries("ab") == [3, 0], "nobody else is touched"
    scene.clock.advance(1.5)
    scene.fails_at("work", None)
    assert scene.attempts("ab") == "a@work=200"


def test_one_call_tells_of_a_limited_account_an_exhausted_one_a_third_and_a_second_provider(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME, Account("team", 3))
    scene.fails_at("work", RateLimited("too many", evidence=told(30)))
    scene.fails_at("home", SPENT)
    assert scene.attempts("ab") == "a@work=429,a@home=429,a@team=200"
    scene.fails_at("team", REFUSED)
    assert scene.attempts("ab") == "a@work=resting,a@home=resting,a@team=401,b=200"


def test_five_accounts_take_turns_exactly(tmp_path: Path) -> None:
    accounts = [Account(name) for name in ("k1", "k2", "k3", "k4", "k5")]
    scene = Accounts(tmp_path, *accounts, strategy="round-robin")
    used = Counter(scene.ask("a").target.account for _ in range(500))  # type: ignore[union-attr]
    assert used == dict.fromkeys(("k1", "k2", "k3", "k4", "k5"), 100)


def test_turns_are_counted_by_what_was_sent(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, Account("k1"), Account("k2"), strategy="round-robin", logged_out="k1")
    assert [scene.attempts() for _ in range(3)] == ["a@k2=200"] * 3


def test_by_priority_the_second_is_not_touched_while_the_first_has_room(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME, limits=limit("a", 3, queue=0))
    assert [scene.attempts() for _ in range(3)] == ["a@work=200"] * 3
    assert [scene.attempts() for _ in range(3)] == ["a@work=limited,a@home=200"] * 3, "a window for each account"
    assert scene.fails("a")[0].code == "rate_limit_exceeded"


def test_a_call_that_queues_does_so_where_no_account_has_room(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME, limits=limit("a", 1))
    for expected in ("work", "home"):
        target = scene.ask("a", when_limited="wait").target
        assert target is not None and target.account == expected
    before = scene.clock.monotonic()
    scene.ask("a", when_limited="wait")
    assert scene.clock.monotonic() - before >= MINUTE - 1


def test_a_session_stays_at_its_account_and_moves_once_when_that_rests(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, *(Account(name) for name in ("k1", "k2", "k3", "k4")), strategy="sticky")
    sessions = [f"session-{number}" for number in range(20)]

    def used(session: str) -> str:
        call = scene.call()
        call.session = lambda: session
        scene.ask("a", call=call)
        assert call.target is not None
        return call.target.account

    homes = {session: used(session) for session in sessions}
    assert len(set(homes.values())) > 1
    assert all(used(session) == homes[session] for session in sessions for _ in range(50))
    gone = homes[sessions[0]]
    scene.fails_at(gone, RateLimited("too many", evidence=told(3_600)))
    moved = {session: used(session) for session in sessions}
    assert all(moved[each] == homes[each] for each in sessions if homes[each] != gone)
    assert gone not in moved.values()
    assert all(used(session) == moved[session] for session in sessions for _ in range(10))


@pytest.mark.parametrize("failure", [SPENT, REFUSED])
def test_a_quota_and_a_refused_key_rest_the_account_for_all_its_models(
    tmp_path: Path, failure: ProviderFailure
) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", failure)
    scene.ask("a")

    other = Target("a", "another-model", "work")
    assert scene.health.order([other, Target("a", "another-model", "home")])[1] == [other]


def test_a_limit_rests_one_model_of_an_account(tmp_path: Path) -> None:

    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", RateLimited("too many", evidence=told(30)))
    scene.ask("a")
    assert scene.health.order([Target("a", "another-model", "work")])[1] == []


def test_an_account_without_quota_comes_back_by_itself(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", SPENT)
    assert scene.attempts() == "a@work=429,a@home=200"
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        scene.clock.advance(minutes * MINUTE - 1)
        assert scene.attempts() == "a@work=resting,a@home=200"
        scene.clock.advance(2)
        assert scene.attempts() == "a@work=429,a@home=200", f"asked once after {minutes} minutes"
        assert scene.attempts() == "a@work=resting,a@home=200"
    scene.clock.advance(61 * MINUTE)
    scene.fails_at("work", None)
    assert scene.attempts() == "a@work=200"


def test_while_one_call_asks_an_account_again_others_go_elsewhere(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", SPENT)
    scene.ask("a")
    scene.clock.advance(61)
    inside: list[str] = []

    def ask_beside() -> Answer:
        scene["a"].plays(lambda: ANSWER)
        inside.append(scene.attempts())
        return ANSWER

    scene["a"].plays(ask_beside)
    assert scene.attempts() == "a@work=200"
    assert inside == ["a@work=resting,a@home=200"]


def test_a_fault_of_the_server_burns_no_account(tmp_path: Path) -> None:
    """One second try, by another account; then the alias's next target."""
    scene = Accounts(tmp_path, *(Account(f"k{number}", number) for number in range(1, 6)))
    scene["a"].plays(DOWN)
    assert scene.attempts("ab") == "a@k1=503,a@k2=503,b=200"
    assert scene.failures("a") == 2, "for the provider"


def test_where_all_accounts_rest_the_target_rests_until_the_first_is_due(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", RateLimited("too many", evidence=told(30)))
    scene.fails_at("home", RateLimited("too many", evidence=told(90)))
    assert scene.attempts("ab") == "a@work=429,a@home=429,b=200"
    assert scene.attempts("ab") == "a@work=resting,a@home=resting,b=200"
    error, call = scene.fails("a")
    assert _told(call) == "a@work=429,a@home=429", "rather than fail unasked"
    assert error.retry_after is not None


def test_who_is_not_logged_in_is_asked_last(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME, logged_out="work")
    assert scene.attempts() == "a@home=200"
    scene.fails_at("home", RateLimited("too many", evidence=told(30)))
    assert scene.told() == "a@home=429,a@work=login_required"


def test_a_call_makes_six_requests_at_most(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, *(Account(f"k{number}", number) for number in range(1, 9)))
    for number in range(1, 9):
        scene.fails_at(f"k{number}", SPENT)
    assert scene.told("ab").count("=429") == 6


def test_no_account_is_sent_the_key_of_another(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK, HOME)
    scene.fails_at("work", SPENT)
    call = scene.ask("a")
    keys = [context.credential.secret for context in scene["a"].contexts]
    assert [key.reveal() for key in keys if key] == [each.account for each in call.attempts]


def test_without_accounts_an_attempt_names_none(tmp_path: Path) -> None:
    scene = Accounts(tmp_path, WORK)
    assert _told(scene.ask("b")) == "b=200"
    assert not scene.turns.decide(route("bcd"))
