"""Who may ask: the decision about a request before anything is done for it.

A server on 127.0.0.1 is reachable by every web page that the user opens, directly (a form, `fetch`) or through a host
name that an attacker points at 127.0.0.1 (DNS rebinding). So the Host, the Origin, what the browser says about the
page, the content type and the key are checked here, on every route, from the WSGI environ alone: no Flask and no
socket, so that whatever serves the request can ask first.

Sources: RFC 9110 section 7.2 and RFC 9112 section 3.2 (Host), https://fetch.spec.whatwg.org (CORS), https://www.w3.org/TR/fetch-metadata/.
"""

import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.clients.client import ANYONE, NOBODY, Client, clients_by_digest
from gateway.config import schema
from gateway.config.clients import Client as ClientSettings
from gateway.core.client_key import digest_of, key_digest
from gateway.core.errors import AdminOnly, BadHttp, HostRefused, KeyRefused, NotJsonContent, OriginRefused
from gateway.core.program import command
from gateway.core.secrets import Secret
from gateway.core.this_machine import is_this_machine, reachable_from_here
from gateway.httpd.interfaces import AUTHORITY, NOTES
from gateway.server.authority import authorities, normal_authority
from gateway.server.cors import EXPOSED_HEADERS, PREFLIGHT_HEADERS
from gateway.server.origins import Environ, asks_for_own, is_preflight, normal_origin, own_origin
from gateway.server.paths import HEALTH, METRICS, PAGE_FILES, acts

USUAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""Of this machine, as nearly every client writes it; found without parsing."""
OPEN_PATHS: Final = frozenset({HEALTH, "/"})
"""Paths that answer without a key: for a supervisor, and the page, which holds no data and asks for the key."""
PAGE_HEADER: Final = "HTTP_X_GATEWAY_TOKEN"
"""In WSGI's environ. No page of another origin can send it: it is not among ALLOWED_HEADERS."""

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
OWN_PAGES: Final = frozenset({"none", "same-origin"})
"""Sec-Fetch-Site of what the user started, or of a page of ours."""

_PORT: Final = re.compile(r":[0-9]+\Z", re.ASCII)
_CLIENT: Final = 16
_SHOWN: Final = 100
"""Characters of a Host that a message repeats."""

_DECISION: Final = "decision"
"""Its place among the notes of a head."""


@dataclass(frozen=True)
class Guard:
    """Decides whether a request is looked at. Immutable, so every thread may ask at once.

    Args:
        port: the one that is served.
        allowed_hosts: names to accept besides those of this machine, as name or name:port.
        allowed_origins: origins of web pages that may call, as a browser writes them (`https://name[:port]`). `null`
            and `*` never match.
        clients: who may call, by the SHA-256 of their keys.
        keyed: whether callers need a key.
        now: wall seconds, for keys that expire.
        exposed: whether other machines may reach the gateway. Then a name of this machine may have any port: one that
            a container publishes, or a tunnel has, need not be ours.
        metrics: whether /metrics is served.
        page_digest: SHA-256 of the page's token, which stands for a key; None where there is none.
        metrics_digest: SHA-256 of the key that opens it beside those. Where this is the only key, /metrics needs it.
    """

    port: int
    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]
    clients: Mapping[bytes, Client] = field(repr=False)
    keyed: bool = False
    now: Callable[[], float] = time.time
    exposed: bool = False
    metrics: bool = False
    metrics_digest: bytes | None = field(default=None, repr=False)
    page_digest: bytes | None = field(default=None, repr=False)
    _authorities: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        hosts = (*USUAL_NAMES, *self.allowed_hosts)
        origins = {normal_origin(each) for each in self.allowed_origins if "://" in each}
        object.__setattr__(self, "_authorities", frozenset(authorities(hosts, self.port)))
        object.__setattr__(self, "allowed_origins", frozenset(origins))

    @classmethod
    def of(
        cls,
        settings: schema.Gateway,
        port: int,
        clients: Sequence[ClientSettings] = (),
        page_token: Secret | None = None,
        now: Callable[[], float] = time.time,
    ) -> "Guard":
        """The guard that the configuration describes.

        Args:
            settings: the section `gateway`. Its host counts as allowed: whoever listens on 127.0.0.2 is asked by it.
                0.0.0.0 and :: are no name of anyone.
            port: the one that is served, which differs from the configured one where that is 0.
            clients: the section `clients`.
            page_token: of the page; None where nobody has one.
            now: wall seconds.
        """
        host = reachable_from_here(settings.host)
        host = f"[{host.strip('[]')}]" if ":" in host else host
        return cls(
            port=port,
            allowed_hosts=frozenset({*settings.allowed_hosts, host}),
            allowed_origins=frozenset(settings.allowed_origins),
            clients=clients_by_digest(settings.api_keys, clients),
            keyed=bool(settings.api_keys or clients),
            now=now,
            exposed=settings.exposed,
            metrics=settings.metrics,
            metrics_digest=digest_of(settings.metrics_key) if settings.metrics_key else None,
            page_digest=digest_of(page_token) if page_token else None,
        )

    def check(self, environ: Environ, content_types: Sequence[str] = ("application/json",)) -> Client:
        """Who asks, if the request may be looked at.

        Args:
            content_types: of bodies that the path takes.
            environ: WSGI's, in which the server joined repeated headers by a comma; `gateway.authority` is the
                authority of an absolute-form request target, where there was one.

        Raises:
            BadHttp: Host is missing, repeated or malformed.
            HostRefused: Host is someone else's name.
            OriginRefused: a web page asks that may not.
            NotJsonContent: a body of another content type, or a compressed one.
            KeyRefused: keys are configured and none of them is shown, or one that has expired; or the request acts and
                has no right to.
        """
        notes = environ.get(NOTES)
        decision = None if notes is None else notes.get(_DECISION)
        if decision is not None and decision[0] is self:
            client: Client = decision[1]
            return client
        client = self._decided(environ, content_types)
        if notes is not None and client.ends is None:
            # The head alone decides, so the same one needs not be looked at again (13 us with the digest of its key).
            notes[_DECISION] = self, client
        return client

    def _decided(self, environ: Environ, content_types: Sequence[str]) -> Client:
        self._check_host(environ)
        self._check_page(environ)
        if is_preflight(environ):
            return NOBODY  # a preflight cannot carry a key; it got here, so its origin is an allowed one
        _check_content(environ, content_types)
        return self._check_key(environ)

    def check_admin(self, client: Client) -> None:
        """Return if a client may do what concerns everybody. Raises AdminOnly."""
        if not client.admin:
            raise AdminOnly("This needs a key of gateway.apiKeys, or of a client with `admin: true`.")

    def owner(self, environ: Environ) -> str:
        """Whose answers are whose, as far as keys tell: the same text for the same key; "" where no key is needed."""
        digest = self._known(map(key_digest, _keys_shown(environ)))
        return digest.hex()[:_CLIENT] if digest else ""

    def name(self, environ: Environ) -> str:
        """The name of the client that asks, whether its key is still good or not; "" where it has none."""
        digest = self._known(map(key_digest, _keys_shown(environ)))
        return self.clients[digest].name if digest else ""

    def cors_headers(self, environ: Environ) -> list[tuple[str, str]]:
        """Headers that let an allowed page read the reply, refused ones included; none for anyone else."""
        if not self.allowed_origins:
            return []
        origin = environ.get("HTTP_ORIGIN")
        if origin not in self.allowed_origins or origin is None or asks_for_own(environ):
            return [("Vary", "Origin")]
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if is_preflight(environ):
            return [*headers, *PREFLIGHT_HEADERS]
        return [*headers, ("Access-Control-Expose-Headers", EXPOSED_HEADERS)]

    def _check_host(self, environ: Environ) -> None:
        host = environ.get("HTTP_HOST")
        if not host:
            raise BadHttp("The request has no Host header.")
        authority = environ.get(AUTHORITY)
        if authority is None and host.lower() in self._authorities:
            return
        normal = normal_authority(host)  # even where the target's authority replaces it (RFC 9112 section 3.2.2)
        if authority is not None:
            normal = normal_authority(authority)
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
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or origin == own_origin(environ):
            if environ.get("HTTP_SEC_FETCH_SITE", "none") not in OWN_PAGES:
                raise OriginRefused("A web page of another site may not call; see gateway.allowedOrigins.")
        else:
            if asks_for_own(environ):  # an allowed page may ask models, and neither act nor see who asks what
                raise OriginRefused("Only the gateway's own page may read this, and no other web page.")
            if origin not in self.allowed_origins:
                raise OriginRefused("Web pages of this origin may not call; see gateway.allowedOrigins.")

    def _check_key(self, environ: Environ) -> Client:
        path = environ.get("PATH_INFO") or ""
        opens_metrics = self.metrics_digest is not None and self._is_metrics(environ)
        if not acts(path) and not (self.keyed or opens_metrics):
            return ANYONE
        if path in OPEN_PATHS or path.startswith(PAGE_FILES):
            return NOBODY
        if self._has_page_token(environ):
            return ANYONE
        shown = list(map(key_digest, _keys_shown(environ)))
        known = self._known(shown)
        found = None if known is None else self.clients[known]
        if found is None and opens_metrics and self.metrics_digest in shown:
            found = ANYONE
        if found is None:
            raise self._refused(bool(shown), opens_metrics)
        if found.ends is not None and self.now() >= found.ends:
            raise KeyRefused("This key of the gateway has expired. Ask whoever runs it for another one.")
        return found

    def _refused(self, shown: bool, opens_metrics: bool) -> KeyRefused:
        """Why nobody is known, and what to do."""
        if not (self.keyed or opens_metrics):
            return KeyRefused(
                f"This needs the page's token: open the page with `{command('open')}`, or send the token as "
                "x-gateway-token."
            )
        named = f"{'gateway.metricsKey or ' if opens_metrics else ''}one of gateway.apiKeys or clients"
        wrong = f"is not {named}" if shown else "is missing"
        return KeyRefused(f"The key of this gateway {wrong}. Send it as Authorization: Bearer KEY, or as x-api-key.")

    def _known(self, shown: Iterable[bytes]) -> bytes | None:
        """The first of the digests that is a client's."""
        for digest in shown:
            if digest in self.clients:
                return digest
        return None

    def _has_page_token(self, environ: Environ) -> bool:
        token = environ.get(PAGE_HEADER)
        if not token or self.page_digest is None:
            return False
        return hmac.compare_digest(self.page_digest, key_digest(token.encode("latin-1", "backslashreplace")))

    def _is_metrics(self, environ: Environ) -> bool:
        """Whether the metrics are asked for. A slash at the end is theirs too, as for every route."""
        return self.metrics and (environ.get("PATH_INFO") or "").rstrip("/") == METRICS


def _check_content(environ: Environ, content_types: Sequence[str]) -> None:
    if environ.get("REQUEST_METHOD") in WITH_BODY:
        kind = environ.get("CONTENT_TYPE") or ""
        # A comma joins repeated headers; whatever the first says, a browser may have put it there unasked.
        if "," in kind or kind.partition(";")[0].strip().lower() not in content_types:
            raise NotJsonContent(
                "The body must be JSON and say so: Content-Type: application/json "
                '(for curl: -H "Content-Type: application/json").'
            )
    if (environ.get("HTTP_CONTENT_ENCODING") or "identity").lower() != "identity":
        raise NotJsonContent(
            "A compressed body is not accepted; send it without Content-Encoding "
            "(Codex: features.enable_request_compression = false)."
        )


def _keys_shown(environ: Environ) -> list[bytes]:
    """What the caller offers as a key, in the bytes that came; never empty ones."""
    scheme, _, token = (environ.get("HTTP_AUTHORIZATION") or "").partition(" ")
    bearer = token.strip(" \t") if scheme.lower() == "bearer" else ""  # no more: 0xA0 ends characters in UTF-8
    return [text.encode("latin-1", "backslashreplace") for text in (bearer, environ.get("HTTP_X_API_KEY")) if text]
