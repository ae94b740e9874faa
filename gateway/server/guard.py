"""Who may ask: the decision about a request before anything is done for it.

A server on 127.0.0.1 is reachable by every web page that the user opens, directly (a form, `fetch`) or through a host
name that an attacker points at 127.0.0.1 (DNS rebinding). So the Host, the Origin, what the browser says about the
page, the content type and the key are checked here, on every route, from the WSGI environ alone: no Flask and no
socket, so that whatever serves the request can ask first.

Sources: RFC 9110 section 7.2 and RFC 9112 section 3.2 (Host), https://fetch.spec.whatwg.org (CORS), https://www.w3.org/TR/fetch-metadata/.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from gateway.config import schema
from gateway.core.errors import BadHttp, HostRefused, KeyRefused, NotJsonContent, OriginRefused
from gateway.core.secrets import Secret
from gateway.core.this_machine import is_this_machine, reachable_from_here
from gateway.server.paths import HEALTH, METRICS

USUAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""Of this machine, as nearly every client writes it; found without parsing."""
OPEN_PATHS: Final = frozenset({HEALTH})
"""Paths that answer without a key, so that a supervisor needs none."""

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
OWN_PAGES: Final = frozenset({"none", "same-origin"})
"""Sec-Fetch-Site of what the user started, or of a page of ours."""

EXPOSED_HEADERS: Final = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, x-gateway-provider, x-gateway-account, "
    "x-gateway-model, x-gateway-attempts, x-gateway-queue-ms, x-gateway-dropped, x-gateway-tokens, request-id"
)
ALLOWED_HEADERS: Final = (
    "authorization, content-type, x-api-key, x-request-id, x-session-id, openai-organization, openai-project, "
    "x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, x-stainless-runtime, "
    "x-stainless-runtime-version, x-stainless-retry-count, x-stainless-timeout, x-stainless-helper-method, "
    "anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access"
)
"""By name, because `*` does not cover Authorization. The x-stainless ones are what the JavaScript clients of OpenAI and
Anthropic send."""

PREFLIGHT_HEADERS: Final = (
    ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
    ("Access-Control-Max-Age", "600"),
)

_AUTHORITY: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]*))?", re.ASCII)
_PORT: Final = re.compile(r":[0-9]+\Z", re.ASCII)
_CLIENT: Final = 16
_SHOWN: Final = 100
"""Characters of a Host that a message repeats."""

Environ = Mapping[str, object]


@dataclass(frozen=True)
class Guard:
    """Decides whether a request is looked at. Immutable, so every thread may ask at once.

    Args:
        port: the one that is served.
        allowed_hosts: names to accept besides those of this machine, as name or name:port.
        allowed_origins: origins of web pages that may call, as a browser writes them (`https://name[:port]`). `null`
            and `*` never match.
        key_digests: SHA-256 of each accepted key; no digests, no key needed.
        exposed: whether other machines may reach the gateway. Then a name of this machine may have any port: one that
            a container publishes, or a tunnel has, need not be ours.
        metrics: whether /metrics is served. No page may read it, not even an allowed one, which was let in to ask
            models and not to see who asks what.
        metrics_digest: SHA-256 of the key that opens it beside those. Where this is the only key, /metrics needs it.
    """

    port: int
    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]
    key_digests: tuple[bytes, ...] = field(repr=False)
    exposed: bool = False
    metrics: bool = False
    metrics_digest: bytes | None = field(default=None, repr=False)
    _authorities: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        hosts = (*USUAL_NAMES, *self.allowed_hosts)
        origins = {_normal_origin(each) for each in self.allowed_origins if "://" in each}
        object.__setattr__(self, "_authorities", frozenset(_authorities(hosts, self.port)))
        object.__setattr__(self, "allowed_origins", frozenset(origins))

    @classmethod
    def of(cls, settings: schema.Gateway, port: int) -> "Guard":
        """The guard that the configuration describes.

        Args:
            settings: the section `gateway`. Its host counts as allowed: whoever listens on 127.0.0.2 is asked by it.
                0.0.0.0 and :: are no name of anyone.
            port: the one that is served, which differs from the configured one where that is 0.
        """
        host = reachable_from_here(settings.host)
        host = f"[{host.strip('[]')}]" if ":" in host else host
        return cls(
            port=port,
            allowed_hosts=frozenset({*settings.allowed_hosts, host}),
            allowed_origins=frozenset(settings.allowed_origins),
            key_digests=tuple(map(_digest_of, settings.api_keys)),
            exposed=settings.exposed,
            metrics=settings.metrics,
            metrics_digest=_digest_of(settings.metrics_key) if settings.metrics_key else None,
        )

    def check(self, environ: Environ, content_types: Sequence[str] = ("application/json",)) -> None:
        """Return if the request may be looked at.

        Args:
            content_types: of bodies that the path takes.
            environ: WSGI's, in which the server joined repeated headers by a comma; `gateway.authority` is the
                authority of an absolute-form request target, where there was one.

        Raises:
            BadHttp: Host is missing, repeated or malformed.
            HostRefused: Host is someone else's name.
            OriginRefused: a web page asks that may not.
            NotJsonContent: a body of another content type, or a compressed one.
            KeyRefused: keys are configured and none of them is shown.
        """
        self._check_host(environ)
        self._check_page(environ)
        if _is_preflight(environ):
            return  # a preflight cannot carry a key; it got here, so its origin is an allowed one
        _check_content(environ, content_types)
        self._check_key(environ)

    def client(self, environ: Environ) -> str:
        """Who asks, as far as keys tell: the same text for the same key; "" where no key is needed."""
        if not self.key_digests:
            return ""
        shown = map(_digest, _keys_shown(environ))
        return next((digest.hex()[:_CLIENT] for digest in shown if _is_among(self.key_digests, digest)), "")

    def cors_headers(self, environ: Environ) -> list[tuple[str, str]]:
        """Headers that let an allowed page read the reply, refused ones included; none for anyone else."""
        if not self.allowed_origins:
            return []
        origin = _text(environ, "HTTP_ORIGIN")
        if origin not in self.allowed_origins or origin is None or self._is_metrics(environ):
            return [("Vary", "Origin")]
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if _is_preflight(environ):
            return [*headers, *PREFLIGHT_HEADERS]
        return [*headers, ("Access-Control-Expose-Headers", EXPOSED_HEADERS)]

    def _check_host(self, environ: Environ) -> None:
        host = _text(environ, "HTTP_HOST")
        if not host:
            raise BadHttp("The request has no Host header.")
        authority = _text(environ, "gateway.authority")
        if authority is None and host.lower() in self._authorities:
            return
        normal = _normal_authority(host)  # even where the target's authority replaces it (RFC 9112 section 3.2.2)
        if authority is not None:
            normal = _normal_authority(authority)
        if normal not in self._authorities and not self._is_own(normal):
            raise HostRefused(
                f"This gateway does not answer to the host {normal[:_SHOWN]!r}. If the name is yours, add it to "
                "gateway.allowedHosts."
            )

    def _is_own(self, authority: str) -> bool:
        """Whether it is this machine, with our port or none. An address cannot be rebound as a name can."""
        name = _PORT.sub("", authority) if self.exposed else authority.removesuffix(f":{self.port}")
        return not name.endswith(".") and is_this_machine(name)  # one dot is gone already

    def _check_page(self, environ: Environ) -> None:
        origin = _text(environ, "HTTP_ORIGIN")
        if origin is not None:
            if self._is_metrics(environ):
                raise OriginRefused("Web pages may not read the metrics.")
            if origin not in self.allowed_origins:
                raise OriginRefused("Web pages of this origin may not call; see gateway.allowedOrigins.")
        elif environ.get("HTTP_SEC_FETCH_SITE", "none") not in OWN_PAGES:
            raise OriginRefused("A web page of another site may not call; see gateway.allowedOrigins.")

    def _check_key(self, environ: Environ) -> None:
        accepted, named = self.key_digests, "one of gateway.apiKeys"
        if self.metrics_digest is not None and self._is_metrics(environ):
            accepted, named = (*accepted, self.metrics_digest), "gateway.metricsKey or one of gateway.apiKeys"
        if not accepted or environ.get("PATH_INFO") in OPEN_PATHS:
            return
        shown = [_digest(text) for text in _keys_shown(environ)]
        if not sum(_is_among(accepted, digest) for digest in shown):  # of all of them, as in _is_among
            wrong = f"is not {named}" if shown else "is missing"
            raise KeyRefused(f"The key of this gateway {wrong}. Send it as Authorization: Bearer KEY, or as x-api-key.")

    def _is_metrics(self, environ: Environ) -> bool:
        """Whether the metrics are asked for. A slash at the end is theirs too, as for every route."""
        return self.metrics and (_text(environ, "PATH_INFO") or "").rstrip("/") == METRICS


def _is_among(accepted: Sequence[bytes], digest: bytes) -> bool:
    """Whether this is an accepted key."""
    found = False
    for known in accepted:  # all of them, so that the time does not tell which one matched
        found |= hmac.compare_digest(digest, known)
    return found


def _check_content(environ: Environ, content_types: Sequence[str]) -> None:
    if environ.get("REQUEST_METHOD") in WITH_BODY:
        kind = _text(environ, "CONTENT_TYPE") or ""
        # A comma joins repeated headers; whatever the first says, a browser may have put it there unasked.
        if "," in kind or kind.partition(";")[0].strip().lower() not in content_types:
            raise NotJsonContent(
                "The body must be JSON and say so: Content-Type: application/json "
                '(for curl: -H "Content-Type: application/json").'
            )
    if (_text(environ, "HTTP_CONTENT_ENCODING") or "identity").lower() != "identity":
        raise NotJsonContent(
            "A compressed body is not accepted; send it without Content-Encoding "
            "(Codex: features.enable_request_compression = false)."
        )


def _is_preflight(environ: Environ) -> bool:
    return (
        environ.get("REQUEST_METHOD") == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _keys_shown(environ: Environ) -> Iterable[bytes]:
    """What the caller offers as a key, in the bytes that came; never empty ones."""
    scheme, _, token = (_text(environ, "HTTP_AUTHORIZATION") or "").partition(" ")
    bearer = token.strip(" \t") if scheme.lower() == "bearer" else ""  # no more: 0xA0 ends characters in UTF-8
    for text in (bearer, _text(environ, "HTTP_X_API_KEY")):
        if text:
            yield text.encode("latin-1", "backslashreplace")


def _digest_of(key: Secret) -> bytes:
    return _digest(key.reveal().encode("utf-8", "surrogatepass"))


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def _normal_origin(origin: str) -> str:
    return origin.strip().rstrip("/").lower()


def _authorities(hosts: Iterable[str], port: int) -> Iterable[str]:
    """Every spelling of Host that is accepted: an entry without a port stands for ours and for none."""
    for host in hosts:
        name, own_port = _split(host.strip().lower())
        if name and own_port:
            yield f"{name}:{own_port}"
        elif name:
            yield from (name, f"{name}:{port}")


def _normal_authority(text: str) -> str:
    """In lower case, without a trailing dot or an empty port.

    Raises:
        BadHttp: no host name with or without a port; a repeated Host, joined by a comma, is none either.
    """
    name, port = _split(text.lower())
    if not name:
        raise BadHttp("The Host header is malformed or there is more than one.")
    return f"{name}:{port}" if port else name


def _split(authority: str) -> tuple[str, str]:
    """The name and the port, each empty where there is none."""
    match = _AUTHORITY.fullmatch(authority)
    return (match["name"].removesuffix("."), match["port"] or "") if match else ("", "")


def _text(environ: Environ, key: str) -> str | None:
    value = environ.get(key)
    return value if isinstance(value, str) else None
