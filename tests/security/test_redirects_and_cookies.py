"""What an HTTP client likes to do by itself, and what nobody here wants: follow, remember, look into the user's files.

Each would send a key or a prompt where the configuration does not say. What the session does by itself is told in
tests/upstream/test_session.py; here it is the gateway as a whole, whatever its client is.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.errors import OAuthUnreachable
from tests.security.hostile import GOOGLE_KEY, KEY, Scene, refused, scene
from tests.support.auth_server import AuthServer, Raw
from tests.support.running import chat
from tests.support.upstream_script import ScriptedUpstream, Status

REDIRECTS = (301, 302, 303, 307, 308)
COOKIES = (("Set-Cookie", "session=of-another-caller; Path=/"), ("Set-Cookie2", "a=b"))


@pytest.fixture
def elsewhere() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


@pytest.mark.parametrize("model", ["oa", "gm"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_is_a_failure_of_the_provider_and_nobody_goes_there(
    one: Scene, elsewhere: ScriptedUpstream, status: int, streamed: bool, model: str
) -> None:
    for up in (one.openai, one.gemini):
        up.answers(lambda _: (Status(status, {"Location": f"{elsewhere.url}/v1/chat/completions"}, b"moved"),))
    reply = one.gateway.post(chat(model, stream=streamed))
    assert (reply.status_code, refused(reply)["code"]) == (502, "provider_invalid_response")
    assert elsewhere.connections == 0
    assert elsewhere.url not in f"{reply.text} {reply.headers}"


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_within_the_provider_is_not_followed_either(one: Scene, status: int) -> None:
    one.openai.answers(lambda _: (Status(status, {"Location": "/v1/elsewhere"}),))
    assert one.gateway.post(chat("oa")).status_code == 502
    assert {request.path for request in one.openai.requests} == {"/v1/chat/completions"}


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_device_login_is_not_led_elsewhere(elsewhere: ScriptedUpstream, status: int) -> None:
    """Nor is a token request: tests/auth/test_oauth_client.py."""
    with AuthServer(client_secret="s3cret") as server:
        server.next_device_answers = [Raw(status, {"Location": f"{elsewhere.url}/device"}, b"moved")]
        client = OAuthClient(server.settings(), {})
        try:
            with pytest.raises(OAuthUnreachable, match="redirect"):
                client.start_device()
        finally:
            client.close()
    assert elsewhere.connections == 0


@pytest.mark.parametrize("model", ["oa", "gm"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_providers_cookie_reaches_no_caller_and_does_not_come_back(one: Scene, model: str, streamed: bool) -> None:
    one.openai.plays(Status(429, COOKIES, b"{}"))
    one.gemini.plays(Status(429, COOKIES, b"{}"))
    answer = Status(200, COOKIES, b'{"choices": [{"message": {"content": "Hi."}}]}')
    one.openai.plays(answer)
    one.gemini.plays(Status(200, COOKIES, b'{"candidates": [{"content": {"parts": [{"text": "Hi."}]}}]}'))
    for _ in range(3):
        reply = one.gateway.post(chat(model, stream=streamed))
        assert "set-cookie" not in reply.headers and "set-cookie2" not in reply.headers
        assert "of-another-caller" not in reply.text
    sent = [*one.openai.requests, *one.gemini.requests]
    assert len(sent) >= 3 and not any("cookie" in request.headers for request in sent)


def test_a_callers_cookie_and_credentials_reach_no_provider(one: Scene) -> None:
    shown = {
        "cookie": "theirs=1",
        "authorization": "Bearer sk-theirs",
        "x-api-key": "theirs",
        "referer": "http://theirs",
    }
    for model in ("oa", "gm"):
        one.gateway.post(chat(model), headers=shown)
    for request in (*one.openai.requests, *one.gemini.requests):
        assert "theirs" not in str(request.headers)


def test_a_netrc_file_and_a_proxy_in_the_environment_change_nothing(
    elsewhere: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login thief password stolen\ndefault login a password b\n")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, elsewhere.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with scene() as one:
        for model in ("oa", "gm"):
            assert one.gateway.post(chat(model)).status_code == 200
        (openai,), (gemini,) = one.openai.requests, one.gemini.requests
    assert openai.headers["authorization"] == f"Bearer {KEY}"
    assert (gemini.headers["x-goog-api-key"], gemini.headers.get("authorization")) == (GOOGLE_KEY, None)
    assert elsewhere.connections == 0
