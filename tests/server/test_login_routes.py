"""Logins over HTTP, and everything that stands between them and other pages, other hosts and other users."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.auth_server import AuthServer
from tests.support.edge import until
from tests.support.page import BODY, PAGE, config, token_of
from tests.support.running import chat, running

KEY = "sk-gateway-0123456789"


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running_server:
        running_server.grants.interval = 1
        yield running_server


class TestWhoMayAct:
    """seeing 7, line 9: no flow is started, and the login server sees nothing."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"x-gateway-token": "0" * 32}, 401),
            ({"authorization": "Bearer sk-x"}, 401),
            ({"host": "evil.example"}, 421),
            ({"host": "evil.example", "origin": "http://evil.example", "x-gateway-token": "TOKEN"}, 421),
            ({"origin": "https://evil.example", "x-gateway-token": "TOKEN"}, 403),
            ({"origin": PAGE, "x-gateway-token": "TOKEN"}, 403),
            ({"origin": "null", "x-gateway-token": "TOKEN"}, 403),
            ({"sec-fetch-site": "cross-site", "x-gateway-token": "TOKEN"}, 403),
            ({"content-type": "text/plain", "x-gateway-token": "TOKEN"}, 415),
            ({"content-type": "application/x-www-form-urlencoded", "x-gateway-token": "TOKEN"}, 415),
        ],
    )
    @pytest.mark.parametrize("path", ["/gateway/login", "/gateway/logout", "/gateway/login/x/cancel"])
    def test_nobody_else(
        self, server: AuthServer, tmp_path: Path, headers: Mapping[str, str], status: int, path: str
    ) -> None:
        with running(config(server, tmp_path)) as gateway:
            sent = {
                name: value.replace("TOKEN", token_of(gateway)["x-gateway-token"]) for name, value in headers.items()
            }
            reply = gateway.post(BODY, path=path, headers=sent)
            assert reply.status_code == status, reply.text
            assert "access-control-allow-origin" not in reply.headers
            assert reply.json()["error"]["message"]
            assert gateway.gateway.runtime.logins.under_way("acme") is None
        assert server.requests == []

    def test_whoever_has_the_token_on_the_page_itself(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path)) as gateway:
            own = {"origin": gateway.url, "sec-fetch-site": "same-origin", **token_of(gateway)}
            assert gateway.post(BODY, path="/gateway/login", headers=own).status_code == 202

    def test_whoever_has_a_key_where_keys_are_configured(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path, apiKeys=[KEY])) as gateway:
            key = {"authorization": f"Bearer {KEY}"}
            for headers in (key, token_of(gateway)):
                assert gateway.get("/gateway/status.json", headers=headers).status_code == 200
                assert gateway.post(BODY, path="/gateway/login", headers=headers).status_code == 202
            assert gateway.get("/gateway/status.json").status_code == 401
            assert gateway.get("/").status_code != 401, "it holds no data"

    def test_a_login_is_seen_by_nobody_without_the_token(self, server: AuthServer, tmp_path: Path) -> None:
        """Who knows the code could confirm it with an account of their own."""
        with running(config(server, tmp_path)) as gateway:
            login = gateway.post(BODY, path="/gateway/login", headers=token_of(gateway)).json()
            assert gateway.get(f"/gateway/login/{login['id']}").status_code == 401
            status = gateway.get("/gateway/status.json")
            assert login["userCode"] not in status.text and login["id"] not in status.text
            [account] = [each for each in status.json()["accounts"] if each["provider"] == "acme"]
            assert account["loginUntilAt"] == pytest.approx(login["expiresAt"])


class TestLogins:
    @pytest.mark.usefixtures("asked_soon")
    def test_a_login_that_ends_in_done_is_used_by_the_next_call(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path)) as gateway:
            headers = token_of(gateway)
            assert gateway.post(chat("a")).headers["x-gateway-provider"] == "demo"
            assert server.received("/v1/chat/completions") == []
            login = gateway.post(BODY, path="/gateway/login", headers=headers).json()
            address = f"/gateway/login/{login['id']}"
            assert gateway.get(address, headers=headers).json() == login
            server.approve(login["userCode"])
            until(lambda: gateway.get(address, headers=headers).json()["state"] != "pending")
            assert gateway.get(address, headers=headers).json()["state"] == "done"
            gateway.post(chat("a"))
            [call] = server.received("/v1/chat/completions")
            assert server.check(call.headers["authorization"].removeprefix("Bearer "))

    @pytest.mark.usefixtures("asked_soon")
    def test_a_logout_ends_it_at_once(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path)) as gateway:
            headers = token_of(gateway)
            login = gateway.post(BODY, path="/gateway/login", headers=headers).json()
            server.approve(login["userCode"])
            address = f"/gateway/login/{login['id']}"
            until(lambda: gateway.get(address, headers=headers).json()["state"] == "done")
            reply = gateway.post(BODY, path="/gateway/logout", headers=headers)
            assert reply.status_code == 200 and "The token is revoked." in reply.json()["message"]
            assert gateway.post(chat("a")).headers["x-gateway-provider"] == "demo"
            assert server.received("/v1/chat/completions") == []

    def test_a_cancelled_login_is_cancelled_for_everybody_who_looks(self, server: AuthServer, tmp_path: Path) -> None:
        with running(config(server, tmp_path)) as gateway:
            headers = token_of(gateway)
            login = gateway.post(BODY, path="/gateway/login", headers=headers).json()
            address = f"/gateway/login/{login['id']}"
            assert gateway.post({}, path=f"{address}/cancel", headers=headers).json()["state"] == "cancelled"
            shown = gateway.get(address, headers=headers).json()
            assert shown["state"] == "cancelled" and shown["userCode"] is None

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"provider": "nobody"}, 400),
            ({"provider": "demo"}, 400),
            ({"provider": "acme", "account": "work"}, 400),
            ({"provider": 1}, 400),
            ({"provider": "acme", "issuer": "https://evil.example"}, 400),
            (b"{", 400),
            (b"", 400),
            (b'{"provider": "' + b"x" * 2_000 + b'"}', 413),
        ],
    )
    def test_a_body_that_means_no_login_is_refused(
        self, server: AuthServer, tmp_path: Path, body: object, status: int
    ) -> None:
        with running(config(server, tmp_path)) as gateway:
            for path in ("/gateway/login", "/gateway/logout"):
                assert gateway.post(body, path=path, headers=token_of(gateway)).status_code == status
            assert gateway.get("/gateway/login/nothing", headers=token_of(gateway)).status_code == 404
        assert server.requests == []
