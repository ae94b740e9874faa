"""Logins of a running gateway, against a real authorization server."""

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.auth.login_book import MOST_OPEN, Login, TooManyLogins
from gateway.auth.logins import Logins
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.tokens.token_store import TokenStore
from gateway.core.clock import SystemClock
from gateway.core.errors import Draining
from gateway.core.secrets import Secret
from gateway.observe.masking import Masker
from tests.support.auth_server import AuthServer, Raw
from tests.support.edge import until

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer() as running:
        running.grants.interval = 1
        yield running


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json", SystemClock())


class Known:
    """The secrets that the log was told of."""

    def __init__(self) -> None:
        self.secrets: list[str] = []

    def add(self, secret: Secret) -> None:
        self.secrets.append(secret.reveal())


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def logins(known: Known) -> Iterator[Logins]:
    before = set(threading.enumerate())
    logins = Logins({}, SystemClock(), known.add, Masker().mask)
    yield logins
    logins.close()
    logins.close()
    assert not [each for each in threading.enumerate() if each not in before and each.name == "login"]


def ended(logins: Logins, login: Login) -> Login:
    """The login when it is over."""

    def over() -> Login | None:
        found = logins.get(login.id)
        assert found is not None
        return found if found.ended is not None else None

    until(lambda: over() is not None)
    found = over()
    assert found is not None
    return found


def code_of(login: Login) -> str:
    assert login.grant is not None, login
    return login.grant.user_code


@pytest.mark.usefixtures("asked_soon")
def test_a_confirmed_code_leaves_a_token(server: AuthServer, store: TokenStore, logins: Logins, known: Known) -> None:
    login = logins.begin(server.settings(), store)
    assert login.state == "pending" and login.expires_at is not None
    server.approve(code_of(login))
    assert ended(logins, login).state == "done"
    token = store.get("acme")
    assert token is not None and server.check(token.access_token.reveal())
    assert token.access_token.reveal() in known.secrets, "no log line may show it"
    assert logins.under_way("acme") is None


def test_a_second_click_shows_the_same_code(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    first = logins.begin(server.settings(), store)
    assert logins.begin(server.settings(), store) == first
    assert len(server.received("/device_authorization")) == 1


@pytest.mark.usefixtures("asked_soon")
def test_a_no_is_a_no(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    login = logins.begin(server.settings(), store)
    server.deny(code_of(login))
    over = ended(logins, login)
    assert over.state == "denied" and over.message and over.grant is None
    assert store.get("acme") is None


@pytest.mark.usefixtures("asked_soon")
def test_a_code_that_the_server_calls_dead_has_expired(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    server.next_token_answers = [Raw(400, JSON, b'{"error": "expired_token"}')]
    assert ended(logins, logins.begin(server.settings(), store)).state == "expired"


def test_a_cancelled_login_leaves_no_token_even_if_it_is_confirmed_afterwards(
    server: AuthServer, store: TokenStore, logins: Logins, request: pytest.FixtureRequest
) -> None:
    login = logins.begin(server.settings(), store)
    cancelled = logins.cancel(login.id)
    assert cancelled is not None and cancelled.state == "cancelled"
    server.approve(code_of(login))
    request.getfixturevalue("asked_soon")
    again = logins.begin(server.settings(), store)
    assert again.id != login.id and code_of(again) != code_of(login)
    server.approve(code_of(again))
    assert ended(logins, again).state == "done"
    assert len({each.fields["device_code"] for each in server.received("/token")}) == 1, (
        "the cancelled one has asked no more"
    )


def test_there_are_at_most_so_many_at_once(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    all_of_them = [logins.begin(server.settings(provider=f"p{number}"), store) for number in range(MOST_OPEN)]
    with pytest.raises(TooManyLogins):
        logins.begin(server.settings(provider="one-more"), store)
    logins.cancel(all_of_them[0].id)
    assert logins.begin(server.settings(provider="one-more"), store).state == "pending"


@pytest.mark.parametrize("prefers", [None, "authorization_code"])
def test_where_only_the_browser_works_the_command_is_named(
    server: AuthServer, store: TokenStore, logins: Logins, prefers: None
) -> None:
    server.device = False
    settings: OAuthSettings = replace(server.settings(), device_authorization_endpoint=None, prefers=prefers)
    login = ended(logins, logins.begin(settings, store))
    assert (login.state, login.command) == ("failed", "python app.py login acme")
    assert login.message and "python app.py login acme" in login.message
    assert not logins.possible(settings), "the page does not offer it again"
    assert not server.received("/device_authorization")


def test_a_server_that_refuses_the_code_to_this_client_names_the_browser(
    server: AuthServer, store: TokenStore, logins: Logins
) -> None:
    server.next_device_answers = [Raw(401, JSON, b'{"error": "invalid_client"}')]
    login = ended(logins, logins.begin(server.settings(), store))
    assert login.command == "python app.py login acme --browser"


def test_an_address_that_is_not_safe_to_open_is_not_shown(
    server: AuthServer, store: TokenStore, logins: Logins
) -> None:
    grant = b'{"device_code": "d", "user_code": "u", "verification_uri": "javascript:alert(1)", "expires_in": 60}'
    server.next_device_answers = [Raw(200, JSON, grant)]
    login = ended(logins, logins.begin(server.settings(), store))
    assert login.state == "failed" and login.grant is None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written_is_said_before_a_code_is_asked_for(
    server: AuthServer, tmp_path: Path, logins: Logins
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    login = ended(logins, logins.begin(server.settings(), TokenStore(folder / "tokens.json", SystemClock())))
    assert login.state == "failed" and login.message and "cannot be written" in login.message
    assert server.requests == []


@pytest.mark.usefixtures("asked_soon")
def test_a_logout_takes_the_token_here_and_there(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    login = logins.begin(server.settings(), store)
    server.approve(code_of(login))
    ended(logins, login)
    token = store.get("acme")
    assert token is not None
    said = logins.log_out("acme", server.settings(), store)
    assert said == "Logged out of acme: its token is gone from tokens.json. The token is revoked."
    assert store.get("acme") is None and not server.check(token.access_token.reveal())
    assert logins.log_out("acme", server.settings(), store) == "There was no token for acme."


def test_no_login_begins_when_the_gateway_stops(server: AuthServer, store: TokenStore, logins: Logins) -> None:
    login = logins.begin(server.settings(), store)
    logins.close()
    over = logins.get(login.id)
    assert over is not None and over.state == "cancelled"
    with pytest.raises(Draining):
        logins.begin(server.settings(), store)
