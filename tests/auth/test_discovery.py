"""Discovery: finds published endpoints, and ignores a document that could do harm."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover, document_addresses, endpoints_in
from gateway.auth.oauth.settings import Endpoints, OAuthSettings, with_endpoints
from tests.support.auth_server import DOCUMENTS, AuthServer
from tests.support.cases import each_case
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Status, Step

NOTHING = Endpoints()


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running:
        yield running


def issued_by(issuer: str) -> OAuthSettings:
    return OAuthSettings("acme", "client-1", issuer=issuer)


def asked(server: AuthServer) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.parametrize("published", [DOCUMENTS, DOCUMENTS[:1], DOCUMENTS[1:]])
def test_the_endpoints_are_found_in_either_document(server: AuthServer, published: tuple[str, ...]) -> None:
    server.discovery = published
    found = discover(issued_by(server.url), {})
    assert found == Endpoints(
        server.authorization_endpoint,
        server.token_endpoint,
        server.device_authorization_endpoint,
        server.revocation_endpoint,
    )


def test_four_keys_are_enough_for_a_device_login(server: AuthServer) -> None:
    settings = with_endpoints(server.bare_settings(), discover(server.bare_settings(), {}))
    with closing(OAuthClient(settings, {})) as client:
        grant = client.start_device()
        server.approve(grant.user_code)
        assert server.check(client.poll_device(grant.device_code).access_token.reveal())


def test_a_token_endpoint_alone_says_where_to_look_too(server: AuthServer) -> None:
    settings = replace(server.bare_settings(), authorization_endpoint=None)
    assert discover(settings, {}).device_authorization == server.device_authorization_endpoint


def test_what_is_configured_wins(server: AuthServer) -> None:
    settings = replace(issued_by(server.url), token_endpoint="https://own.example/token")
    assert with_endpoints(settings, discover(settings, {})).token_endpoint == "https://own.example/token"


def test_a_server_that_publishes_nothing_is_asked_twice_and_no_more(server: AuthServer) -> None:
    server.discovery = ()
    assert discover(server.bare_settings(), {}) == NOTHING
    assert asked(server) == ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]


def test_without_any_address_nobody_is_asked() -> None:
    assert discover(OAuthSettings("acme", "client-1"), {}) == NOTHING


def test_an_issuers_path_stands_where_each_standard_wants_it() -> None:
    assert list(document_addresses("https://acme.example:8443/tenant/1/")) == [
        "https://acme.example:8443/tenant/1/.well-known/openid-configuration",
        "https://acme.example:8443/.well-known/oauth-authorization-server/tenant/1",
        "https://acme.example:8443/.well-known/openid-configuration/tenant/1",
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_issuer_with_a_path_is_found_at_each_of_its_places(place: int) -> None:
    with ScriptedUpstream() as up:
        issuer = f"{up.url}/tenant"
        path = urlsplit(list(document_addresses(issuer))[place]).path
        document = {"issuer": issuer, "token_endpoint": f"{issuer}/token"}

        def respond(request: Request) -> tuple[Step, ...]:
            return (Json(200, document) if request.path == path else Status(404),)

        up.answers(respond)
        assert discover(issued_by(issuer), {}) == Endpoints(token=f"{issuer}/token")


@pytest.mark.parametrize("named", ["http://127.0.0.1:1", "https://evil.example", "", None, 7])
def test_a_document_about_another_issuer_is_none(server: AuthServer, named: object) -> None:
    server.document = {"issuer": named}
    assert discover(issued_by(server.url), {}) == NOTHING


def test_a_slash_at_the_end_makes_no_other_issuer(server: AuthServer) -> None:
    server.document = {"issuer": f"{server.url}/"}
    assert discover(issued_by(server.url), {}).token == server.token_endpoint
    server.document = {}
    assert discover(issued_by(f"{server.url}/"), {}).token == server.token_endpoint


def test_an_origin_that_was_guessed_may_have_an_issuer_with_a_path(server: AuthServer) -> None:
    server.document = {"issuer": f"{server.url}/tenant"}
    assert discover(server.bare_settings(), {}).token == server.token_endpoint


@pytest.mark.parametrize("named", ["https://evil.example", None, "https://[evil", "evil"])
def test_a_guessed_origin_must_name_itself(server: AuthServer, named: object) -> None:
    server.document = {"issuer": named}
    assert discover(server.bare_settings(), {}) == NOTHING


def test_a_document_about_another_server_on_the_same_host_is_none(server: AuthServer) -> None:
    other = f"{server.url}/other"
    server.document = {"authorization_endpoint": f"{other}/authorize", "token_endpoint": f"{other}/token"}
    assert discover(server.bare_settings(), {}) == NOTHING
    server.document = {"authorization_endpoint": "https://[", "token_endpoint": "https://["}
    assert discover(server.bare_settings(), {}) == NOTHING
    server.document = {"authorization_endpoint": f"{other}/authorize"}  # the token endpoint is ours
    assert discover(server.bare_settings(), {}).device_authorization == server.device_authorization_endpoint
    server.document = {"authorization_endpoint": None, "token_endpoint": None}  # nothing speaks against it
    assert discover(server.bare_settings(), {}).device_authorization == server.device_authorization_endpoint


@pytest.mark.parametrize(
    "answer",
    [
        Status(500),
        Status(302, {"Location": "/elsewhere"}),
        Status(200, {}, b"<h1>Hello</h1>"),
        Status(200, {}, b"[]"),
        Status(200, {}, b'{"issuer": '),
        Status(200, {}, b" " * 70_000 + b"{}"),
        Status(200, {}, b"[" * 60_000),
        Status(204),
    ],
    ids=lambda answer: str(answer)[:80],  # pytest puts it into the environment, which Windows limits
)
def test_what_is_no_document_is_none_and_nothing_else_is_asked(answer: Status) -> None:
    with ScriptedUpstream() as up:
        up.answers(lambda _request: (answer,))
        assert discover(issued_by(up.url), {}) == NOTHING
        assert len(up.requests) == 2
        assert all(request.path.startswith("/.well-known/") for request in up.requests)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://acme.example",  # not safe
        "ftp://127.0.0.1",
        "https://user:pw@127.0.0.1",
        "https://[::1",
        "https://127.0.0.1:0x50/",
        "https://127.0.0.1/?tenant=1",
        "https://127.0.0.1/#x",
        "acme.example",
        "http://127.0.0.1:1",  # nothing listens
        "https://127.0.0.1:1",
        "",
    ],
)
def test_an_issuer_that_cannot_be_asked_publishes_nothing(issuer: str) -> None:
    assert discover(issued_by(issuer), {}) == NOTHING


@pytest.mark.parametrize("endpoint", ["https://[x/authorize", "", "/authorize", "mailto:me@example.com"])
def test_an_authorization_endpoint_that_is_no_address_is_nowhere_to_ask(endpoint: str) -> None:
    assert discover(OAuthSettings("acme", "id", authorization_endpoint=endpoint), {}) == NOTHING


@each_case(
    ("issuer", "endpoint", "taken"),
    [
        ("https://auth.x.ai", "https://auth.x.ai/token", True),
        ("https://auth.x.ai", "https://api.x.ai/token", True),
        ("https://auth.x.ai", "https://x.ai/token", True),
        ("https://auth.x.ai", "https://AUTH.X.AI:8443/token", True),
        ("https://auth.x.ai", "https://evil-x.ai/token", False),
        ("https://auth.x.ai", "https://x.ai.evil.example/token", False),
        ("https://auth.x.ai", "http://auth.x.ai/token", False),
        ("https://auth.x.ai", "https://auth.x.ai@evil.example/token", False),
        ("https://auth.x.ai", "https://evil.example/?auth.x.ai", False),
        ("https://auth.x.ai", "https://auth.x.ai/token#x", False),
        ("https://auth.x.ai", "https://auth.x.ai/to\nken", False),
        ("https://auth.x.ai", "http://localhost/token", False),
        ("https://acme.co.uk", "https://login.acme.co.uk/token", True),
        ("https://acme.co.uk", "https://evil.co.uk/token", False),
        ("https://co.uk", "https://evil.co.uk/token", False),
        ("https://192.0.2.7", "https://192.0.2.7/token", True),
        ("https://192.0.2.7", "https://198.51.2.7/token", False),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:8443/token", True),
        ("https://[2001:db8::1]", "https://[2001:db8::2]/token", False),
        ("https://intranet", "https://intranet/token", True),
        ("https://intranet", "https://evil.intranet/token", False),
        ("http://localhost:8080", "http://localhost:9090/token", True),
        ("http://localhost:8080", "http://127.0.0.1:9090/token", False),
    ],
)
def test_an_endpoint_is_taken_from_the_issuers_own_domain_only(issuer: str, endpoint: str, taken: bool) -> None:
    expected = Endpoints(endpoint, endpoint, endpoint, endpoint) if taken else NOTHING
    names = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "revocation_endpoint")
    assert endpoints_in(dict.fromkeys(names, endpoint), issuer) == expected


def test_one_endpoint_outside_the_domain_takes_no_other_along(server: AuthServer) -> None:
    server.document = {"revocation_endpoint": "https://evil.example/revoke", "device_authorization_endpoint": 7}
    found = discover(issued_by(server.url), {})
    assert (found.revocation, found.device_authorization) == (None, None)
    assert found.token == server.token_endpoint


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
addresses = st.text() | st.sampled_from(["https://acme.example/x", "https://[", "https://a@b", "http://localhost:1/t"])


@given(
    document=st.dictionaries(
        st.sampled_from(["issuer", "token_endpoint", "authorization_endpoint", "revocation_endpoint"]),
        addresses | json_values,
    )
)
def test_no_document_makes_it_fail(document: dict[str, None]) -> None:
    found = endpoints_in(json.loads(json.dumps(document)), "https://acme.example")
    assert found.token in (None, "https://acme.example/x")
