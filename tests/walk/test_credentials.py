"""Every way to authenticate, through a whole gateway: what the configuration says is what the provider is sent."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.observe.logs import set_up
from tests.support.auth_server import AuthServer
from tests.support.running import Running, chat, provider, running
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Step, healthy

SECRET = "s3cret-of-the-client"


class Bearers:
    """A provider that answers who shows one of these tokens."""

    def __init__(self, *good: str) -> None:
        self.good = set(good)

    def __call__(self, request: Request) -> tuple[Step, ...]:
        if request.headers.get("authorization", "").removeprefix("Bearer ") in self.good:
            return tuple(healthy(request))
        return (Json(401, {"error": {"message": "bad token"}}),)


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret=SECRET) as serving:
        yield serving


def config(up: ScriptedUpstream, settings: Mapping[str, object], **auth: object) -> dict[str, object]:
    return {"providers": {"acme": provider(up.base_url, **settings)}, "auth": auth}


def ask(gateway: Running) -> int:
    return gateway.post(chat("acme/m")).status_code


def sent(up: ScriptedUpstream, header: str = "authorization") -> list[str | None]:
    return [request.headers.get(header) for request in up.requests]


def login(server: AuthServer) -> dict[str, object]:
    """The settings of a client of that server."""
    return {
        "clientId": server.client_id,
        "clientSecret": SECRET,
        "authEndpoint": server.authorization_endpoint,
        "tokenEndpoint": server.token_endpoint,
    }


def written(path: Path, **token: object) -> str:
    path.write_text(json.dumps(token))
    path.chmod(0o600)
    return str(path)


# Keys --------------------------------------------------------------------------------------------------------------


def test_a_key_in_a_variable_goes_out_in_its_own_header(up: ScriptedUpstream) -> None:
    settings = {"apiKeyEnv": "MY_KEY", "apiKeyHeader": "api-key"}
    with running(config(up, settings), {"MY_KEY": "key-1234"}) as gateway:
        assert ask(gateway) == 200
    assert (sent(up, "api-key"), sent(up)) == (["key-1234"], [None])


def test_a_quota_project_goes_out(up: ScriptedUpstream) -> None:
    with running(config(up, {"apiKey": "key-1234", "quotaProject": "my-project"})) as gateway:
        assert ask(gateway) == 200
    assert sent(up, "x-goog-user-project") == ["my-project"]


# Files and programs ------------------------------------------------------------------------------------------------


def test_a_token_file_is_used_and_its_next_token_takes_the_place_of_a_refused_one(
    up: ScriptedUpstream, tmp_path: Path
) -> None:
    file = tmp_path / "token.json"
    bearers = Bearers("first")
    up.answers(bearers)
    with running(config(up, {"tokenFile": written(file, accessToken="first")})) as gateway:
        assert ask(gateway) == 200
        bearers.good = {"second"}
        written(file, accessToken="second")
        assert ask(gateway) == 200
    assert sent(up)[-1] == "Bearer second"


def test_a_token_file_that_is_missing_is_told_and_seen_when_it_comes(up: ScriptedUpstream, tmp_path: Path) -> None:
    file = tmp_path / "token.json"
    settings = {"tokenFile": {"path": str(file), "accessTokenPath": "a.b"}}
    with running(config(up, settings)) as gateway:
        answer = gateway.post(chat("acme/m"))
        assert answer.status_code in (401, 503)
        assert "token.json" in answer.text
        assert str(tmp_path) not in answer.text
    assert up.requests == []
    written(file, a={"b": "mine"})
    with running(config(up, settings)) as gateway:
        assert ask(gateway) == 200
    assert sent(up) == ["Bearer mine"]


def test_a_token_is_printed_once_and_kept(up: ScriptedUpstream, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x'); print('printed-token')"
    with running(config(up, {"command": [sys.executable, "-c", code]})) as gateway:
        assert [ask(gateway), ask(gateway)] == [200, 200]
    assert sent(up) == ["Bearer printed-token"] * 2
    assert runs.read_text() == "x"


def test_googles_default_credentials_are_renewed_and_name_the_project(
    up: ScriptedUpstream, server: AuthServer, tmp_path: Path
) -> None:
    adc = written(
        tmp_path / "adc.json",
        type="authorized_user",
        client_id=server.client_id,
        client_secret=SECRET,
        refresh_token=server.grants.login()["refresh_token"],
        token_uri=server.token_endpoint,
        quota_project_id="my-project",
    )
    with running(config(up, {"authType": "adc"}), {"GOOGLE_APPLICATION_CREDENTIALS": adc}) as gateway:
        assert [ask(gateway), ask(gateway)] == [200, 200]
    assert server.count("refresh_token") == 1
    tokens = [(value or "").removeprefix("Bearer ") for value in sent(up)]
    assert [server.check(token) for token in tokens] == [True, True]
    assert sent(up, "x-goog-user-project") == ["my-project"] * 2


# Logins ------------------------------------------------------------------------------------------------------------


def test_a_stored_login_is_renewed_when_it_has_run_out(
    up: ScriptedUpstream, server: AuthServer, tmp_path: Path
) -> None:
    refresh = server.grants.login()["refresh_token"]
    old = {"accessToken": "old", "refreshToken": refresh, "expiresAt": time.time() - 60}
    store = written(tmp_path / "tokens.json", version=1, credentials={"acme": old})
    with running(config(up, login(server), tokenStorePath=store)) as gateway:
        assert [ask(gateway), ask(gateway)] == [200, 200]
    assert server.count("refresh_token") == 1
    assert all(server.check((value or "").removeprefix("Bearer ")) for value in sent(up))


def test_a_login_without_a_token_says_what_to_run(up: ScriptedUpstream, server: AuthServer, tmp_path: Path) -> None:
    with running(config(up, login(server), tokenStorePath=str(tmp_path / "tokens.json"))) as gateway:
        answer = gateway.post(chat("acme/m"))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "login_required"
    assert "python app.py login acme" in answer.json()["error"]["message"]


def test_a_watched_file_lends_its_token_and_never_loses_its_refresh_token(
    up: ScriptedUpstream, server: AuthServer, tmp_path: Path
) -> None:
    theirs = server.grants.login()
    file = tmp_path / "other.json"
    written(file, access_token="expired", refresh_token=theirs["refresh_token"], expires_at=time.time() - 60)
    auth = {"tokenStorePath": str(tmp_path / "tokens.json"), "watchFiles": [{"path": str(file), "provider": "acme"}]}
    with running(config(up, login(server), **auth)) as gateway:
        assert ask(gateway) == 401
        written(file, access_token="renewed-by-its-owner", expires_at=time.time() + 600)
        assert ask(gateway) == 200
    assert sent(up) == ["Bearer renewed-by-its-owner"]
    assert server.count("refresh_token") == 0


def test_our_own_store_is_no_watched_file(up: ScriptedUpstream, server: AuthServer, tmp_path: Path) -> None:
    store = written(tmp_path / "tokens.json", version=1, credentials={"acme": {"accessToken": "own-token"}})
    auth = {"tokenStorePath": store, "watchFiles": [{"path": store, "provider": "acme"}]}
    with running(config(up, login(server), **auth)) as gateway:
        assert gateway.gateway.assembly.watched.names == ()
        assert ask(gateway) == 200


# What the log may show ---------------------------------------------------------------------------------------------


def test_every_secret_is_masked_in_the_log_before_it_goes_out(
    up: ScriptedUpstream, server: AuthServer, tmp_path: Path
) -> None:
    refresh = str(server.grants.login()["refresh_token"])
    old = {"accessToken": "old-access-token", "refreshToken": refresh, "expiresAt": time.time() - 60}
    store = written(tmp_path / "tokens.json", version=1, credentials={"acme": old})
    text = io.StringIO()
    root, own = logging.getLogger(), logging.getLogger("gateway")
    before = root.level, own.level
    with running(config(up, login(server), tokenStorePath=store)) as gateway:
        handler = set_up("debug", "pretty", gateway.gateway.runtime.masker, text)
        try:
            known = {secret.reveal() for secret in gateway.gateway.assembly.secrets()}
            page_token = gateway.gateway.runtime.page_token.reveal()
            assert known == {SECRET, "old-access-token", refresh, page_token}
            assert ask(gateway) == 200
            new = (sent(up)[0] or "").removeprefix("Bearer ")
            kept = json.loads(Path(store).read_text())["credentials"]["acme"]["refreshToken"]
            own.warning("%s", " ".join([*sorted(known), new, kept]))
        finally:
            root.removeHandler(handler)
            root.setLevel(before[0])
            own.setLevel(before[1])
    assert text.getvalue().splitlines()[-1].endswith(" ".join(["***"] * 6))
