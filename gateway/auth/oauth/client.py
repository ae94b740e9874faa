"""The OAuth client: one method for each request to an authorization server.

A request is sent once. The flows and the renewal decide when to ask again and what to do with a token. The only
failures are the two of errors.py. A server's error text might repeat our secrets, so they are masked in it.

Sources: RFC 6749 sections 2.3.1, 4.1.3, 5 and 6, RFC 8628 section 3, RFC 7009, RFC 8707. A server's deviation is named
where the code handles it.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, quote_plus, urlencode

from gateway.auth.oauth.errors import OAuthRefused
from gateway.auth.oauth.responses import DeviceGrant, read_device_grant, read_fields, read_token_reply
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.clock import Clock
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonObject, dumps

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class _Request:
    """A request's headers and body, and the secrets that they may contain."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secrets: tuple[Secret, ...]


class OAuthClient:
    """Sends requests to one provider's authorization server. Safe to use from many threads.

    Every method raises OAuthRefused (the server refused, or the settings lack an endpoint) and OAuthUnreachable (no
    connection within 5 s, no complete response within 30 s, or an unusable one), and nothing else.

    Args:
        settings: with the endpoints that will be used.
        environ: for REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE.
        clock: measures how long a response takes.
    """

    def __init__(self, settings: OAuthSettings, environ: Mapping[str, str], clock: Clock | None = None) -> None:
        self._settings = settings
        from gateway.auth.oauth.http import OAuthHttp  # noqa: PLC0415 - takes 50 ms, and most logins need no renewal

        self._http = OAuthHttp(environ, clock=clock)

    def start_device(self, code_challenge: str | None = None) -> DeviceGrant:
        """Request a code for a person to confirm (RFC 8628 section 3.1).

        Args:
            code_challenge: PKCE's with S256, for servers that require it here.
        """
        settings = self._settings
        pkce = {"code_challenge": code_challenge, "code_challenge_method": "S256"} if code_challenge else {}
        fields = {
            **settings.extra_auth_params,
            **({"scope": " ".join(settings.scopes)} if settings.scopes else {}),
            **({"audience": settings.audience} if settings.audience else {}),
            **({"resource": settings.resource} if settings.resource else {}),
            **pkce,
        }
        endpoint = settings.device_authorization_endpoint
        return read_device_grant(self._ask("deviceAuthorizationEndpoint", endpoint, fields))

    def poll_device(self, device_code: Secret, code_verifier: Secret | None = None) -> TokenReply:
        """Poll once whether the person has confirmed the code (RFC 8628 section 3.4)."""
        return self._tokens(DEVICE_GRANT, {"device_code": device_code, "code_verifier": code_verifier})

    def exchange(self, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> TokenReply:
        """Exchange an authorization code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        secrets = {"code": code, "code_verifier": code_verifier}
        return self._tokens("authorization_code", secrets, {"redirect_uri": redirect_uri})

    def refresh(self, refresh_token: Secret) -> TokenReply:
        """Request a new access token (RFC 6749 section 6). The reply may also replace the refresh token."""
        return self._tokens("refresh_token", {"refresh_token": refresh_token})

    def revoke(self, token: Secret, hint: Literal["refresh_token", "access_token"]) -> None:
        """Revoke a token (RFC 7009). A server accepts a token that it does not know."""
        fields = {"token_type_hint": hint}
        self._ask("revocationEndpoint", self._settings.revocation_endpoint, fields, {"token": token})

    def close(self) -> None:
        """Close the client's connections. Idempotent."""
        self._http.close()

    def _tokens(
        self, grant_type: str, secrets: Mapping[str, Secret | None], fields: Mapping[str, str] | None = None
    ) -> TokenReply:
        settings = self._settings
        resource = {"resource": settings.resource} if settings.resource else {}
        all_fields = {**settings.extra_token_params, **resource, **(fields or {}), "grant_type": grant_type}
        return read_token_reply(self._ask("tokenEndpoint", settings.token_endpoint, all_fields, secrets))

    def _ask(
        self,
        setting: str,
        endpoint: str | None,
        fields: Mapping[str, str],
        secrets: Mapping[str, Secret | None] | None = None,
    ) -> JsonObject:
        """Send a request and return the response's fields."""
        if not endpoint:
            raise OAuthRefused("not_configured", f"{setting} is neither configured nor published by the server")
        sent = _request(self._settings, fields, {name: each for name, each in (secrets or {}).items() if each})
        return read_fields(self._http.post(endpoint, sent.headers, sent.body), endpoint, sent.secrets)


def _request(settings: OAuthSettings, fields: Mapping[str, str], secrets: Mapping[str, Secret]) -> _Request:
    """The fields with the client's authentication, in the form that the settings name."""
    known = settings.client_secret or Secret("")
    revealed = {name: secret.reveal() for name, secret in secrets.items()}
    body = {**fields, **revealed}
    headers: dict[str, str] = {}
    if settings.auth_method == "client_secret_basic":
        headers["Authorization"] = f"Basic {_basic(settings.client_id, known)}"
    else:
        body["client_id"] = settings.client_id
        if settings.auth_method == "client_secret_post" and known:
            body["client_secret"] = known.reveal()
    if settings.request_format == "json":
        headers["Content-Type"] = "application/json"
        content = dumps({**body})
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        content = urlencode(body, errors="replace").encode()
    return _Request(headers, content, tuple(_secrets_to_mask(settings, secrets.values())))


def _basic(client_id: str, secret: Secret) -> str:
    """HTTP Basic credentials. Both halves are form-urlencoded before they are joined (RFC 6749 section 2.3.1). Most
    libraries forget that: a colon in the id, or a percent sign in the secret, then names another client."""
    halves = (quote_plus(half, errors="replace") for half in (client_id, secret.reveal()))
    return base64.b64encode(":".join(halves).encode()).decode()


def _secrets_to_mask(settings: OAuthSettings, secrets: Iterable[Secret]) -> Iterator[Secret]:
    """The texts to mask in a server's messages: the secrets as they are and in each encoding that was sent."""
    client = settings.client_secret
    for secret in (*secrets, *((client,) if client else ())):
        yield secret
        yield Secret(secret.reveal().strip())
        yield Secret(quote_plus(secret.reveal(), errors="replace"))
        yield Secret(quote(secret.reveal(), errors="replace"))
    if client:
        yield Secret(_basic(settings.client_id, client))
