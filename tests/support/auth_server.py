"""A real authorization server on 127.0.0.1, for every test about logins and renewals.

    with AuthServer(client_secret="s3cret") as server:
        client = OAuthClient(server.settings(), {})
        grant = client.start_device()
        server.approve(grant.user_code)
        reply = client.poll_device(grant.device_code)
        assert server.check(reply.access_token.reveal())

Only the code under test uses its sockets; other processes reach it by its `url`. It checks what real servers check: the
client's authentication (urlencoded, as RFC 6749 section 2.3.1 requires), PKCE, the single use of codes. Refresh tokens
rotate, and the reuse of one ends its family. `grants` has the state and the settings of tokens.
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self
from urllib.parse import unquote_plus, urlencode, urlsplit

from gateway.auth.oauth.settings import AuthMethod, OAuthSettings
from gateway.core.clock import Clock, SystemClock
from gateway.core.secrets import Secret
from tests.support.auth_grants import Grants, Refusal
from tests.support.auth_sockets import HANG_SECONDS, Fault, HttpServer, Raw, Received

__all__ = ["AuthServer", "Raw", "Received"]

DOCUMENTS = ("openid-configuration", "oauth-authorization-server")
_ENCODED = re.compile(r"[A-Za-z0-9._~*+%-]*")


class AuthServer:
    """The server; it serves between `with` and its end.

    Args:
        client_id: the only client that it knows.
        client_secret: None for a public client.
        clock: for expiry; its `wall` is called by many threads.

    Attributes, to be set at any time:
        discovery: the documents that are published under /.well-known/.
        document: fields that replace those of the document; None removes a field.
        device: whether there is a device endpoint.
        denies: whether the person at /authorize denies the login.
        next_token_answers: the answers to the next requests to /token; the usual one when it is empty.
        next_device_answers, next_revoke_answers: likewise.
        grants: tokens, codes and their settings.
    """

    def __init__(
        self, client_id: str = "client-1", client_secret: str | None = None, clock: Clock | None = None
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.grants = Grants((clock or SystemClock()).wall)
        self.discovery: tuple[str, ...] = DOCUMENTS
        self.document: dict[str, object] = {}
        self.device = True
        self.denies = False
        self.next_token_answers: list[Fault] = []
        self.next_device_answers: list[Fault] = []
        self.next_revoke_answers: list[Fault] = []
        self._requests: list[Received] = []
        self._faults: list[BaseException] = []
        self._came = threading.Condition()
        self._http = HttpServer(self)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._serving = threading.Thread(
            target=self._http.serve_forever, args=(0.002,), name="auth-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._serving.join(HANG_SECONDS)
        assert not self._faults, f"the server failed: {self._faults!r}"

    @property
    def authorization_endpoint(self) -> str:
        return f"{self.url}/authorize"

    @property
    def token_endpoint(self) -> str:
        return f"{self.url}/token"

    @property
    def device_authorization_endpoint(self) -> str:
        return f"{self.url}/device_authorization"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.url}/revoke"

    @property
    def api_url(self) -> str:
        """A resource that answers 200 to a valid Bearer token and 401 to any other."""
        return f"{self.url}/api"

    def settings(self, auth_method: AuthMethod | None = None, provider: str = "acme") -> OAuthSettings:
        """The settings of a client of this server, with every endpoint."""
        return OAuthSettings(
            provider,
            self.client_id,
            None if self.client_secret is None else Secret(self.client_secret),
            issuer=self.url,
            authorization_endpoint=self.authorization_endpoint,
            token_endpoint=self.token_endpoint,
            device_authorization_endpoint=self.device_authorization_endpoint,
            revocation_endpoint=self.revocation_endpoint,
            scopes=("chat", "offline_access"),
            auth_method=auth_method or ("none" if self.client_secret is None else "client_secret_post"),
        )

    def bare_settings(self) -> OAuthSettings:
        """The settings of the four usual keys: client, authorization and token endpoint. Discovery finds the rest."""
        return replace(
            self.settings(), issuer=None, device_authorization_endpoint=None, revocation_endpoint=None, scopes=()
        )

    def approve(self, user_code: str) -> None:
        """Confirm the code, as the person would."""
        self.grants.decide(user_code, "approved")

    def deny(self, user_code: str) -> None:
        """Deny the code, as the person would."""
        self.grants.decide(user_code, "denied")

    def check(self, access_token: str) -> bool:
        """Whether the token is valid."""
        return self.grants.check(access_token)

    @property
    def requests(self) -> list[Received]:
        """The requests so far."""
        with self._came:
            return list(self._requests)

    def received(self, path: str, grant_type: str | None = None) -> list[Received]:
        """The requests to one path, such as `/token`, of one grant type if given."""
        return [each for each in self.requests if each.path == path and grant_type in (None, each.grant_type)]

    def count(self, grant_type: str) -> int:
        """The number of token requests of a grant type."""
        return len(self.received("/token", grant_type))

    def wait_for(self, path: str, count: int) -> list[Received]:
        """Wait for `count` requests to a path, and return them."""
        with self._came:
            enough = self._came.wait_for(
                lambda: sum(each.path == path for each in self._requests) >= count, HANG_SECONDS
            )
        assert enough, f"fewer than {count} requests to {path} came"
        return self.received(path)

    # What the handler asks, from many threads ---------------------------------------------------------------------

    def record(self, request: Received) -> None:
        with self._came:
            self._requests.append(request)
            self._came.notify_all()

    def failed(self, fault: BaseException) -> None:
        with self._came:
            self._faults.append(fault)

    def next_fault(self, path: str) -> Fault | None:
        scripts = {
            "/token": self.next_token_answers,
            "/device_authorization": self.next_device_answers,
            "/revoke": self.next_revoke_answers,
        }
        with self._came:
            script = scripts.get(path, [])
            return script.pop(0) if script else None

    def answer(self, request: Received) -> Raw:
        """The correct answer."""
        path, fields = request.path, request.fields
        try:
            if path == "/token" and request.method == "POST":
                self._authenticate(request)
                return _json(self.grants.token(fields))
            if path == "/device_authorization" and request.method == "POST" and self.device:
                self._authenticate(request)
                return _json(self._device_grant(fields))
            if path == "/revoke" and request.method == "POST":
                self._authenticate(request)
                self.grants.revoke(fields["token"])
                return Raw(200)
            if path == "/authorize":
                return self._authorize(fields)
            if path == "/device":
                self.approve(fields["user_code"])
                return Raw(200, {"Content-Type": "text/html"}, b"<p>Confirmed.")
            if path == "/api":
                return self._api(request)
            if path in {f"/.well-known/{name}" for name in self.discovery}:
                return _json({name: value for name, value in self._document().items() if value is not None})
        except Refusal as refusal:
            return _refused(refusal)
        return Raw(404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>")

    def _document(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": self.authorization_endpoint,
            "token_endpoint": self.token_endpoint,
            "device_authorization_endpoint": self.device_authorization_endpoint if self.device else None,
            "revocation_endpoint": self.revocation_endpoint,
            "code_challenge_methods_supported": ["S256"],
            **self.document,
        }

    def _device_grant(self, fields: Mapping[str, str]) -> dict[str, object]:
        device_code, user_code = self.grants.start_device(fields)
        uri = f"{self.url}/device"
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": uri,
            "verification_uri_complete": f"{uri}?{urlencode({'user_code': user_code})}",
            "expires_in": self.grants.device_lifetime,
            "interval": self.grants.interval,
        }

    def _authorize(self, fields: Mapping[str, str]) -> Raw:
        """Redirect to the client at once, as if the person had decided."""
        redirect_uri = fields.get("redirect_uri", "")
        if fields.get("client_id") != self.client_id or urlsplit(redirect_uri).hostname not in (
            "127.0.0.1",
            "localhost",
        ):
            return Raw(400, {"Content-Type": "text/html"}, b"<h1>Unknown client or redirect_uri</h1>")
        told = {"state": fields["state"]} if "state" in fields else {}
        try:
            if self.denies:
                raise Refusal("access_denied", "the person said no")
            result = {"code": self.grants.authorize(fields)}
        except Refusal as refusal:
            result = {"error": refusal.code, "error_description": refusal.description}
        mark = "&" if urlsplit(redirect_uri).query else "?"
        return Raw(302, {"Location": f"{redirect_uri}{mark}{urlencode({**result, **told, 'iss': self.url})}"})

    def _api(self, request: Received) -> Raw:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.check(token):
            return _json({"ok": True})
        return replace(
            _json({"error": "invalid_token"}, 401), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
        )

    def _authenticate(self, request: Received) -> None:
        """Accept one method at a time (RFC 6749 section 2.3), with both halves of Basic urlencoded."""
        fields, header = request.fields, request.headers.get("authorization")
        if header is not None and "client_secret" in fields:
            raise Refusal("invalid_request", "two ways of client authentication at once")
        shown = (fields.get("client_id", ""), fields.get("client_secret")) if header is None else _basic(header)
        if shown != (self.client_id, self.client_secret):
            raise Refusal("invalid_client", "unknown client, or its secret is wrong", 401)


def _basic(header: str) -> tuple[str, str] | None:
    kind, _, value = header.partition(" ")
    try:
        halves = base64.b64decode(value, validate=True).decode("ascii").split(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if kind.lower() != "basic" or len(halves) != 2 or not all(_ENCODED.fullmatch(half) for half in halves):
        return None
    return unquote_plus(halves[0], errors="strict"), unquote_plus(halves[1], errors="strict")


def _json(value: object, status: int = 200) -> Raw:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Raw(status, headers, json.dumps(value).encode())


def _refused(refusal: Refusal) -> Raw:
    words = {"error_description": refusal.description} if refusal.description else {}
    return _json({"error": refusal.code, **words}, refusal.status)
