"""`logout NAME`: removes the token from the store and revokes it at the server (RFC 7009)."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final, Literal, Protocol

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import cannot_write
from gateway.commands.accounts import Accounts, CommandFailed
from gateway.commands.console import Console
from gateway.core.secrets import Secret

Hint = Literal["refresh_token", "access_token"]


class RevokingClient(Protocol):
    """The part of the OAuth client that this command needs."""

    def revoke(self, token: Secret, hint: Hint) -> None: ...


STILL_VALID: Final = "It may stay valid at the provider until it expires."


def logout(accounts: Accounts, name: str, console: Console, environ: Mapping[str, str]) -> None:
    """Log out.

    Raises:
        CommandFailed: there is no such provider, or the token cannot be removed from the file.
    """
    token = _removed(accounts, name)
    if token is None:
        accounts.oauth(name)  # raises if the name is wrong
        console.say(f"There is no token for {name}: nothing to do.")
        return
    console.say(f"Logged out of {name}: its token is gone from {accounts.store.path.name}.")
    console.say(_revoke(accounts, name, token, console, environ))


def _removed(accounts: Accounts, name: str) -> Token | None:
    """Take the token out of the file, before the server is asked and under the lock. So it is the latest renewed token,
    no renewal uses it meanwhile, and a server that does not answer cannot keep the user logged in here."""
    if accounts.store.get(name) is None:
        return None
    try:
        with accounts.store.login(name) as held:
            token = held.get(name)
            held.remove(name)
            return token
    except OSError as fault:
        raise CommandFailed(f"The token cannot be removed: {cannot_write(accounts.store.path, fault)}") from None


def _revoke(accounts: Accounts, name: str, token: Token, console: Console, environ: Mapping[str, str]) -> str:
    """Revoke the token; returns the result as a text for the person."""
    try:
        settings = accounts.oauth(name)
    except CommandFailed:
        return f"The token is not revoked: the settings for {name} do not say where. {STILL_VALID}"
    settings = _with_revocation(settings, lambda: with_endpoints(settings, discover(settings, environ)))
    if settings.revocation_endpoint is None:
        return f"The token is not revoked: {name} has no revocation endpoint. {STILL_VALID}"
    with closing(OAuthClient(settings, environ)) as client:
        try:
            revoke_all(client, token)
        except OAuthError as fault:
            return f"The token is not revoked: {console.printable(str(fault))}. {STILL_VALID}"
    return "The token is revoked."


def _with_revocation(settings: OAuthSettings, discovered: Callable[[], OAuthSettings]) -> OAuthSettings:
    return settings if settings.revocation_endpoint else discovered()


def revoke_all(client: RevokingClient, token: Token) -> None:
    """Revoke both tokens, the refresh token first: it lives longer, and most servers revoke the access token with it.

    Raises:
        OAuthUnreachable: the server cannot be asked.
        OAuthRefused: the server refused one of the two; both were tried.
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
