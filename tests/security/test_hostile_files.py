"""Token files of other tools, our own, and what authorization servers answer: none of it is trusted for being there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.oauth.endpoint import OAuthResponse
from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.responses import read_device_grant, read_fields, read_token_reply
from gateway.auth.oauth.token_reply import TokenReply
from gateway.auth.sources import SourceFailed, TokenFileSource
from gateway.auth.token_file_reader import TokenFileReader
from gateway.auth.tokens.polled_file import MAX_FILE
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.config.token_files import WatchFile
from gateway.core.secrets import Secret
from tests.security.substitutions import substituted
from tests.support.cases import each_case
from tests.support.fakes import FakeClock

CANARY = "ya29.canary-0123456789"
STORE = {
    "version": 1,
    "credentials": {
        "x": {
            "accessToken": CANARY,
            "refreshToken": "1//canary",
            "expiresAt": 1_900_000_000,
            "scope": "a",
            "e": {"f": [1]},
        }
    },
}
FOREIGN = {
    "x": {
        "access_token": CANARY,
        "refresh_token": "1//canary",
        "expiry_date": 1_900_000_000_000,
        "id_token": "eyJ.e30.x",
    },
    "tokens": {"access_token": CANARY, "account_id": "a"},
    "OPENAI_API_KEY": None,
    "last_refresh": "2026-01-01T00:00:00Z",
}
TOKENS = {
    "access_token": CANARY,
    "refresh_token": "1//canary",
    "expires_in": 3600,
    "token_type": "Bearer",
    "x": {"y": 1},
}
GRANT = {
    "device_code": "canary-device",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://login.example/device",
    "verification_uri_complete": "https://login.example/device?code=ABCD-EFGH",
    "expires_in": 900,
    "interval": 5,
}
NO = {"error": "invalid_grant", "error_description": f"the token {CANARY} is unknown", "interval": 5, "error_uri": "x"}
SENDABLE = re.compile(r"[\x21-\x7e]+")
HOSTILE = {
    "nothing": b"",
    "blank": b" \n",
    "half": json.dumps(STORE).encode()[:60],
    "deep": b"[" * 100_000,
    "deep objects": b'{"credentials":' * 5_000 + b"1" + b"}" * 5_000,
    "crowd": b"[" + b"[]," * 20_000 + b"0]",
    "large": b'"%b"' % (b"x" * MAX_FILE),
    "NaN": b'{"version": 1, "credentials": {"x": {"accessToken": "%b", "expiresAt": NaN}}}' % CANARY.encode(),
    "number": b'{"version": 1, "credentials": {"x": {"accessToken": "%b", "expiresAt": 1%b}}}'
    % (CANARY.encode(), b"0" * 5_000),
    "surrogate": b'{"version": 1, "credentials": {"x": {"accessToken": "%b\\ud800"}}}' % CANARY.encode(),
    "utf-16": json.dumps(STORE).encode("utf-16"),
    "binary": bytes(range(256)) * 8,
    "line end": json.dumps({"x": {"access_token": f"{CANARY}\r\nX-Evil: 1"}}).encode(),
    "yaml": b"!!python/object/apply:os.system ['true']",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "tokens.json"


def told(file: Path) -> list[Token]:
    """What anyone makes of that file. Nothing is raised but what is meant to be, and no problem quotes the content."""
    clock = FakeClock()
    store = TokenStore(file, clock)
    found = [store.get("x"), store.get("")]
    said = [store.problem or ""]
    for provider in (None, "x"):
        watched = WatchedFiles([(file, WatchFile(path=file.name, provider=provider))], clock)
        for _ in range(3):
            found += watched.tokens("x")
            clock.advance(60)
        said += watched.problems()
    try:
        found.append(TokenFileReader("x", file, TokenFileSource(str(file)), clock).token())
    except SourceFailed as failed:
        said.append(str(failed))
    assert all("canary" not in words and words.isprintable() for words in said)
    tokens = [token for token in found if token is not None]
    for token in tokens:
        secrets = (token.access_token, token.refresh_token)
        assert all(SENDABLE.fullmatch(secret.reveal()) for secret in secrets if secret is not None)
        assert token.expires_at is None or 0 <= token.expires_at < 1e12
        assert "canary" not in repr(token)
    return tokens


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_none_gives_no_token_and_no_crash(file: Path, name: str) -> None:
    file.write_bytes(HOSTILE[name])
    assert told(file) == []


@pytest.mark.parametrize("value", [STORE, FOREIGN], ids=["ours", "theirs"])
def test_any_value_in_any_place_of_a_file_gives_a_sound_token_or_none(file: Path, value: Any) -> None:
    for where, other in substituted(value):
        file.write_text(json.dumps(other))
        try:
            told(file)
        except Exception as fault:
            raise AssertionError(where) from fault


@given(st.binary(max_size=60))
def test_any_bytes_in_a_file_are_no_crash(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    told(file)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_login_over_a_file_that_is_none_is_kept_and_the_file_too(tmp_path: Path, name: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_bytes(HOSTILE[name])
    store = TokenStore(file, FakeClock())
    store.put("x", Token(Secret("new")))
    assert (found := TokenStore(file, FakeClock()).get("x")) is not None and found.access_token.reveal() == "new"
    if name not in ("line end", "binary"):
        json.loads(file.read_bytes())


@pytest.mark.parametrize("status", [200, 400, 428, 500])
@pytest.mark.parametrize("answer", [TOKENS, GRANT, NO], ids=["tokens", "grant", "no"])
def test_any_value_in_any_place_of_a_servers_answer_is_sound_or_a_refusal(answer: Any, status: int) -> None:
    for where, other in substituted(answer):
        content = json.dumps(other).encode()
        try:
            judge(OAuthResponse(status, "application/json", content))
        except Exception as fault:
            raise AssertionError(where) from fault


@each_case("name", HOSTILE)
@each_case("kind", ["application/json", "application/x-www-form-urlencoded", "text/html", ""])
def test_an_answer_that_is_none_is_a_refusal(name: str, kind: str) -> None:
    judge(OAuthResponse(200, kind, HOSTILE[name]))


def judge(answer: OAuthResponse) -> None:
    """What is taken can be sent, shown or waited for; what is said of the rest holds no secret."""
    for read in (read_token_reply, read_device_grant):
        try:
            found = read(read_fields(answer, "https://login.example/token", (Secret(CANARY),)))
        except (OAuthRefused, OAuthUnreachable) as refused:
            assert "canary" not in str(refused) and str(refused).isprintable() and len(str(refused)) < 600
            continue
        if isinstance(found, TokenReply):
            assert SENDABLE.fullmatch(found.access_token.reveal())
        else:
            assert found.interval > 0 and found.expires_in > 0 and found.user_code.isprintable()
            assert found.verification_uri.startswith(("http://", "https://")) and found.verification_uri.isprintable()
