"""Discovery: reads the endpoints that a server publishes, so that the configuration need not list them.

A document must come from the issuer and name it, and its endpoints must be in the issuer's own domain, because a code
or a refresh token is sent to them. Anything else is ignored as if it were not published. The login then names the
setting that is missing. This module only reads: it changes no settings.

Sources: RFC 8414 (section 3 for the place, 3.3 for the issuer), OpenID Connect Discovery 1.0 section 4.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.auth.oauth.endpoint import trusted_address
from gateway.auth.oauth.errors import OAuthError
from gateway.auth.oauth.settings import Endpoints, OAuthSettings
from gateway.core.strict_json import JsonFault, JsonObject, as_object, loads

if TYPE_CHECKING:
    from gateway.auth.oauth.http import OAuthHttp

READ_SECONDS: Final = 10.0
"""Short, because a person waits for the login to begin, and it can begin without a document."""
_OIDC: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"})


def discover(settings: OAuthSettings, environ: Mapping[str, str]) -> Endpoints:
    """Find the endpoints that the server publishes. It never fails; where nothing usable is published, all are None.

    Args:
        settings: `issuer` is asked, or without it the origin of the authorization or the token endpoint.
        environ: for REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE.
    """
    issuer = settings.issuer or _origin(settings.authorization_endpoint) or _origin(settings.token_endpoint)
    if issuer is None or not trusted_address(issuer) or urlsplit(issuer).query:
        return Endpoints()
    from gateway.auth.oauth.http import OAuthHttp  # noqa: PLC0415 - takes 50 ms, and most servers are not asked

    with closing(OAuthHttp(environ, READ_SECONDS)) as http:
        for url in document_addresses(issuer):
            document = _fetched(http, url)
            if document is not None and _is_about(document, issuer, settings):
                return endpoints_in(document, issuer)
    return Endpoints()


def document_addresses(issuer: str) -> Iterator[str]:
    """The possible addresses of the document: OpenID Connect appends to the issuer's path, RFC 8414 prepends."""
    address = urlsplit(issuer)
    origin, path = f"{address.scheme}://{address.netloc}", address.path.rstrip("/")
    yield f"{origin}{path}{_OIDC}"
    yield f"{origin}{_OAUTH}{path}"
    if path:
        yield f"{origin}{_OIDC}{path}"


def _fetched(http: "OAuthHttp", url: str) -> JsonObject | None:
    try:
        answer = http.get(url)
        return as_object(loads(answer.body)) if answer.status == 200 else None
    except (OAuthError, JsonFault):
        return None


def _is_about(document: JsonObject, issuer: str, settings: OAuthSettings) -> bool:
    """Whether the document is the issuer's own.

    It must name a configured issuer exactly, except for a slash at its end. An origin is only a guess: a host may serve
    many issuers (Okta and Keycloak do), so there the document must agree with a configured endpoint.
    """
    named = document.get("issuer")
    if settings.issuer:
        return isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/")
    if not isinstance(named, str) or not _within(named, issuer):
        return False
    pairs = (
        (settings.authorization_endpoint, document.get("authorization_endpoint")),
        (settings.token_endpoint, document.get("token_endpoint")),
    )
    known = [(ours, theirs) for ours, theirs in pairs if ours and isinstance(theirs, str)]
    return not known or any(_path(ours) == _path(theirs) for ours, theirs in known)


def endpoints_in(document: JsonObject, issuer: str) -> Endpoints:
    """The endpoints in an issuer's document, without those that must not get a secret."""

    def endpoint(name: str) -> str | None:
        value = document.get(name)
        return value if isinstance(value, str) and trusted_address(value) and _within(value, issuer) else None

    return Endpoints(
        authorization=endpoint("authorization_endpoint"),
        token=endpoint("token_endpoint"),
        device_authorization=endpoint("device_authorization_endpoint"),
        revocation=endpoint("revocation_endpoint"),
    )


def _within(url: str, issuer: str) -> bool:
    """Whether an address has the issuer's host, or one in the same domain."""
    host, own = _host(url), _host(issuer)
    if not host or not own:
        return False
    domain = _domain(own)
    return host == own or (domain is not None and (host == domain or host.endswith(f".{domain}")))


def _domain(host: str) -> str | None:
    """The registrable domain: the last two labels, or three below a suffix such as `co.uk`; None for an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
    else:
        return None
    size = 3 if len(labels[-1]) == 2 and len(labels) > 1 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-size:]) if len(labels) >= size else None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _origin(url: str | None) -> str | None:
    try:
        address = urlsplit(url or "")
    except ValueError:
        return None
    return f"{address.scheme}://{address.netloc}" if address.netloc else None


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return url
