"""The OAuth clients of a running gateway: made when needed, with the endpoint that the server publishes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.refreshing_client import OAuthClients, RefreshingClient
from gateway.auth.oauth.settings import OAuthSettings
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret
from tests.support.auth_server import AuthServer


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret="s3cret-of-the-client") as running:
        yield running


def login(server: AuthServer) -> Secret:
    return Secret(str(server.grants.login()["refresh_token"]))


def client(settings: OAuthSettings, learned: list[Secret] | None = None) -> RefreshingClient:
    return RefreshingClient(settings, {}, SystemClock(), ([] if learned is None else learned).append)


def test_a_renewal_gives_a_good_token_and_tells_every_secret(server: AuthServer) -> None:
    learned: list[Secret] = []
    renewing = client(server.settings(), learned)
    sent = login(server)
    reply = renewing.refresh(sent)
    assert server.check(reply.access_token.reveal())
    assert learned == [Secret("s3cret-of-the-client"), sent, reply.access_token, reply.refresh_token]
    renewing.close()


def test_a_missing_token_endpoint_is_looked_for_once(server: AuthServer) -> None:
    renewing = client(replace(server.settings(), token_endpoint=None))
    token = login(server)
    for _ in range(2):
        reply = renewing.refresh(token)
        assert reply.refresh_token is not None
        token = reply.refresh_token
    assert len(server.received("/.well-known/openid-configuration")) == 1
    renewing.close()


def test_a_configured_token_endpoint_is_not_looked_for(server: AuthServer) -> None:
    renewing = client(server.settings())
    renewing.refresh(login(server))
    assert [request.path for request in server.requests] == ["/token"]
    renewing.close()


def test_a_server_that_publishes_nothing_now_is_out_of_reach_and_asked_again(server: AuthServer) -> None:
    renewing = client(replace(server.settings(), token_endpoint=None))
    server.discovery = ()
    token = login(server)
    with pytest.raises(OAuthUnreachable, match="tokenEndpoint"):
        renewing.refresh(token)
    server.discovery = ("openid-configuration",)
    assert server.check(renewing.refresh(token).access_token.reveal())
    renewing.close()


def test_a_refused_renewal_is_told(server: AuthServer) -> None:
    renewing = client(server.settings())
    with pytest.raises(OAuthRefused) as caught:
        renewing.refresh(Secret("unknown-token"))
    assert caught.value.code == "invalid_grant"
    renewing.close()


def test_every_login_has_one_client_and_nothing_is_asked_before_it_is_needed(server: AuthServer) -> None:
    clients = OAuthClients({"a": server.settings(), "b": server.settings()}, {}, SystemClock(), lambda _: None)
    assert clients("a") is clients("a")
    assert clients("a") is not clients("b")
    with pytest.raises(KeyError):
        clients("c")
    assert server.requests == []
    clients("a").refresh(login(server))
    for _ in range(2):
        clients.close()


def test_no_repr_shows_a_secret(server: AuthServer) -> None:
    renewing = client(server.settings())
    renewing.refresh(login(server))
    assert "s3cret" not in f"{renewing!r} {vars(renewing)!r}"
    renewing.close()
