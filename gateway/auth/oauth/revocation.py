"""Revokes a token at the server after a logout (RFC 7009)."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final, Literal, Protocol

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret

Hint = Literal["refresh_token", "access_token"]
STILL_VALID: Final = "It may stay valid at the provider until it expires."


class RevokingClient(Protocol):
    """The part of the OAuth client that a revocation needs."""

    def revoke(self, token: Secret, hint: Hint) -> None: ...


def revoke(settings: OAuthSettings, token: Token, environ: Mapping[str, str], printable: Callable[[str], str]) -> str:
    """Revoke a token; returns the result for people.

    Args:
        settings: of the login; a missing endpoint is discovered.
        token: both of its tokens are revoked.
        environ: for proxies and CA bundles.
        printable: makes a server's text fit to be shown.
    """
    if settings.revocation_endpoint is None:
        settings = with_endpoints(settings, discover(settings, environ))
    if settings.revocation_endpoint is None:
        return f"The token is not revoked: {settings.provider} has no revocation endpoint. {STILL_VALID}"
    with closing(OAuthClient(settings, environ)) as client:
        try:
            revoke_all(client, token)
        except OAuthError as fault:
            return f"The token is not revoked: {printable(str(fault))}. {STILL_VALID}"
    return "The token is revoked."


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
