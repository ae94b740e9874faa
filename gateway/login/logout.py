"""`logout NAME`: forget the token, and tell the server that it is to be worth nothing (RFC 7009)."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final, Literal, Protocol

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret
from gateway.login.accounts import Accounts, LoginFault
from gateway.login.console import Console

Hint = Literal["refresh_token", "access_token"]


class RevokingClient(Protocol):
    """What of the OAuth client this command needs."""

    def revoke(self, token: Secret, hint: Hint) -> None: ...


KEPT: Final = "It may stay valid at the provider until it expires."


def logout(accounts: Accounts, name: str, console: Console, environ: Mapping[str, str]) -> None:
    """Log out.

    Raises:
        LoginFault: there is no such provider, or the token cannot be removed from the file.
    """
    token = _taken(accounts, name)
    if token is None:
        accounts.oauth(name)  # says whether the name is at fault
        console.say(f"There is no token for {name}: nothing to do.")
        return
    console.say(f"Logged out of {name}: its token is gone from {accounts.store.path.name}.")
    console.say(_revoke(accounts, name, token, console, environ))


def _taken(accounts: Accounts, name: str) -> Token | None:
    """The token, out of the file. First of all and under the lock: so it is the latest one that a renewal has left,
    no renewal spends it meanwhile, and a server that does not answer keeps nobody logged in here."""
    if accounts.store.get(name) is None:
        return None
    try:
        with accounts.store.exclusive() as held:
            token = held.get(name)
            held.remove(name)
            return token
    except OSError as fault:
        why = fault.strerror or type(fault).__name__
        raise LoginFault(f"The token cannot be removed from {accounts.store.path.name}: {why}.") from None


def _revoke(accounts: Accounts, name: str, token: Token, console: Console, environ: Mapping[str, str]) -> str:
    """Tell the server; what came of it, for the person."""
    try:
        settings = accounts.oauth(name)
    except LoginFault:
        return f"The token is not revoked: the settings for {name} do not say where. {KEPT}"
    settings = _with_revocation(settings, lambda: with_endpoints(settings, discover(settings, environ)))
    if settings.revocation_endpoint is None:
        return f"The token is not revoked: {name} has no revocation endpoint. {KEPT}"
    with closing(OAuthClient(settings, environ)) as client:
        try:
            revoke_all(client, token)
        except OAuthError as fault:
            return f"The token is not revoked: {console.foreign(str(fault))}. {KEPT}"
    return "The token is revoked."


def _with_revocation(settings: OAuthSettings, discovered: Callable[[], OAuthSettings]) -> OAuthSettings:
    return settings if settings.revocation_endpoint else discovered()


def revoke_all(client: RevokingClient, token: Token) -> None:
    """The refresh token first: it is the one that lives on, and most servers end the access token with it.

    Raises:
        OAuthUnreachable: the server cannot be asked.
        OAuthRefused: it refused the first or the second; both were tried.
    """
    refusal: OAuthRefused | None = None
    if token.refresh_token is not None:
        try:
            client.revoke(token.refresh_token, "refresh_token")
        except OAuthRefused as fault:
            refusal = fault
    client.revoke(token.access_token, "access_token")
    if refusal is not None:
        raise refusal
