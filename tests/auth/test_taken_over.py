"""What the credentials of a configuration go on with from the one before."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.auth.auth_manager import AuthManager
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.sources import AdcSource, CommandSource, CredentialSource, StoredToken
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.errors import LoginRequired
from gateway.core.secrets import Secret
from tests.auth.test_renewal import HOUR, NOW, SETTINGS, FakeServer, reply
from tests.support.fakes import FakeClock

LIMIT = 20.0


class Program:
    """A command that prints a token, and counts how often it was run."""

    def __init__(self) -> None:
        self.runs = 0

    def token(self) -> Token:
        self.runs += 1
        return Token(Secret(f"printed-{self.runs}"), None, NOW + HOUR)


class Scene:
    """A store and a program, and managers of one configuration after the other."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.store = TokenStore(folder / "tokens.json", self.clock)
        self.store.put("acme", token_from(reply(1), NOW))
        self.server = FakeServer()
        self.program = Program()

    def manager(
        self, sources: Mapping[str, CredentialSource], earlier: AuthManager | None, store: TokenStore | None = None
    ) -> AuthManager:
        return AuthManager(
            sources,
            store or self.store,
            WatchedFiles([], self.clock),
            self.clock,
            clients=lambda _: self.server,
            token_sources={"gcloud": self.program, "adc": self.program},
            random=lambda: 0.0,
            earlier=earlier,
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


SOURCES: Mapping[str, CredentialSource] = {"acme": StoredToken(SETTINGS), "gcloud": CommandSource(("print", "token"))}


def offered(manager: AuthManager, provider: str) -> str:
    secret = manager.credential(provider).secret
    assert secret is not None
    return secret.reveal()


def test_a_command_is_not_run_again(scene: Scene) -> None:
    first = scene.manager(SOURCES, None)
    assert offered(first, "gcloud") == "printed-1"
    second = scene.manager(SOURCES, first)
    assert offered(second, "gcloud") == "printed-1"
    other = scene.manager({"gcloud": CommandSource(("print", "another"))}, second)
    assert offered(other, "gcloud") == "printed-2", "another command is run"
    assert offered(scene.manager({"gcloud": AdcSource()}, other), "gcloud") == "printed-3"


def test_a_refused_token_stays_refused(scene: Scene) -> None:
    first = scene.manager({"acme": StoredToken()}, None)
    first.refused("acme", first.credential("acme"))
    second = scene.manager({"acme": StoredToken(), "gcloud": SOURCES["gcloud"]}, first)
    with pytest.raises(LoginRequired, match="has refused its token"):
        second.credential("acme")
    assert scene.manager({"acme": StoredToken(SETTINGS)}, second).credential("acme"), "another login is asked anew"


def test_another_store_has_its_own(scene: Scene, tmp_path: Path) -> None:
    first = scene.manager({"acme": StoredToken()}, None)
    first.refused("acme", first.credential("acme"))
    elsewhere = TokenStore(tmp_path / "elsewhere.json", scene.clock)
    elsewhere.put("acme", token_from(reply(1), NOW))
    assert scene.manager({"acme": StoredToken()}, first, elsewhere).credential("acme")


def test_a_renewal_that_runs_is_waited_for_and_not_repeated(scene: Scene) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> TokenReply:
        asked.set()
        assert go_on.wait(LIMIT)
        return reply(2)

    scene.server.script = [slow]
    scene.clock.advance(HOUR - 10)
    first = scene.manager(SOURCES, None)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(offered, first, "acme")
        assert asked.wait(LIMIT)
        second = scene.manager(SOURCES, first)
        after = pool.submit(offered, second, "acme")
        go_on.set()
        assert before.result(LIMIT) == after.result(LIMIT) == "a2"
    assert scene.server.spent == ["r1"]
