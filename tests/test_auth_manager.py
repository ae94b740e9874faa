"""Which credential a call goes out with, and what is said where there is none."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.auth.auth_manager import AuthManager
from gateway.auth.cached_source import FETCH_SECONDS, UNKNOWN_SECONDS
from gateway.auth.credential import Credential, CredentialStatus
from gateway.auth.oauth.errors import OAuthUnreachable
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    SourceFailed,
    StoredToken,
    TokenFileSource,
)
from gateway.auth.tokens.expiry import fingerprint
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.config.token_files import WatchFile
from gateway.core.errors import LoginRequired, RenewalFailed
from gateway.core.secrets import Secret
from tests.support.fakes import FakeClock

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SOURCES: Mapping[str, CredentialSource] = {
    "openai": ApiKey(Secret("sk-SECRET")),
    "ollama": NoCredential(),
    "gemini": StoredToken(),
}


class Scene:
    """An AuthManager with its own store and one watched file."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.store = TokenStore(folder / "tokens.json", self.clock)
        self.file = folder / "tool.json"
        watched = WatchedFiles([(self.file, WatchFile(path="~/tool.json"))], self.clock)
        self.auth = AuthManager(SOURCES, self.store, watched, self.clock)

    def own(self, access: str, lives: float | None) -> None:
        self.store.put("gemini", Token(Secret(access), None, None if lives is None else self.clock.wall() + lives))

    def foreign(self, access: str, lives: float | None) -> None:
        expiry = {} if lives is None else {"expiresAt": self.clock.wall() + lives}
        self.file.write_text(json.dumps({"gemini": {"accessToken": access, **expiry}}))

    def offered(self) -> str:
        credential = self.auth.credential("gemini")
        assert credential.kind == "token"
        assert credential.secret is not None
        assert credential.fingerprint == fingerprint(credential.secret)
        return credential.secret.reveal()

    def refuse(self) -> None:
        self.auth.refused("gemini", self.auth.credential("gemini"))

    def fault(self) -> str:
        with pytest.raises(LoginRequired) as fault:
            self.auth.credential("gemini")
        return fault.value.message


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_key_is_what_the_configuration_says(scene: Scene) -> None:
    digest = hashlib.sha256(b"sk-SECRET").hexdigest()
    assert scene.auth.credential("openai") == Credential("api_key", Secret("sk-SECRET"), digest[:12])


def test_a_provider_that_wants_nothing_gets_nothing(scene: Scene) -> None:
    assert scene.auth.credential("ollama") == Credential("none", None, "")


def test_a_provider_without_a_source_is_a_fault_of_ours(scene: Scene) -> None:
    with pytest.raises(KeyError):
        scene.auth.credential("unknown")


def test_a_token_comes_from_the_store_or_from_a_watched_file(scene: Scene) -> None:
    scene.own("own", 3600)
    assert scene.offered() == "own"
    scene.store.remove("gemini")
    scene.foreign("foreign", 3600)
    assert scene.offered() == "foreign"


@pytest.mark.parametrize(
    ("own", "foreign", "offered"),
    [
        (100, 200, "foreign"),
        (200, 100, "own"),
        (100, 100, "own"),
        (100, -1, "own"),
        (-1, 100, "foreign"),
        (-1, None, "foreign"),
        (None, -1, "own"),
        (None, None, "own"),
        (None, 100, "foreign"),
        (100, None, "own"),
    ],
)
def test_the_token_known_to_be_valid_for_longest_is_offered(
    scene: Scene, own: float | None, foreign: float | None, offered: str
) -> None:
    scene.own("own", own)
    scene.foreign("foreign", foreign)
    assert scene.offered() == offered


@pytest.mark.parametrize(("lives", "usable"), [(5.5, True), (5.0, False), (0.0, False), (-1e6, False)])
def test_a_token_within_five_seconds_of_its_expiry_is_expired(scene: Scene, lives: float, usable: bool) -> None:
    scene.own("own", lives)
    if usable:
        assert scene.offered() == "own"
    else:
        assert "expired" in scene.fault()


def test_no_token_is_told_with_the_files_names_and_not_their_folders(scene: Scene, tmp_path: Path) -> None:
    message = scene.fault()
    assert message == "There is no token for gemini. A valid one is looked for in tokens.json or tool.json."
    assert str(tmp_path) not in message


def test_an_expired_token_is_told_with_the_latest_expiry(scene: Scene) -> None:
    scene.own("own", -60)
    scene.foreign("foreign", -3600)
    assert scene.fault().startswith("The token for gemini expired at 23:59 UTC on 2025-12-31. ")


def test_a_refused_token_is_told(scene: Scene) -> None:
    scene.own("own", 60)
    scene.foreign("foreign", -3600)
    scene.refuse()
    assert scene.fault().startswith("gemini has refused its token. ")


def test_an_unusable_file_is_told(scene: Scene) -> None:
    scene.store.path.write_text("sk-SECRET")
    scene.file.write_text("[]")
    message = scene.fault()
    assert "tokens.json cannot be used: " in message
    assert message.endswith("tool.json cannot be used: a JSON object was expected.")
    assert "sk-SECRET" not in message


def test_a_login_is_required_as_an_openai_error(scene: Scene) -> None:
    with pytest.raises(LoginRequired) as fault:
        scene.auth.credential("gemini")
    assert (fault.value.status, fault.value.code) == (401, "login_required")


def test_a_token_that_comes_late_is_seen_at_once(scene: Scene) -> None:
    scene.fault()
    scene.foreign("foreign", 60)  # no second has passed
    assert scene.offered() == "foreign"
    scene.own("own", 600)
    assert scene.offered() == "own"


def test_a_refused_token_gives_way_to_another_and_comes_back_never(scene: Scene) -> None:
    scene.own("own", 600)
    scene.foreign("foreign", 60)
    scene.refuse()
    assert scene.offered() == "foreign"
    scene.refuse()
    assert "refused" in scene.fault()
    scene.own("renewed", 600)
    assert scene.offered() == "renewed"
    scene.refuse()
    assert "refused" in scene.fault()


def test_the_same_token_renewed_for_another_time_is_still_refused(scene: Scene) -> None:
    scene.own("own", 60)
    scene.refuse()
    scene.own("own", 6000)
    assert "refused" in scene.fault()


def test_a_refusal_that_comes_late_does_not_touch_the_next_token(scene: Scene) -> None:
    scene.own("first", 60)
    first = scene.auth.credential("gemini")
    scene.own("second", 60)
    scene.auth.refused("gemini", first)
    assert scene.offered() == "second"


def test_a_key_and_nothing_are_offered_again_after_a_refusal(scene: Scene) -> None:
    for provider in ("openai", "ollama"):
        credential = scene.auth.credential(provider)
        scene.auth.refused(provider, credential)
        assert scene.auth.credential(provider) == credential


def test_threads_that_ask_and_refuse_end_with_every_token_refused(scene: Scene) -> None:
    scene.own("own", 600)
    scene.foreign("foreign", 60)

    def work(_: int) -> None:
        with contextlib.suppress(LoginRequired):
            while True:
                scene.refuse()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8), timeout=30))
    assert "refused" in scene.fault()


def test_no_repr_shows_a_secret(scene: Scene) -> None:
    scene.own("sk-SECRET", 600)
    scene.foreign("sk-SECRET", 600)
    shown = [scene.auth.credential("openai"), scene.auth.credential("gemini"), SOURCES, scene.auth, vars(scene.auth)]
    assert "SECRET" not in " ".join(f"{each} {each!r}" for each in shown)


def test_a_refused_token_is_marked_and_a_key_is_not(scene: Scene) -> None:
    scene.own("own", 60)
    assert scene.auth.refused("gemini", scene.auth.credential("gemini")) is True
    assert scene.auth.refused("openai", scene.auth.credential("openai")) is False
    assert scene.auth.refused("ollama", scene.auth.credential("ollama")) is False


def test_in_place_of_a_refused_token_there_may_be_another_one(scene: Scene) -> None:
    scene.own("own", 600)
    scene.foreign("foreign", 60)
    first = scene.auth.credential("gemini")
    second = scene.auth.renewed("gemini", first)
    assert second is not None
    assert second.secret == Secret("foreign")
    assert scene.auth.renewed("gemini", second) is None


def test_in_place_of_a_key_there_is_none(scene: Scene) -> None:
    assert scene.auth.renewed("openai", scene.auth.credential("openai")) is None
    assert scene.auth.credential("openai").secret == Secret("sk-SECRET")


# Logins ------------------------------------------------------------------------------------------------------------


class Down:
    """A login server that cannot be reached."""

    def __init__(self) -> None:
        self.asked = 0

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.asked += 1
        raise OAuthUnreachable("no connection within 5 s")


class LoginScene(Scene):
    """The same with a login that can be renewed, if its server could be reached."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = Down()
        watched = WatchedFiles([(self.file, WatchFile(path="~/tool.json"))], self.clock)
        source = StoredToken(OAuthSettings("gemini", "client-1"))
        clients = {"gemini": self.server}.__getitem__
        self.auth = AuthManager({"gemini": source}, self.store, watched, self.clock, clients=clients)

    def own(self, access: str, lives: float | None) -> None:
        expiry = None if lives is None else self.clock.wall() + lives
        self.store.put("gemini", Token(Secret(access), Secret("r"), expiry, {"obtainedAt": NOW - 3600}))


@pytest.fixture
def login(tmp_path: Path) -> LoginScene:
    return LoginScene(tmp_path)


def test_who_has_to_log_in_is_told_the_command(login: LoginScene) -> None:
    assert login.fault() == (
        "There is no token for gemini. A valid one is looked for in tokens.json or tool.json."
        " Run: python app.py login gemini"
    )
    assert login.server.asked == 0


def test_a_foreign_token_that_is_good_for_longer_spares_the_renewal(login: LoginScene) -> None:
    login.own("own", 60)
    login.foreign("foreign", 3600)
    assert login.offered() == "foreign"
    assert login.server.asked == 0


def test_a_foreign_token_stands_in_where_the_own_one_cannot_be_renewed(login: LoginScene) -> None:
    login.own("own", -60)
    login.foreign("foreign", 60)
    assert login.offered() == "foreign"
    assert login.server.asked == 1


def test_a_renewal_that_fails_is_told_with_the_time_of_the_next(login: LoginScene) -> None:
    login.own("own", -60)
    with pytest.raises(RenewalFailed) as fault:
        login.auth.credential("gemini")
    assert (fault.value.status, fault.value.retry_after) == (503, 60.0)
    assert fault.value.message == (
        "The token for gemini expired at 23:59 UTC on 2025-12-31. A valid one is looked for in tokens.json or"
        " tool.json. Its login server did not renew it: no connection within 5 s."
    )


# Other sources -----------------------------------------------------------------------------------------------------


class FakeSource:
    """Gives what the script says, the last of it for ever."""

    def __init__(self, *script: Token | SourceFailed) -> None:
        self.script = list(script)
        self.asked = 0

    def token(self) -> Token:
        self.asked += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, SourceFailed):
            raise step
        return step


class FetchScene:
    """A provider whose token a command prints, and one whose token stands in a file."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.command, self.file = FakeSource(self.lives("c1", 3600)), FakeSource(self.lives("f1", 3600))
        self.auth = AuthManager(
            {"azure": CommandSource(("az",)), "codex": TokenFileSource("auth.json"), "vertex": AdcSource()},
            TokenStore(folder / "tokens.json", self.clock),
            WatchedFiles([], self.clock),
            self.clock,
            token_sources={"azure": self.command, "codex": self.file, "vertex": self.command},
        )

    def lives(self, access: str, seconds: float | None) -> Token:
        return Token(Secret(access), None, None if seconds is None else self.clock.wall() + seconds)

    def offered(self, provider: str = "azure") -> str:
        secret = self.auth.credential(provider).secret
        assert secret is not None
        return secret.reveal()

    def fails(self, provider: str = "azure") -> str:
        with pytest.raises(LoginRequired) as fault:
            self.auth.credential(provider)
        assert (fault.value.status, fault.value.code) == (401, "login_required")
        return fault.value.message


@pytest.fixture
def fetch(tmp_path: Path) -> FetchScene:
    return FetchScene(tmp_path)


@pytest.mark.parametrize("provider", ["azure", "vertex"])
def test_a_fetched_token_is_kept_until_it_runs_out(fetch: FetchScene, provider: str) -> None:
    for _ in range(3):
        assert fetch.offered(provider) == "c1"
    fetch.clock.advance(3299)
    assert fetch.offered(provider) == "c1"
    assert fetch.command.asked == 1
    fetch.command.script = [fetch.lives("c2", 3600)]
    fetch.clock.advance(1)
    assert fetch.offered(provider) == "c2"
    assert fetch.command.asked == 2


def test_a_fetched_token_of_unknown_expiry_is_fetched_again_after_a_minute(fetch: FetchScene) -> None:
    fetch.command.script = [fetch.lives("c1", None), fetch.lives("c1", None), fetch.lives("c2", None)]
    for asked, expected in ((1, "c1"), (2, "c1"), (3, "c2")):
        assert fetch.offered() == fetch.offered() == expected
        assert fetch.command.asked == asked
        fetch.clock.advance(UNKNOWN_SECONDS)


def test_a_command_that_keeps_its_token_to_the_end_is_not_run_at_every_call(fetch: FetchScene) -> None:
    fetch.offered()
    fetch.clock.advance(3590)
    for _ in range(5):
        assert fetch.offered() == "c1"
    assert fetch.command.asked == 2
    fetch.command.script = [fetch.lives("c2", 3600)]
    fetch.clock.advance(FETCH_SECONDS)
    assert fetch.offered() == "c2"


def test_a_command_that_fails_is_told_and_run_again_ten_seconds_later(fetch: FetchScene) -> None:
    fetch.command.script = [SourceFailed("The command az failed: Please run az login."), fetch.lives("c2", 60)]
    assert fetch.fails() == "There is no token for azure. The command az failed: Please run az login."
    assert fetch.auth.status("azure").problem == "The command az failed: Please run az login."
    fetch.clock.advance(FETCH_SECONDS - 1)
    fetch.fails()
    assert fetch.command.asked == 1
    fetch.clock.advance(1)
    assert fetch.offered() == "c2"
    assert fetch.auth.status("azure").problem is None


def test_a_command_that_fails_in_good_time_costs_nothing_yet(fetch: FetchScene) -> None:
    fetch.offered()
    fetch.clock.advance(3590)
    fetch.command.script = [SourceFailed("No.")]
    assert fetch.offered() == "c1"
    fetch.clock.advance(5)
    assert "expired" in fetch.fails()


def test_a_fetched_token_that_is_refused_is_fetched_again(fetch: FetchScene) -> None:
    first = fetch.auth.credential("azure")
    fetch.command.script = [fetch.lives("c2", 3600)]
    assert fetch.auth.renewed("azure", first) is None, "it was fetched this moment"
    fetch.clock.advance(FETCH_SECONDS)
    second = fetch.auth.renewed("azure", first)
    assert second is not None
    assert second.secret == Secret("c2")
    assert fetch.command.asked == 2


def test_many_calls_are_one_run_of_the_command(fetch: FetchScene) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: fetch.offered(), range(16), timeout=30)) == {"c1"}
    assert fetch.command.asked == 1


def test_a_token_file_is_asked_each_time(fetch: FetchScene) -> None:
    fetch.file.script = [fetch.lives("f1", 3600), fetch.lives("f2", 3600)]
    assert [fetch.offered("codex"), fetch.offered("codex")] == ["f1", "f2"]
    refused = fetch.auth.credential("codex")
    fetch.file.script = [fetch.lives("f3", 3600)]
    better = fetch.auth.renewed("codex", refused)
    assert better is not None
    assert better.secret == Secret("f3")


def test_a_token_file_without_a_good_token_is_told(fetch: FetchScene) -> None:
    fetch.file.script = [SourceFailed("There is no token in auth.json.")]
    assert fetch.fails("codex") == "There is no token for codex. There is no token in auth.json."
    fetch.file.script = [fetch.lives("f1", -60)]
    assert fetch.fails("codex") == "The token for codex expired at 23:59 UTC on 2025-12-31."
    fetch.file.script = [fetch.lives("f2", 60)]
    assert fetch.offered("codex") == "f2"


# How things stand --------------------------------------------------------------------------------------------------


def test_the_status_of_what_needs_no_token(scene: Scene) -> None:
    assert scene.auth.status("openai") == CredentialStatus("api_key")
    assert scene.auth.status("ollama") == CredentialStatus("none")


def test_the_status_of_a_login(login: LoginScene) -> None:
    missing = CredentialStatus("token", problem="There is no token for gemini.", remedy="python app.py login gemini")
    assert login.auth.status("gemini") == missing
    login.own("own", 3600)
    assert login.auth.status("gemini") == CredentialStatus("token", NOW + 3600, NOW - 3600)
    login.clock.advance(3600)
    renewed_by_the_next_call = CredentialStatus("token", NOW + 3600, NOW - 3600)
    assert login.auth.status("gemini") == renewed_by_the_next_call
    assert login.server.asked == 0
    login.fault()
    status = login.auth.status("gemini")
    assert (status.problem, status.remedy) == ("Its login server did not renew it: no connection within 5 s.", None)


def test_the_status_of_a_login_that_nobody_can_renew(login: LoginScene) -> None:
    login.store.put("gemini", Token(Secret("own"), None, NOW - 60))
    status = login.auth.status("gemini")
    assert (status.problem, status.remedy) == (
        "The token for gemini expired at 23:59 UTC on 2025-12-31.",
        "python app.py login gemini",
    )


def test_the_status_of_a_command_runs_it_not(fetch: FetchScene) -> None:
    assert fetch.auth.status("azure") == CredentialStatus("token")
    assert fetch.command.asked == 0
    fetch.offered()
    assert fetch.auth.status("azure") == CredentialStatus("token", NOW + 3600, NOW)
