"""The OAuth client against a real server: its requests, its reading of each response, and no secret in a message."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace

import pytest
import requests

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.http import MAX_RESPONSE, OAuthHttp
from gateway.auth.oauth.pkce import new_pkce
from gateway.auth.oauth.settings import AuthMethod, OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.secrets import Secret
from tests.support.auth_server import AuthServer
from tests.support.auth_sockets import Fault, Raw
from tests.support.cases import each_case
from tests.support.fakes import FakeClock
from tests.support.ports import free_port, open_listener
from tests.support.upstream_script import Body, Cut, Head, Json, ScriptedUpstream, Send, Stall

SPECIAL = 's:/ +%&=ü"é%41\\end'
REDIRECT = "http://127.0.0.1:7777/callback"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret="s3cret-of-the-client") as running:
        yield running


@pytest.fixture
def client(server: AuthServer) -> Iterator[OAuthClient]:
    with closing(OAuthClient(server.settings(), {})) as made:
        yield made


def client_of(settings: OAuthSettings) -> closing[OAuthClient]:
    return closing(OAuthClient(settings, {}))


def logged_in(server: AuthServer) -> Secret:
    """A refresh token of a login that has taken place."""
    return Secret(str(server.grants.login()["refresh_token"]))


def authorized(server: AuthServer, **more: str) -> Secret:
    """The code that the server's browser redirect brings."""
    query = {"response_type": "code", "client_id": server.client_id, "redirect_uri": REDIRECT, "state": "st", **more}
    got = requests.get(server.authorization_endpoint, params=query, allow_redirects=False, timeout=10)
    fields = dict(each.split("=") for each in got.headers["Location"].partition("?")[2].split("&"))
    assert fields["state"] == "st"
    return Secret(fields["code"])


def json_of(value: object, status: int = 200, content_type: str = "application/json") -> Raw:
    return Raw(status, {"Content-Type": content_type}, json.dumps(value).encode())


def refreshed(client: OAuthClient) -> TokenReply:
    return client.refresh(Secret("rt-anything"))


# What is sent


def test_a_device_login_goes_from_the_code_to_a_token_that_opens_the_api(
    server: AuthServer, client: OAuthClient
) -> None:
    grant = client.start_device()
    assert (grant.verification_uri, grant.expires_in, grant.interval) == (f"{server.url}/device", 900, 5)
    assert grant.verification_uri_complete == f"{server.url}/device?user_code={grant.user_code}"
    with pytest.raises(OAuthRefused) as pending:
        client.poll_device(grant.device_code)
    assert pending.value.code == "authorization_pending"
    server.approve(grant.user_code)
    reply = client.poll_device(grant.device_code)
    assert server.check(reply.access_token.reveal())
    assert reply.refresh_token
    assert reply.expires_in == 3600
    assert reply.extra == {"scope": "chat offline_access"}


def test_a_device_login_can_carry_pkce(server: AuthServer, client: OAuthClient) -> None:
    pkce = new_pkce()
    grant = client.start_device(pkce.challenge)
    server.approve(grant.user_code)
    with pytest.raises(OAuthRefused, match="code_verifier"):
        client.poll_device(grant.device_code)
    assert server.check(client.poll_device(grant.device_code, pkce.verifier).access_token.reveal())


def test_a_code_is_exchanged_with_its_verifier(server: AuthServer, client: OAuthClient) -> None:
    pkce = new_pkce()
    code = authorized(server, code_challenge=pkce.challenge, code_challenge_method="S256")
    assert server.check(client.exchange(code, REDIRECT, pkce.verifier).access_token.reveal())
    with pytest.raises(OAuthRefused) as again:
        client.exchange(code, REDIRECT, pkce.verifier)
    assert again.value.code == "invalid_grant"


def test_a_code_is_exchanged_without_pkce_where_none_was_asked_for(server: AuthServer, client: OAuthClient) -> None:
    assert client.exchange(authorized(server), REDIRECT, None).refresh_token
    assert "code_verifier" not in server.received("/token")[0].fields


def test_a_renewal_brings_both_tokens_anew(server: AuthServer, client: OAuthClient) -> None:
    first = logged_in(server)
    reply = client.refresh(first)
    assert server.check(reply.access_token.reveal())
    assert reply.refresh_token not in (None, first)


def test_without_rotation_a_renewal_brings_no_refresh_token(server: AuthServer, client: OAuthClient) -> None:
    server.grants.rotate = False
    assert client.refresh(logged_in(server)).refresh_token is None


def test_a_revoked_login_opens_nothing(server: AuthServer, client: OAuthClient) -> None:
    reply = client.refresh(logged_in(server))
    assert reply.refresh_token
    client.revoke(reply.refresh_token, "refresh_token")
    assert not server.check(reply.access_token.reveal())
    assert server.received("/revoke")[0].fields["token_type_hint"] == "refresh_token"


def test_revoking_an_unknown_token_is_a_success(client: OAuthClient) -> None:
    client.revoke(Secret("at-unknown"), "access_token")


@each_case("method", ["client_secret_basic", "client_secret_post"])
@each_case("format", ["form", "json"])
@each_case("secret", [*":/+%&=ü \"'\\~*?#@", SPECIAL, "a:b:c", "%2B", "x" * 500])
def test_a_client_secret_may_have_any_character(method: AuthMethod, format: str, secret: str) -> None:
    with AuthServer("id:with/+ %ü", secret) as server:
        settings = replace(server.settings(method), request_format="json" if format == "json" else "form")
        with client_of(settings) as client:
            assert client.refresh(logged_in(server)).refresh_token
            assert client.start_device().user_code
            client.revoke(logged_in(server), "refresh_token")


def test_each_method_shows_the_client_in_its_own_place_only() -> None:
    with AuthServer(client_secret="s3cret") as server:
        for method in ("client_secret_basic", "client_secret_post"):
            with client_of(server.settings(method)) as client:
                client.refresh(logged_in(server))
        basic, post = server.received("/token")
    assert basic.headers["authorization"] == "Basic " + base64.b64encode(b"client-1:s3cret").decode()
    assert not {"client_id", "client_secret"} & set(basic.fields)
    assert "authorization" not in post.headers
    assert (post.fields["client_id"], post.fields["client_secret"]) == ("client-1", "s3cret")


def test_a_public_client_shows_its_id_alone() -> None:
    with AuthServer() as server, client_of(server.settings()) as client:
        client.refresh(logged_in(server))
        request = server.received("/token")[0]
    assert set(request.fields) == {"client_id", "grant_type", "refresh_token"}
    assert "authorization" not in request.headers


def test_a_wrong_client_secret_is_refused_by_name(server: AuthServer) -> None:
    for method in ("client_secret_basic", "client_secret_post"):
        with client_of(replace(server.settings(method), client_secret=Secret("wrong-one"))) as client:
            with pytest.raises(OAuthRefused) as refused:
                client.start_device()
            assert refused.value.code == "invalid_client"


def test_a_request_says_what_it_wants_and_nothing_of_who_runs_it(server: AuthServer, client: OAuthClient) -> None:
    client.refresh(logged_in(server))
    headers = server.received("/token")[0].headers
    assert headers["accept"] == "application/json"
    assert headers["content-type"] == FORM
    assert headers["user-agent"].startswith("LLM-Gateway/")
    assert "cookie" not in headers


def test_configured_parameters_go_along_but_replace_none_of_the_protocol(server: AuthServer) -> None:
    settings = replace(
        server.settings(),
        audience="https://api.example/",
        resource="https://r.example/",
        extra_auth_params={"prompt": "login", "scope": "evil", "client_id": "evil"},
        extra_token_params={"tenant": "t 1", "grant_type": "evil", "refresh_token": "evil", "client_id": "evil"},
    )
    with client_of(settings) as client:
        client.start_device()
        client.refresh(logged_in(server))
    device, token = server.requests
    assert device.fields["prompt"] == "login"
    assert device.fields["scope"] == "chat offline_access"
    assert device.fields["audience"] == "https://api.example/"
    assert device.fields["resource"] == token.fields["resource"] == "https://r.example/"
    assert token.fields["tenant"] == "t 1"
    assert token.grant_type == "refresh_token"
    assert "audience" not in token.fields


def test_requests_may_be_written_as_json(server: AuthServer) -> None:
    with client_of(replace(server.settings(), request_format="json")) as client:
        client.refresh(logged_in(server))
    request = server.received("/token")[0]
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["grant_type"] == "refresh_token"


def test_a_text_that_is_no_unicode_is_sent_as_far_as_it_goes(server: AuthServer) -> None:
    for format in ("form", "json"):
        settings = replace(server.settings(), request_format="json" if format == "json" else "form")
        with client_of(settings) as client, pytest.raises(OAuthRefused, match="invalid_grant"):
            client.refresh(Secret("rt-\udcff"))


def test_no_connection_is_used_twice() -> None:
    """A server may close a kept one at any time, and a renewal whose fate is unknown is the worst of all."""
    with ScriptedUpstream() as up, client_of(OAuthSettings("acme", "id", token_endpoint=up.url)) as client:
        for count in range(1, 6):
            up.plays(Json(200, {"access_token": "at"}))
            refreshed(client)
            assert up.connections == len(up.requests) == count


def test_threads_share_a_client(server: AuthServer, client: OAuthClient) -> None:
    tokens = [logged_in(server) for _ in range(8)]
    replies: list[TokenReply] = []
    threads = [threading.Thread(target=lambda token=token: replies.append(client.refresh(token))) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({reply.access_token for reply in replies}) == 8


# What the answers mean


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (json_of({"error": "authorization_pending"}, 400), "authorization_pending"),
        (json_of({"error": "authorization_pending"}, 428), "authorization_pending"),  # Google
        (json_of({"error": "slow_down"}, 403), "slow_down"),  # Google
        (json_of({"error": "slow_down"}, 429), "slow_down"),
        (json_of({"error": "authorization_pending"}, 200), "authorization_pending"),  # GitHub, Kimi
        (Raw(200, {"Content-Type": FORM}, b"error=authorization_pending&error_description=x"), "authorization_pending"),
        (json_of({"error": "invalid_grant"}, 400, "text/html"), "invalid_grant"),
        (json_of({"error": "invalid_client"}, 401), "invalid_client"),
        (json_of({"error": {"code": "refresh_token_reused", "message": "Used."}}, 401), "refresh_token_reused"),
        (json_of({"error": {"status": "UNAUTHENTICATED", "code": 401}}, 401), "UNAUTHENTICATED"),
        (json_of({"error": {}, "access_token": "at"}), "error"),
        (json_of({"error": "\0"}, 400), "error"),
        (json_of({"access_token": "at", "token_type": "mac"}), "unsupported_token_type"),
        (json_of({"access_token": "at", "token_type": ["bearer"]}), "unsupported_token_type"),
    ],
)
def test_a_no_is_a_no_with_whatever_status_and_form(
    server: AuthServer, client: OAuthClient, answer: Raw, code: str
) -> None:
    server.next_token_answers = [answer]
    with pytest.raises(OAuthRefused) as refused:
        refreshed(client)
    assert refused.value.code == code


def test_a_slow_down_may_tell_the_new_interval(server: AuthServer, client: OAuthClient) -> None:
    server.next_token_answers = [json_of({"error": "slow_down", "interval": "10"}, 200)]
    with pytest.raises(OAuthRefused) as refused:
        client.poll_device(Secret("dc"))
    assert refused.value.interval == 10


@pytest.mark.parametrize(
    "answer",
    [
        json_of({"error": "temporarily_unavailable"}, 503),
        json_of({"error": "invalid_grant"}, 500),
        json_of({"error": "invalid_grant"}, 429),
        json_of({"access_token": "at"}, 502),
        json_of({"access_token": "at"}, 400),
        json_of({"message": "no"}, 404),
        json_of({}),
        json_of({"access_token": ""}),
        json_of({"access_token": 7}),
        json_of({"access_token": "two words"}),
        json_of({"access_token": "at\r\nX-Evil: 1"}),
        json_of({"access_token": "tokén"}),
        json_of(["at"]),
        json_of(None),
        Raw(200),
        Raw(204),
        Raw(400),
        Raw(200, {"Content-Type": "application/json"}, b'{"access_token": "at"'),
        Raw(200, {"Content-Type": "application/json"}, b"\xff\xfe"),
        Raw(200, {"Content-Type": "application/json"}, b"[" * 60_000),
        Raw(200, {"Content-Type": "text/html"}, b"<html>error=x&access_token=at</html>"),
        Raw(403, {"Content-Type": "text/html"}, b"<h1>Forbidden</h1>"),
        Raw(200, {"Content-Type": "text/plain"}, b"Bad gateway"),
        Raw(200, {"Content-Type": FORM}, b"\xff=1"),
        Raw(200, {"Content-Type": FORM, "Content-Length": "1000"}, b"access_token=at"),  # cut off
        Raw(200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"no gzip"),
        Raw(302, {"Location": "https://elsewhere.example/"}),
        Raw(304),
        "cut",
        "lost",
    ],
    ids=lambda answer: str(answer)[:80],  # pytest puts it into the environment, which Windows limits
)
def test_what_is_no_answer_is_a_matter_of_time(server: AuthServer, client: OAuthClient, answer: Fault) -> None:
    server.next_token_answers = [answer]
    with pytest.raises(OAuthUnreachable):
        refreshed(client)
    assert len(server.requests) == 1, "it must not be asked twice: a refresh token may be good for one use"
    assert client.refresh(logged_in(server)).refresh_token, "the next question is a fresh one"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (" 60.5 ", 60.5),
        (None, None),
        ("soon", None),
        (0, None),
        (-5, None),
        (True, None),
        ([60], None),
        ("nan", None),
        ("inf", None),
        (1e300, 315_360_000.0),
    ],
)
def test_a_lifetime_is_read_where_there_is_one(
    server: AuthServer, client: OAuthClient, told: object, seconds: float | None
) -> None:
    server.next_token_answers = [json_of({"access_token": "at", "expires_in": told})]
    assert refreshed(client).expires_in == seconds


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None, "", " bearer "])
def test_a_bearer_token_is_one_however_it_is_written(server: AuthServer, client: OAuthClient, kind: str | None) -> None:
    server.next_token_answers = [json_of({"access_token": " at-1 ", "token_type": kind, "error": None})]
    assert refreshed(client).access_token == Secret("at-1")


def test_a_form_is_an_answer_too(server: AuthServer, client: OAuthClient) -> None:
    body = b"access_token=gho_16&expires_in=28800&refresh_token=r%2B1&scope=repo%2Cgist&token_type=bearer\n"
    server.next_token_answers = [Raw(200, {"Content-Type": f"{FORM}; charset=utf-8"}, body)]
    reply = refreshed(client)
    assert reply == TokenReply(Secret("gho_16"), Secret("r+1"), 28800.0, {"scope": "repo,gist"})


def test_what_else_is_told_of_a_token_is_kept_but_takes_no_other_fields_place(
    server: AuthServer, client: OAuthClient
) -> None:
    told = {"access_token": "at", "accessToken": "x", "refreshToken": "x", "expiresAt": 1, "resource_url": "https://r"}
    server.next_token_answers = [json_of(told)]
    reply = refreshed(client)
    assert reply.extra == {"resource_url": "https://r"}
    assert reply.refresh_token is None


DEVICE: Mapping[str, object] = {"device_code": "dc", "user_code": "AB-CD", "verification_uri": "https://acme.example/d"}


def test_a_device_grant_is_read_in_all_its_forms(server: AuthServer, client: OAuthClient) -> None:
    old = {"device_code": "dc", "user_code": "AB-CD", "verification_url": "https://acme.example/d"}  # Google
    texts = {**DEVICE, "expires_in": "600", "interval": "7", "verification_uri_complete": "javascript:alert(1)"}
    server.next_device_answers = [json_of(DEVICE), json_of(old), json_of(texts)]
    plain, google, texted = (client.start_device() for _ in range(3))
    assert plain == google
    assert (plain.expires_in, plain.interval, plain.verification_uri_complete) == (900, 5, None)
    assert (texted.expires_in, texted.interval, texted.verification_uri_complete) == (600, 7, None)


@pytest.mark.parametrize(
    "change",
    [
        {"device_code": None},
        {"user_code": ""},
        {"user_code": "A\x1b[2JB"},
        {"user_code": "A" * 3000},
        {"verification_uri": None},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "https://acme.example/\x1b[31m"},
        {"verification_uri": "https://[acme"},
        {"verification_uri": "file:///etc/passwd"},
        {"verification_uri": ["https://acme.example"]},
    ],
    ids=str,
)
def test_a_device_grant_that_cannot_be_shown_is_none(
    server: AuthServer, client: OAuthClient, change: dict[str, object]
) -> None:
    server.next_device_answers = [json_of({**DEVICE, **change})]
    with pytest.raises(OAuthUnreachable, match="usable code and address"):
        client.start_device()


def test_a_server_without_a_device_endpoint_says_so(server: AuthServer, client: OAuthClient) -> None:
    server.device = False
    with pytest.raises(OAuthUnreachable, match="HTTP 404"):
        client.start_device()


def test_a_revocation_may_be_refused(server: AuthServer, client: OAuthClient) -> None:
    server.next_revoke_answers = [json_of({"error": "unsupported_token_type"}, 400), Raw(503), Raw(204)]
    with pytest.raises(OAuthRefused, match="unsupported_token_type"):
        client.revoke(Secret("at"), "access_token")
    with pytest.raises(OAuthUnreachable, match="503"):
        client.revoke(Secret("at"), "access_token")
    client.revoke(Secret("at"), "access_token")


def test_an_endpoint_that_nobody_told_is_named() -> None:
    with client_of(OAuthSettings("acme", "id")) as client:
        for ask, name in (
            (client.start_device, "deviceAuthorizationEndpoint"),
            (lambda: refreshed(client), "tokenEndpoint"),
            (lambda: client.revoke(Secret("t"), "access_token"), "revocationEndpoint"),
        ):
            with pytest.raises(OAuthRefused, match=name):
                ask()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://acme.example/token",
        "ftp://acme.example/token",
        "https://user:pw@acme.example/token",
        "https:///token",
        "https://[acme/token",
        "https://acme.example:port/token",
        "https://acme.example/to ken",
        "token",
    ],
)
def test_no_secret_goes_to_an_address_that_is_not_safe(endpoint: str) -> None:
    with client_of(OAuthSettings("acme", "id", token_endpoint=endpoint)) as client:
        with pytest.raises(OAuthRefused) as refused:
            refreshed(client)
        assert refused.value.code == "untrusted_endpoint"


# What a server may do to us


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: AuthServer, client: OAuthClient, status: int) -> None:
    with ScriptedUpstream() as elsewhere:
        server.next_token_answers = [Raw(status, {"Location": f"{elsewhere.url}/token"}, b"moved")]
        with pytest.raises(OAuthUnreachable, match=f"redirect .{status}."):
            refreshed(client)
        assert elsewhere.connections == 0
    assert len(server.requests) == 1


def test_an_answer_of_ten_mib_is_refused_without_being_read(server: AuthServer, client: OAuthClient) -> None:
    huge = json.dumps({"access_token": "at", "padding": "x" * (10 << 20)}).encode()
    server.next_token_answers = [Raw(200, {"Content-Type": "application/json"}, huge)]
    with pytest.raises(OAuthUnreachable, match=f"more than {MAX_RESPONSE} bytes"):
        refreshed(client)


def test_an_answer_without_an_end_is_refused() -> None:
    with ScriptedUpstream() as up:
        up.plays(Head(200, {}), Body(b" " * 70_000), Stall())
        settings = OAuthSettings("acme", "id", token_endpoint=f"{up.url}/token")
        with client_of(settings) as client, pytest.raises(OAuthUnreachable, match="more than"):
            refreshed(client)


def test_an_answer_of_the_largest_size_is_read(server: AuthServer, client: OAuthClient) -> None:
    start = b'{"access_token": "at"'
    whole = start + b" " * (MAX_RESPONSE - len(start) - 1) + b"}"
    server.next_token_answers = [Raw(200, {}, whole)]
    assert refreshed(client).access_token == Secret("at")


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    with ScriptedUpstream() as up:
        up.plays(Stall())
        http = OAuthHttp({}, read_seconds=0.05)
        with closing(http), pytest.raises(OAuthUnreachable, match=r"did not answer within 0\.05 s"):
            http.post(f"{up.url}/token", {}, b"")


class HastyClock(FakeClock):
    """A minute passes with each look."""

    def monotonic(self) -> float:
        self.advance(60)
        return super().monotonic()


def test_an_answer_that_trickles_in_has_an_end() -> None:
    with ScriptedUpstream() as up:
        up.plays(Head(200, {}), Body(b"{"), Stall())
        client = OAuthClient(OAuthSettings("acme", "id", token_endpoint=up.url), {}, HastyClock())
        with closing(client), pytest.raises(OAuthUnreachable, match="whole answer within 30 s"):
            refreshed(client)


@pytest.mark.parametrize("steps", [(Send(b"SSH-2.0-OpenSSH\r\n"), Cut()), (Send(b"HTTP/1.1 200 OK\r\nconte"), Cut())])
def test_what_is_not_http_is_no_answer(steps: tuple[Send, Cut]) -> None:
    with ScriptedUpstream() as up:
        up.plays(*steps)
        settings = OAuthSettings("acme", "id", token_endpoint=up.url)
        with client_of(settings) as client, pytest.raises(OAuthUnreachable):
            refreshed(client)


def test_a_closed_port_is_told_in_the_systems_words() -> None:
    settings = OAuthSettings("acme", "id", token_endpoint=f"http://127.0.0.1:{free_port()}/token")
    refusal = pytest.raises(OAuthUnreachable, match=r"127\.0\.0\.1 could not be reached .*refused")
    with client_of(settings) as client, refusal:
        refreshed(client)


def test_plain_http_behind_an_https_address_is_a_failed_handshake() -> None:
    with open_listener() as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                while connection.recv(4096):  # until the client has had enough: a reset could overtake the words
                    pass

        speaking = threading.Thread(target=speak)
        speaking.start()
        settings = OAuthSettings("acme", "id", token_endpoint=f"https://127.0.0.1:{listener.getsockname()[1]}")
        with client_of(settings) as client, pytest.raises(OAuthUnreachable, match="TLS handshake failed"):
            refreshed(client)
        speaking.join(20)


def test_a_missing_ca_bundle_is_no_crash(server: AuthServer) -> None:
    settings = replace(server.settings(), token_endpoint=server.token_endpoint.replace("http:", "https:"))
    client = OAuthClient(settings, {"SSL_CERT_FILE": "/nowhere/ca.pem"})
    with closing(client), pytest.raises(OAuthUnreachable, match="could not be reached"):
        refreshed(client)


def test_a_servers_words_are_shown_short_and_harmless(server: AuthServer, client: OAuthClient) -> None:
    words = "Nope.\r\n\x1b[2J\u202eevil " + "x" * 5000
    server.next_token_answers = [json_of({"error": "invalid_grant" + "y" * 500, "error_description": words}, 400)]
    with pytest.raises(OAuthRefused) as refused:
        refreshed(client)
    assert str(refused.value).isprintable()
    assert refused.value.description.startswith("Nope. [2J evil x")
    assert len(str(refused.value)) < 420


def test_values_show_no_secret_in_their_repr(server: AuthServer, client: OAuthClient) -> None:
    grant = client.start_device()
    server.approve(grant.user_code)
    reply = client.poll_device(grant.device_code)
    shown = f"{grant!r} {reply!r} {client!r} {server.settings()!r}"
    for secret in (grant.device_code, grant.user_code, reply.access_token, reply.refresh_token):
        assert str(secret.reveal() if isinstance(secret, Secret) else secret) not in shown
    assert "s3cret" not in shown
