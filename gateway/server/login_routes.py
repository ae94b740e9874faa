"""POST /gateway/login, GET /gateway/login/ID, POST /gateway/login/ID/cancel and POST /gateway/logout.

They act for the person who runs the gateway, so the guard lets in only who shows a key or the page's token. A login
runs on a thread of its own (gateway.auth.logins): these rows only begin it, look at it and end it.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from gateway.auth.login_book import MOST_OPEN, TooManyLogins
from gateway.auth.logins import Logins
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.core.errors import InvalidRequest, Overloaded, RouteNotFound
from gateway.core.records import login_name
from gateway.core.texts import printable
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.server.login_books import LoginBooks
from gateway.server.login_json import LoggedOut, LoginNow
from gateway.server.paths import LOGIN, LOGOUT
from gateway.server.routes import Asked, Endpoint, Mask, Row
from gateway.server.wsgi_body import read_body
from gateway.wires.base import CallerWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.workers.siblings import Siblings

NAMES: Final = frozenset({"login", "login_state", "login_cancel", "logout"})
"""Of the rows."""
MAX_BODY: Final = 1_024
NOT_KEPT: Final = ("Cache-Control", "no-store")
MAX_SHOWN: Final = 100
"""Characters of a name that a message repeats."""


class Which(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a login and a logout. `account`: "" where the provider has one."""

    provider: str
    account: str = ""


_WHICH: Final = msgspec.json.Decoder(Which)


class Providers(Protocol):
    """The providers that are served now (gateway.assembly.Assembly)."""

    @property
    def token_store(self) -> TokenStore:
        """Keeps the tokens of logins."""

    def login_settings(self, name: str) -> OAuthSettings | None:
        """How to log in with a credential, `NAME` or `NAME@account`; None where its settings do not say. Raises
        KeyError: there is none of this name, or it needs no login."""


def login_rows(logins: Logins, siblings: Siblings, providers: Callable[[], Providers], mask: Mask) -> Sequence[Row]:
    """The rows.

    Args:
        logins: makes the logins.
        siblings: have others.
        providers: gives those that are served now.
        mask: takes secrets out of a text.
    """
    books = LoginBooks(logins, siblings)

    def begin(asked: Asked, _: CallerWire) -> Reply:
        served, which = providers(), _which(asked)
        settings = _settings(served, which)
        if settings is None:
            raise InvalidRequest(
                f"{which.provider} cannot log in: its settings need a clientId and one of authEndpoint, "
                "deviceAuthorizationEndpoint and issuer.",
                param="provider",
            )
        try:
            login = books.begin(settings, served.token_store)
        except TooManyLogins:
            raise Overloaded(f"{MOST_OPEN} logins are under way. End one of them first.", retry_after=5.0) from None
        return _json(202 if login.state == "pending" else 200, login)

    def look(asked: Asked, _: CallerWire) -> Reply:
        return _json(200, _known(books.look(asked.arguments["id"])))

    def cancel(asked: Asked, _: CallerWire) -> Reply:
        return _json(200, _known(books.cancel(asked.arguments["id"])))

    def log_out(asked: Asked, _: CallerWire) -> Reply:
        served, which = providers(), _which(asked)
        settings = _settings(served, which)
        try:
            said = logins.log_out(login_name(which.provider, which.account), settings, served.token_store)
        except OSError as fault:
            name = served.token_store.path.name
            raise Overloaded(f"The token cannot be removed: {cannot_write(name, fault)}", retry_after=5.0) from None
        return _json(200, LoggedOut(which.provider, which.account, "out", mask(said)))

    return (
        Endpoint("login", LOGIN, ("POST",), OpenAIChatCallers, begin, admin=True),
        Endpoint("logout", LOGOUT, ("POST",), OpenAIChatCallers, log_out, admin=True),
        Endpoint("login_state", f"{LOGIN}/<id>", ("GET",), OpenAIChatCallers, look, admin=True),
        Endpoint("login_cancel", f"{LOGIN}/<id>/cancel", ("POST",), OpenAIChatCallers, cancel, admin=True),
    )


def _which(asked: Asked) -> Which:
    try:
        return _WHICH.decode(read_body(asked.environ, MAX_BODY))
    except msgspec.DecodeError:
        raise InvalidRequest('The body must be {"provider": NAME}, with or without "account".') from None


def _settings(providers: Providers, which: Which) -> OAuthSettings | None:
    """The settings of the login that is meant. Raises InvalidRequest: there is none."""
    name = login_name(which.provider, which.account)
    try:
        return providers.login_settings(name)
    except KeyError:
        shown = printable(name[:MAX_SHOWN])
        raise InvalidRequest(
            f"There is no provider or account {shown!r} that needs a login.", param="provider"
        ) from None


def _known(login: LoginNow | None) -> LoginNow:
    if login is None:
        raise RouteNotFound("There is no such login, or none any more.")
    return login


def _json(status: int, value: LoginNow | LoggedOut) -> Reply:
    return Reply(status, (("Content-Type", JSON_TYPE), NOT_KEPT), msgspec.json.encode(value))
