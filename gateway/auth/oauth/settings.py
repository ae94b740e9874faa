"""The words of OAuth that the flows, the client and the manager share. Values and failures only.

Sources: RFC 6749 (the framework), RFC 8628 (device flow), RFC 7636 (PKCE), RFC 8252 (native apps), RFC 7009
(revocation), RFC 8414 (discovery), RFC 9700 (best current practice).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.auth.tokens.token import Token
from gateway.core.jsontext import JsonValue
from gateway.core.secrets import Secret

AuthMethod = Literal["client_secret_post", "client_secret_basic", "none"]


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """How to log in at one provider, from its configuration; what discovery finds is filled in by `with_endpoints`."""

    provider: str
    client_id: str
    client_secret: Secret | None = None
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    resource: str | None = None
    extra_auth_params: Mapping[str, str] = field(default_factory=dict)
    extra_token_params: Mapping[str, str] = field(default_factory=dict)
    auth_method: AuthMethod = "none"
    request_format: Literal["form", "json"] = "form"
    pkce: bool = True
    redirect_host: str = "127.0.0.1"
    redirect_port: int = 0
    redirect_path: str = "/callback"
    prefers: Literal["device", "authorization_code"] | None = None
    """What `authType` says, if it does."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a server publishes about itself (RFC 8414); None where it publishes nothing."""

    authorization: str | None = None
    token: str | None = None
    device_authorization: str | None = None
    revocation: str | None = None


def with_endpoints(settings: OAuthSettings, found: Endpoints) -> OAuthSettings:
    """The settings with what is missing filled in; what is configured wins."""
    return replace(
        settings,
        authorization_endpoint=settings.authorization_endpoint or found.authorization,
        token_endpoint=settings.token_endpoint or found.token,
        device_authorization_endpoint=settings.device_authorization_endpoint or found.device_authorization,
        revocation_endpoint=settings.revocation_endpoint or found.revocation,
    )


@dataclass(frozen=True, slots=True)
class TokenReply:
    """What a token endpoint gave. `expires_in` in seconds, None where it was not told."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: float | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


def token_from(reply: TokenReply, now: float, before: Token | None = None) -> Token:
    """The token to keep, obtained at `now` (wall seconds). Without a new refresh token `before`'s stays."""
    extra: dict[str, JsonValue] = {**(before.extra if before else {}), **reply.extra, "obtainedAt": now}
    return Token(
        reply.access_token,
        reply.refresh_token or (before.refresh_token if before else None),
        None if reply.expires_in is None else now + reply.expires_in,
        extra,
    )


class OAuthError(Exception):
    """A login, a renewal or a revocation that did not come about. The text is for people and holds no secret."""


class OAuthUnreachable(OAuthError):
    """The server could not be asked, or its answer was none (5xx, 429, HTML, cut off): later it may be different."""


class OAuthRefused(OAuthError):
    """The server said no.

    Args:
        code: its error code (RFC 6749 section 5.2, RFC 8628 section 3.5).
        description: its words, cut short.
        interval: seconds, where a device flow's answer says how slowly to ask.
    """

    def __init__(self, code: str, description: str = "", *, interval: float | None = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.interval = interval
