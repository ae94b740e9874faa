"""Google's application default credentials: their path, their cost, and the messages where they do not work."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.auth.adc import CLOUD_PLATFORM, FILE, TOKEN_ENDPOINT, AdcTokens, adc_path
from gateway.auth.oauth.errors import OAuthError, OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.auth.sources import AdcSource, SourceFailed
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret
from tests.support.fakes import FakeClock

NOW = 1_767_225_600.0
LOGIN = {
    "type": "authorized_user",
    "client_id": "id",
    "client_secret": "secret-SECRET",
    "refresh_token": "refresh-SECRET",
    "quota_project_id": "my-project",
    "account": "",
    "universe_domain": "googleapis.com",
}


class Google:
    """Stands in for the client: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.settings: list[OAuthSettings] = []
        self.sent: list[str] = []
        self.closed = 0
        self.answer: TokenReply | OAuthError = TokenReply(Secret("ya29.a"), None, 3599)

    def __call__(self, settings: OAuthSettings) -> "Google":
        self.settings.append(settings)
        return self

    def refresh(self, refresh_token: Secret) -> TokenReply:
        self.sent.append(refresh_token.reveal())
        if isinstance(self.answer, OAuthError):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed += 1


class Scene:
    """A file, and the source that reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.google = Google()
        self.signed: list[tuple[Path, Sequence[str]]] = []
        self.environ = {"CLOUDSDK_CONFIG": str(folder)}
        self.tokens = self.of(AdcSource())

    def of(self, source: AdcSource) -> AdcTokens:
        return AdcTokens(source, self.environ, FakeClock(NOW), client=self.google, library=self.library)

    def library(self, path: Path, scopes: Sequence[str]) -> Token:
        self.signed.append((path, scopes))
        return Token(Secret("signed"))

    def write(self, **fields: object) -> None:
        self.path.write_text(json.dumps({**LOGIN, **fields}))

    def fault(self) -> str:
        with pytest.raises(SourceFailed) as caught:
            self.tokens.token()
        assert "SECRET" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# Where it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "windows", "expected"),
    [
        ({"GOOGLE_APPLICATION_CREDENTIALS": "/k/key.json", "CLOUDSDK_CONFIG": "/c"}, False, Path("/k/key.json")),
        ({"GOOGLE_APPLICATION_CREDENTIALS": " ", "CLOUDSDK_CONFIG": "/c", "HOME": "/h"}, False, Path("/c", FILE)),
        ({"CLOUDSDK_CONFIG": "/c", "APPDATA": "/r"}, True, Path("/c", FILE)),
        ({"APPDATA": "/r", "HOME": "/h"}, True, Path("/r/gcloud", FILE)),
        ({"APPDATA": "/r", "HOME": "/h"}, False, Path("/h/.config/gcloud", FILE)),
        ({"HOME": "/h"}, True, Path("/h/.config/gcloud", FILE)),
    ],
)
def test_the_file_is_where_gcloud_puts_it(environ: dict[str, str], windows: bool, expected: Path) -> None:
    assert adc_path(environ, windows=windows) == expected


def test_a_home_folder_is_found_without_the_variable() -> None:
    assert adc_path({}, windows=False) == Path(os.path.expanduser("~"), ".config", "gcloud", FILE)
    assert adc_path({"GOOGLE_APPLICATION_CREDENTIALS": "~/k"}) == Path(os.path.expanduser("~"), "k")


# A person's login --------------------------------------------------------------------------------------------------


def test_a_login_is_renewed_with_what_the_file_holds(scene: Scene) -> None:
    scene.write()
    assert scene.tokens.token() == Token(Secret("ya29.a"), None, NOW + 3599)
    (settings,) = scene.google.settings
    assert (settings.client_id, settings.client_secret, settings.token_endpoint, settings.auth_method) == (
        "id",
        Secret("secret-SECRET"),
        TOKEN_ENDPOINT,
        "client_secret_post",
    )
    assert scene.google.sent == ["refresh-SECRET"]
    assert scene.google.closed == 1


def test_the_file_is_never_written(scene: Scene) -> None:
    scene.write()
    scene.google.answer = TokenReply(Secret("a"), Secret("rotated"), 60)
    before = scene.path.read_bytes()
    assert scene.tokens.token().refresh_token is None
    assert scene.path.read_bytes() == before


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ("https://sts.example/token", "https://sts.example/token"),
        ("http://127.0.0.1:9/token", "http://127.0.0.1:9/token"),
        ("http://sts.example/token", TOKEN_ENDPOINT),
        ("file:///etc/passwd", TOKEN_ENDPOINT),
        ("https://[", TOKEN_ENDPOINT),
        ("", TOKEN_ENDPOINT),
        (7, TOKEN_ENDPOINT),
    ],
)
def test_another_token_endpoint_is_used_only_where_nobody_can_read_along(scene: Scene, told: object, used: str) -> None:
    scene.write(token_uri=told)
    scene.tokens.token()
    assert [settings.token_endpoint for settings in scene.google.settings] == [used]


def test_a_refused_login_says_what_to_do_and_is_not_tried_again_until_the_file_changes(scene: Scene) -> None:
    scene.write()
    scene.google.answer = OAuthRefused("invalid_grant", "Token has been expired or revoked.")
    for _ in range(3):
        assert "gcloud auth application-default login" in scene.fault()
    assert len(scene.google.sent) == 1
    scene.google.answer = TokenReply(Secret("new"))
    scene.write(refresh_token="other-SECRET")
    assert scene.tokens.token() == Token(Secret("new"))
    assert scene.google.closed == 2


def test_a_google_out_of_reach_is_asked_again(scene: Scene) -> None:
    scene.write()
    scene.google.answer = OAuthUnreachable("no connection")
    for _ in range(2):
        assert "no connection" in scene.fault()
    scene.google.answer = TokenReply(Secret("a"))
    assert scene.tokens.token() == Token(Secret("a"))
    assert scene.google.closed == 3


# What calls are billed to ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("project", [None, 7, "", "a b", "a\r\nb", "x" * 257])
def test_a_project_that_cannot_be_sent_is_none(scene: Scene, project: object) -> None:
    scene.write(quota_project_id=project)
    scene.tokens.token()
    assert scene.tokens.quota_project is None


def test_the_quota_project_is_the_files_or_the_environments(scene: Scene) -> None:
    assert scene.tokens.quota_project is None
    scene.write()
    scene.tokens.token()
    assert scene.tokens.quota_project == "my-project"
    scene.environ["GOOGLE_CLOUD_QUOTA_PROJECT"] = "other"
    scene.tokens.token()
    assert scene.tokens.quota_project == "other"


# Other types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["service_account", "external_account", "impersonated_service_account"])
def test_what_is_signed_with_is_left_to_googles_library(scene: Scene, kind: str) -> None:
    scene.write(type=kind)
    assert scene.tokens.token() == Token(Secret("signed"))
    assert scene.of(AdcSource(("s1", "s2"))).token() == Token(Secret("signed"))
    assert scene.signed == [(scene.path, (CLOUD_PLATFORM,)), (scene.path, ("s1", "s2"))]
    assert scene.google.sent == []


def without_library(scene: Scene) -> AdcTokens:
    return AdcTokens(AdcSource(), scene.environ, FakeClock(NOW), client=scene.google)


def test_without_googles_library_the_message_says_so(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(type="service_account")
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(SourceFailed, match="pip install google-auth"):
        without_library(scene).token()


class Signer:
    """What Google's library gives for a file."""

    def __init__(self, expiry: datetime | None, fault: Exception | None = None) -> None:
        self.token: str | None = None
        self.expiry = expiry
        self._fault = fault

    def refresh(self, request: object) -> None:
        if self._fault:
            raise self._fault
        self.token = "signed"


def install(monkeypatch: pytest.MonkeyPatch, signer: Signer) -> None:
    auth = SimpleNamespace(load_credentials_from_file=lambda path, scopes: (signer, "project"))
    monkeypatch.setitem(sys.modules, "google.auth", auth)
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", SimpleNamespace(Request=object))


@pytest.mark.parametrize(("expiry", "seconds"), [(datetime(2026, 1, 1), NOW), (None, None)])  # noqa: DTZ001 - as it has it
def test_with_googles_library_it_signs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, expiry: datetime | None, seconds: float | None
) -> None:
    scene.write(type="service_account")
    install(monkeypatch, Signer(expiry))
    assert without_library(scene).token() == Token(Secret("signed"), None, seconds)


def test_a_failure_of_googles_library_is_told_without_its_text(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(type="service_account")
    install(monkeypatch, Signer(None, ValueError("SECRET")))
    with pytest.raises(SourceFailed, match=r"\(ValueError\)") as caught:
        without_library(scene).token()
    assert "SECRET" not in str(caught.value)


# What is wrong -----------------------------------------------------------------------------------------------------


def test_no_file_says_how_to_get_one(scene: Scene) -> None:
    assert scene.fault() == f"There is no {FILE} of Google's application default credentials: {LOGIN_COMMAND}."


LOGIN_COMMAND = "run `gcloud auth application-default login`"


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_a_login_that_lacks_something_is_told(scene: Scene, name: str, value: object) -> None:
    scene.write(**{name: value})
    assert f"has no {name};" in scene.fault()
    assert scene.google.sent == []


@pytest.mark.parametrize(
    "content", ["", "[]", '{"type": "SECRET"', "{}", '{"type": "SECRET"}', '{"type": 7}', '{"type": []}']
)
def test_a_file_that_is_something_else_is_told(scene: Scene, content: str) -> None:
    scene.path.write_text(content)
    assert scene.fault().startswith(FILE)


def test_a_folder_or_a_name_that_is_none_is_told(scene: Scene) -> None:
    scene.path.mkdir()
    assert scene.fault() == f"{FILE} cannot be used: it is not a regular file."
    scene.environ["GOOGLE_APPLICATION_CREDENTIALS"] = "a\0b"
    assert "cannot be read" in scene.fault()


def test_no_repr_shows_a_secret(scene: Scene) -> None:
    scene.write()
    shown = [scene.tokens.token(), scene.tokens, vars(scene.tokens), scene.google.settings]
    assert "SECRET" not in repr(shown)
