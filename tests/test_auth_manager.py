"""Which credential a call goes out with, and what is said where there is none."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.auth.auth_manager import (
    ApiKey,
    AuthManager,
    Credential,
    CredentialSource,
    NoCredential,
    StoredToken,
    fingerprint,
)
from gateway.auth.token_file import Token
from gateway.auth.token_store import TokenStore
from gateway.auth.watch_files import WatchedFiles
from gateway.config.schema import WatchFile
from gateway.core.errors import LoginRequired
from gateway.core.secrets import Secret
from tests.fakes import FakeClock

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
