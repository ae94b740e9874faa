"""Renewal: one thread asks for all, no refresh token is spent twice, and an ended login is not asked again."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.errors import OAuthError, OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.renewal import CONFIGURATION_SECONDS, RENEWAL_LOCK_SECONDS, RETRY_SECONDS, OnUnsaved
from gateway.auth.sources import StoredToken
from gateway.auth.tokens.expiry import freshness, lifetime, obtained_at
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.clock import SystemClock
from gateway.core.errors import LoginRequired, RenewalFailed
from gateway.core.secrets import Secret
from tests.support.auth_server import AuthServer
from tests.support.fakes import FakeClock
from tests.support.wine import locks_of_files

ROOT = Path(__file__).parents[2]
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
HOUR = 3600.0
HANG_SECONDS = 30.0
SETTINGS = OAuthSettings("acme", "client-1", token_endpoint="https://login.acme.test/token")

Step = TokenReply | OAuthError | Callable[[], TokenReply]


def reply(number: int, expires_in: float | None = HOUR, *, rotates: bool = True) -> TokenReply:
    return TokenReply(Secret(f"a{number}"), Secret(f"r{number}") if rotates else None, expires_in)


class FakeServer:
    """Gives tokens 2, 3, 4 and so on, unless the script has another answer. Records the spent refresh tokens."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.spent: list[str] = []
        self._given = 1

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.spent.append(refresh_token.reveal())
        step = self.script.pop(0) if self.script else None
        if isinstance(step, OAuthError):
            raise step
        if step is None:
            self._given += 1
            return reply(self._given)
        return step if isinstance(step, TokenReply) else step()


class Scene:
    """The provider acme with token 1, an hour long, in the store; time stands still."""

    def __init__(
        self, folder: Path, expires_in: float | None = HOUR, *, jitter: float = 0.0, clock: FakeClock | None = None
    ) -> None:
        self.clock = clock or FakeClock(NOW)
        self.server = FakeServer()
        self.path = folder / "tokens.json"
        self.store = TokenStore(self.path, self.clock)
        self.store.put("acme", token_from(reply(1, expires_in), NOW))
        self.auth = self.process(jitter)

    def process(self, jitter: float = 0.0, on_unsaved: OnUnsaved = lambda save: None) -> AuthManager:
        """The manager of one more process."""
        return AuthManager(
            {"acme": StoredToken(SETTINGS)},
            TokenStore(self.path, self.clock),
            WatchedFiles([], self.clock),
            self.clock,
            clients=lambda name: {"acme": self.server}[name],
            random=lambda: jitter,
            on_unsaved=on_unsaved,
        )

    def offered(self, auth: AuthManager | None = None) -> str:
        secret = (auth or self.auth).credential("acme").secret
        assert secret is not None
        return secret.reveal()

    def at(self, seconds: float) -> str:
        """What is offered at that time after the login."""
        self.clock.advance(NOW + seconds - self.clock.wall())
        return self.offered()

    def fails(self) -> LoginRequired:
        with pytest.raises(LoginRequired) as fault:
            self.auth.credential("acme")
        return fault.value

    def stored(self) -> Any:
        return json.loads(self.path.read_bytes())["credentials"]["acme"]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# When --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lives", "left", "expected"),
    [
        (3600, 301, "fresh"),
        (3600, 300, "soon"),
        (3600, 31, "soon"),
        (3600, 30, "now"),
        (3600, 5.5, "now"),
        (3600, 5, "dead"),
        (100, 20.5, "fresh"),
        (100, 20, "soon"),
        (100, 5.5, "soon"),
        (100, 5, "dead"),
        (2, 0.5, "fresh"),
        (2, 0.3, "soon"),
        (2, 0.05, "dead"),
        (None, 301, "fresh"),
        (None, 299, "soon"),
        (None, 29, "now"),
        (None, 4, "dead"),
        (0, -100, "fresh"),
        (-1, -100, "fresh"),
    ],
)
def test_the_windows_are_seconds_and_shares_of_the_lifetime(lives: float | None, left: float, expected: str) -> None:
    expires_at = NOW + 50
    extra = {} if lives is None else {"obtainedAt": expires_at - lives}
    assert freshness(Token(Secret("a"), None, expires_at, extra), expires_at - left) == expected


def test_a_token_that_does_not_say_when_it_expires_is_fresh() -> None:
    assert freshness(Token(Secret("a")), 1e12) == "fresh"


@pytest.mark.parametrize("value", [None, "soon", True, [1]])
def test_a_time_that_is_none_is_not_known(value: Any) -> None:
    token = Token(Secret("a"), None, NOW, {"obtainedAt": value})
    assert (obtained_at(token), lifetime(token)) == (None, None)


@given(st.floats(0.01, 1e7), st.floats(0, 1), st.lists(st.floats(0, 1.2), min_size=2, max_size=5))
def test_a_token_only_ever_grows_older(lives: float, jitter: float, shares: list[float]) -> None:
    order = ["fresh", "soon", "now", "dead"]
    token = token_from(TokenReply(Secret("a"), None, lives), 0.0)
    stages = [order.index(freshness(token, share * lives, jitter)) for share in sorted(shares)]
    assert stages == sorted(stages)
    assert freshness(token, 0.0, jitter) == "fresh"
    assert freshness(token, lives, jitter) == "dead"


def test_a_fresh_token_is_not_renewed_and_one_that_runs_out_is(scene: Scene) -> None:
    assert scene.at(HOUR - 301) == "a1"
    assert scene.server.spent == []
    assert scene.at(HOUR - 300) == "a2"
    assert scene.offered() == "a2"
    assert scene.server.spent == ["r1"]


def test_the_window_is_up_to_a_tenth_longer(tmp_path: Path) -> None:
    scene = Scene(tmp_path, jitter=1.0)
    assert scene.at(HOUR - 331) == "a1"
    assert scene.at(HOUR - 330) == "a2"


def test_a_token_without_an_expiry_is_not_renewed_by_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    assert scene.at(1e7) == "a1"


def test_a_token_that_cannot_be_renewed_is_used_to_its_end(scene: Scene) -> None:
    scene.store.put("acme", token_from(reply(1, rotates=False), NOW))
    assert scene.at(HOUR - 6) == "a1"
    scene.clock.advance(1)
    assert "expired" in scene.fails().message
    assert scene.server.spent == []


# What is kept ------------------------------------------------------------------------------------------------------


def test_both_tokens_are_replaced_in_one_write_and_foreign_fields_stay(scene: Scene) -> None:
    scene.store.put("acme", Token(Secret("a1"), Secret("r1"), NOW, {"label": "mine", "scope": "chat"}))
    scene.server.script = [TokenReply(Secret("a2"), Secret("r2"), HOUR, {"scope": "chat embed"})]
    assert scene.offered() == "a2"
    assert scene.stored() == {
        "label": "mine",
        "scope": "chat embed",
        "accessToken": "a2",
        "refreshToken": "r2",
        "expiresAt": NOW + HOUR,
        "obtainedAt": NOW,
    }


def test_a_server_that_does_not_rotate_leaves_the_refresh_token(scene: Scene) -> None:
    scene.server.script = [reply(2, rotates=False)]
    assert scene.at(HOUR - 1) == "a2"
    assert scene.stored()["refreshToken"] == "r1"


def test_a_lifetime_counts_from_the_question_and_not_from_a_late_answer(scene: Scene) -> None:
    def late() -> TokenReply:
        scene.clock.advance(20)
        return reply(2)

    scene.server.script = [late]
    scene.at(HOUR)
    assert scene.stored()["expiresAt"] == NOW + 2 * HOUR


@pytest.mark.parametrize("lives", [0.0, -1.0])
def test_a_server_that_says_zero_for_never_is_not_asked_at_every_call(tmp_path: Path, lives: float) -> None:
    scene = Scene(tmp_path)
    scene.server.script = [reply(2, lives)]
    assert scene.at(HOUR) == "a2"
    assert scene.at(9 * HOUR) == "a2"
    assert scene.server.spent == ["r1"]


def test_what_the_disk_does_not_take_is_used_and_written_later(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert scene.at(HOUR - 1) == "a2"
        assert scene.offered() == "a2"
        assert "No space left" in (scene.auth.status("acme").problem or "")
        assert scene.at(HOUR + RETRY_SECONDS) == "a2"
        assert scene.at(2 * HOUR + RETRY_SECONDS) == "a3"  # it runs out before there is room
        assert scene.stored()["refreshToken"] == "r1"
    assert scene.at(2 * HOUR + 3 * RETRY_SECONDS) == "a3"
    assert scene.stored()["refreshToken"] == "r3"
    assert scene.server.spent == ["r1", "r2"]
    assert scene.auth.status("acme").problem is None


def test_a_new_login_counts_more_than_what_the_disk_did_not_take(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert scene.at(HOUR - 1) == "a2"
    scene.store.put("acme", token_from(reply(9), scene.clock.wall()))
    assert scene.offered() == "a9"
    assert scene.at(3 * HOUR) == "a3"
    assert scene.server.spent == ["r1", "r9"]


# One asks ----------------------------------------------------------------------------------------------------------


class Slow:
    """An answer that the test releases."""

    def __init__(self, answer: TokenReply) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self._answer = answer

    def __call__(self) -> TokenReply:
        self.asked.set()
        assert self.may_answer.wait(HANG_SECONDS)
        return self._answer


def test_while_one_renews_in_good_time_the_others_go_on_with_the_old_token(scene: Scene) -> None:
    slow = Slow(reply(2))
    scene.server.script = [slow]
    scene.clock.advance(HOUR - 100)
    other = scene.process()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(scene.offered)
        assert slow.asked.wait(HANG_SECONDS)
        assert [scene.offered() for _ in range(3)] == ["a1"] * 3
        assert scene.offered(other) == "a1", "nor does another process wait"
        slow.may_answer.set()
        assert first.result(HANG_SECONDS) == "a2"
    assert scene.offered() == scene.offered(other) == "a2"
    assert scene.server.spent == ["r1"]


@pytest.mark.parametrize("left", [29, 0])
def test_shortly_before_its_end_all_wait_for_the_one_renewal(scene: Scene, left: float) -> None:
    slow = Slow(reply(2))
    scene.server.script = [slow]
    scene.clock.advance(HOUR - left)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(scene.offered) for _ in range(8)]
        assert slow.asked.wait(HANG_SECONDS)
        slow.may_answer.set()
        assert {call.result(HANG_SECONDS) for call in calls} == {"a2"}
    assert scene.server.spent == ["r1"]


def test_what_another_process_renewed_is_taken_over(scene: Scene) -> None:
    other = scene.process()
    scene.clock.advance(HOUR)
    assert scene.offered(other) == "a2"
    assert scene.offered() == "a2"
    assert scene.server.spent == ["r1"]


class RealWaits(FakeClock):
    """Time stands still, and waits take real time."""

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        return condition.wait(timeout)


@locks_of_files
def test_what_another_process_renewed_while_we_waited_for_the_lock_is_taken_over(tmp_path: Path) -> None:
    scene = Scene(tmp_path, clock=RealWaits(NOW))
    held, may_write = threading.Event(), threading.Event()

    def other_process() -> None:
        with TokenStore(scene.path, SystemClock()).exclusive() as store:
            held.set()
            assert may_write.wait(HANG_SECONDS)
            store.put("acme", token_from(reply(7), scene.clock.wall()))

    scene.clock.advance(HOUR)
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(other_process)
        assert held.wait(HANG_SECONDS)
        call = pool.submit(scene.offered)
        may_write.set()
        assert call.result(HANG_SECONDS) == "a7"
        other.result(HANG_SECONDS)
    assert scene.server.spent == []


@locks_of_files
def test_a_lock_that_stays_taken_costs_a_call_10_seconds_at_most(scene: Scene) -> None:
    with TokenStore(scene.path, scene.clock).exclusive():
        assert scene.at(HOUR - 100) == "a1"
        assert scene.clock.wall() == NOW + HOUR - 100, "a token that is good for a while waits for nobody"
        assert scene.at(HOUR - 25) == "a1", "and one that lives is used on"
        assert scene.clock.wall() == pytest.approx(NOW + HOUR - 25 + RENEWAL_LOCK_SECONDS, abs=0.1)
        scene.clock.advance(RETRY_SECONDS)
        before = scene.clock.wall()
        fault = scene.fails()
        assert scene.clock.wall() == pytest.approx(before + RENEWAL_LOCK_SECONDS, abs=0.1)
    assert (fault.status, fault.code) == (503, "token_renewal_failed")
    assert "tokens.json.lock is held by another process" in fault.message
    assert scene.server.spent == []


def test_two_providers_of_one_client_are_renewed_one_after_the_other(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.store.put("twin", token_from(reply(11, 1), NOW))
    scene.store.put("acme", token_from(reply(1, 1), NOW))
    inside, most = [0], [0]

    class Server(FakeServer):
        def refresh(self, refresh_token: Secret) -> TokenReply:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            answer = super().refresh(refresh_token)
            inside[0] -= 1
            return answer

    server = Server()
    auth = AuthManager(
        {"acme": StoredToken(SETTINGS), "twin": StoredToken(SETTINGS)},
        scene.store,
        WatchedFiles([], scene.clock),
        scene.clock,
        clients=lambda name: server,
    )
    scene.clock.advance(2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(auth.credential, ["acme", "twin"] * 4, timeout=HANG_SECONDS))
    assert sorted(server.spent) == ["r1", "r11"]
    assert most == [1]


# What the server says ----------------------------------------------------------------------------------------------


def test_a_login_that_has_ended_is_used_to_its_end_and_not_asked_for_again(scene: Scene) -> None:
    scene.server.script = [OAuthRefused("invalid_grant", "token revoked")]
    for seconds in (HOUR - 300, HOUR - 100, HOUR - 6):
        assert scene.at(seconds) == "a1"
    scene.clock.advance(2)
    fault = scene.fails()
    assert (fault.status, fault.code) == (401, "login_required")
    assert "The login has ended (invalid_grant: token revoked)." in fault.message
    assert fault.message.endswith("Run: python app.py login acme")
    scene.clock.advance(1e6)
    scene.fails()
    assert scene.server.spent == ["r1"]


def test_a_new_login_ends_the_ban(scene: Scene) -> None:
    scene.server.script = [OAuthRefused("invalid_grant")]
    scene.clock.advance(HOUR)
    scene.fails()
    TokenStore(scene.path, scene.clock).put("acme", token_from(reply(5), scene.clock.wall()))
    assert scene.offered() == "a5"
    assert scene.at(2 * HOUR) == "a2"
    assert scene.server.spent == ["r1", "r5"]


@pytest.mark.parametrize("fault", [OAuthRefused("invalid_grant"), OAuthUnreachable("cut off")], ids=str)
@pytest.mark.parametrize("lives", [HOUR, 1.0], ids=["fresh", "worn"])
def test_before_a_login_is_given_up_the_store_is_read_again(scene: Scene, fault: OAuthError, lives: float) -> None:
    """Another program that knows no lock was faster."""

    def meanwhile() -> TokenReply:
        document = json.loads(scene.path.read_bytes())
        entry = {
            "accessToken": "a7",
            "refreshToken": "r7",
            "obtainedAt": NOW + HOUR - 1,
            "expiresAt": NOW + HOUR + lives,
        }
        scene.path.write_text(json.dumps({**document, "credentials": {"acme": {**entry}}}))
        scene.clock.advance(1)
        raise fault

    scene.server.script = [meanwhile]
    assert scene.at(HOUR) == ("a7" if lives == HOUR else "a2")
    assert scene.server.spent == (["r1"] if lives == HOUR else ["r1", "r7"])


@pytest.mark.parametrize(
    "fault", [OAuthUnreachable("no answer within 30 s"), OAuthRefused("temporarily_unavailable")], ids=str
)
def test_a_failure_that_may_pass_is_tried_again_once_a_minute(scene: Scene, fault: OAuthError) -> None:
    scene.server.script = [fault, fault, fault]
    start = HOUR - 130
    for seconds in (0, 1, 59.5, 60, 119):
        assert scene.at(start + seconds) == "a1"
    assert len(scene.server.spent) == 2
    assert str(fault) in (scene.auth.status("acme").problem or "")
    scene.clock.advance(start + 140 - (scene.clock.wall() - NOW))
    error = scene.fails()
    assert isinstance(error, RenewalFailed)
    assert (error.status, error.code, error.type) == (503, "token_renewal_failed", "server_error")
    assert error.retry_after == RETRY_SECONDS
    assert str(fault) in error.message
    scene.clock.advance(20)
    assert scene.fails().retry_after == RETRY_SECONDS - 20
    assert len(scene.server.spent) == 3
    scene.clock.advance(40)
    assert scene.offered() == "a2"
    assert scene.auth.status("acme").problem is None


def test_the_pause_is_shorter_for_tokens_that_live_shorter(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 20.0)
    scene.server.script = [OAuthUnreachable("down")] * 2
    scene.clock.advance(20)
    assert scene.fails().retry_after == 5.0
    scene.clock.advance(4.9)
    scene.fails()
    assert len(scene.server.spent) == 1
    scene.clock.advance(0.1)
    scene.fails()
    assert len(scene.server.spent) == 2


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_scope", "not_configured"])
def test_a_fault_of_the_configuration_is_told_and_not_hammered(scene: Scene, code: str) -> None:
    scene.server.script = [OAuthRefused(code, "who?")]
    assert scene.at(HOUR - 300) == "a1"
    assert scene.at(HOUR - 31) == "a1"
    scene.clock.advance(40)
    assert f"does not accept the client's settings ({code}: who?)" in scene.fails().message
    assert scene.server.spent == ["r1"]
    assert scene.at(HOUR - 300 + CONFIGURATION_SECONDS) == "a2"


# A refusal ---------------------------------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_before_its_time(scene: Scene) -> None:
    refused = scene.auth.credential("acme")
    scene.clock.advance(600)
    better = scene.auth.renewed("acme", refused)
    assert better == scene.auth.credential("acme")
    assert scene.offered() == "a2"
    assert scene.server.spent == ["r1"]


def test_many_refusals_of_one_token_are_one_renewal(scene: Scene) -> None:
    refused = scene.auth.credential("acme")
    scene.clock.advance(600)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: scene.auth.renewed("acme", refused), range(16), timeout=HANG_SECONDS))
    assert {each.secret.reveal() for each in found if each and each.secret} == {"a2"}
    assert scene.server.spent == ["r1"]


def test_a_token_that_has_been_replaced_meanwhile_is_not_renewed_again(scene: Scene) -> None:
    other = scene.process()
    refused = scene.auth.credential("acme")
    scene.clock.advance(HOUR)
    scene.offered(other)
    better = scene.auth.renewed("acme", refused)
    assert better is not None
    assert better.secret == Secret("a2")
    assert scene.server.spent == ["r1"]


def test_refusals_are_a_reason_to_renew_once_a_minute(scene: Scene) -> None:
    """A provider that answers 403 to everything must not cause a renewal at every call."""
    second = scene.auth.renewed("acme", scene.auth.credential("acme"))
    assert second is not None
    for number in (2, 3, 4):
        assert scene.auth.renewed("acme", scene.auth.credential("acme")) is None
        scene.clock.advance(RETRY_SECONDS - 1)
        assert "has refused its token" in scene.fails().message
        assert len(scene.server.spent) == number - 1
        scene.clock.advance(1)
        assert scene.offered() == f"a{number + 1}"


@pytest.mark.parametrize(
    ("fault", "status"), [(OAuthRefused("invalid_grant"), 401), (OAuthUnreachable("down"), 503)], ids=str
)
def test_a_refused_token_that_cannot_be_renewed_is_not_offered_again(
    scene: Scene, fault: OAuthError, status: int
) -> None:
    refused = scene.auth.credential("acme")
    scene.clock.advance(600)
    scene.server.script = [fault]
    assert scene.auth.renewed("acme", refused) is None
    error = scene.fails()
    assert error.status == status
    assert error.message.startswith("acme has refused its token. ")
    assert len(scene.server.spent) == 1


# With a real server ------------------------------------------------------------------------------------------------


def login(server: AuthServer, store: TokenStore) -> None:
    """Keep the token of a login that needs no flow."""
    given = server.grants.login("chat")
    expires_in = given["expires_in"]
    assert isinstance(expires_in, (int, float))
    kept = TokenReply(Secret(str(given["access_token"])), Secret(str(given["refresh_token"])), float(expires_in))
    store.put("acme", token_from(kept, SystemClock().wall()))


def test_a_lost_answer_costs_the_login_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    """No client can cure that: the server has spent the token, and calls its reuse a theft."""
    clock = FakeClock(SystemClock().wall())
    store = TokenStore(tmp_path / "tokens.json", clock)
    with AuthServer() as server, closing(OAuthClient(server.settings(), {})) as client:
        login(server, store)
        auth = AuthManager(
            {"acme": StoredToken(server.settings())},
            store,
            WatchedFiles([], clock),
            clock,
            clients=lambda _: client,
        )
        server.next_token_answers.append("lost")
        clock.advance(HOUR + 10)
        with pytest.raises(RenewalFailed):
            auth.credential("acme")
        assert server.count("refresh_token") == 1
        clock.advance(RETRY_SECONDS)
        for _ in range(3):
            with pytest.raises(LoginRequired, match="Run: python app"):
                auth.credential("acme")
        assert server.count("refresh_token") == 2


WORKER = """
import json, sys, threading, time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.client import OAuthClient
from gateway.auth.sources import StoredToken
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.clock import SystemClock

path, port, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
settings = OAuthSettings("acme", "client-1", token_endpoint=f"http://127.0.0.1:{port}/token")
clock, client = SystemClock(), OAuthClient(settings, {})
auth = AuthManager(
    {"acme": StoredToken(settings)}, TokenStore(path, clock), WatchedFiles([], clock), clock, clients=lambda _: client
)
counts, lock, over = Counter(), threading.Lock(), time.monotonic() + seconds

def call(credential):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/api", headers={"Authorization": f"Bearer {credential.secret.reveal()}"})
        return connection.getresponse().status
    finally:
        connection.close()

def once():
    credential = auth.credential("acme")
    status = call(credential)
    if status != 401:
        return str(status)
    better = auth.renewed("acme", credential)
    return f"{call(better)} after a renewal" if better else "401"

def work():
    pause = threading.Event()
    while time.monotonic() < over:
        try:
            outcome = once()
        except Exception as fault:
            outcome = repr(fault)
        with lock:
            counts[outcome] += 1
        pause.wait(0.05)

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
client.close()
print(json.dumps(counts))
"""


@locks_of_files
@pytest.mark.parametrize(
    ("processes", "seconds"),
    [(2, 2.2), pytest.param(4, 2.2, marks=pytest.mark.slow), pytest.param(4, 20.0, marks=pytest.mark.slow)],
)
def test_processes_of_eight_threads_share_a_login_with_tokens_of_two_seconds(
    tmp_path: Path, processes: int, seconds: float
) -> None:
    """Every call is answered, no refresh token is spent twice, and the login lives at the end. The first token has run
    out before they start, so that all of them want the second."""
    clock, path = SystemClock(), tmp_path / "tokens.json"
    store = TokenStore(path, clock)
    with AuthServer() as server:
        server.grants.token_lifetime = 0.1
        login(server, store)
        server.grants.token_lifetime = 2.0
        port = server.url.rpartition(":")[2]
        counts = run([[sys.executable, "-c", WORKER, str(path), port, str(seconds)] for _ in range(processes)])
        assert set(counts) <= {"200", "200 after a renewal"}, counts
        assert sum(counts.values()) > processes * 8 * 10, counts
        spent = [each.fields["refresh_token"] for each in server.received("/token", "refresh_token")]
        assert len(spent) == len(set(spent)), "a refresh token was spent twice"
        assert 2 <= len(spent) <= 2 * (seconds + HANG_SECONDS), spent
        last = store.get("acme")
        assert last is not None
        assert last.refresh_token is not None
        with closing(OAuthClient(server.settings(), {})) as client:
            assert server.check(client.refresh(last.refresh_token).access_token.reveal()), "the login has ended"


def run(commands: Sequence[Sequence[str]]) -> dict[str, int]:
    """Run them at once; what they counted in all."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(each, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for each in commands
    ]
    counts: dict[str, int] = {}
    try:
        for process in processes:
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()
            for outcome, count in json.loads(output).items():
                counts[outcome] = counts.get(outcome, 0) + count
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return counts
