"""The settings of an OAuth login: what the configuration says, completed by what the server publishes.

These values are shared by the catalog, the flows and the client, so this module sends no request.

Sources: RFC 6749 (the framework), RFC 8628 (device flow), RFC 7636 (PKCE), RFC 8252 (native apps), RFC 7009
(revocation), RFC 8414 (discovery), RFC 9700 (best current practice).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.core.secrets import Secret

AuthMethod = Literal["client_secret_post", "client_secret_basic", "none"]


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """How to log in at one provider, from its configuration. `with_endpoints` adds the endpoints of discovery."""

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
    """The flow that `authType` names, if it names one."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints that a server publishes (RFC 8414); None for each that it does not."""

    authorization: str | None = None
    token: str | None = None
    device_authorization: str | None = None
    revocation: str | None = None


def with_endpoints(settings: OAuthSettings, found: Endpoints) -> OAuthSettings:
    """Fill in the endpoints that the settings lack. A configured endpoint wins."""
    return replace(
        settings,
        authorization_endpoint=settings.authorization_endpoint or found.authorization,
        token_endpoint=settings.token_endpoint or found.token,
        device_authorization_endpoint=settings.device_authorization_endpoint or found.device_authorization,
        revocation_endpoint=settings.revocation_endpoint or found.revocation,
    )
