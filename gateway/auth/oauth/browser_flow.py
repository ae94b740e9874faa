"""The browser flow: an authorization code with PKCE, from the browser's redirect or from a pasted address.

`BrowserFlow` makes the address to open and checks the callback, without a clock or a socket. `PendingCallback` waits
for the callback, whichever way it comes. The socket is in callback_server.py.

Sources: RFC 6749 section 4.1, RFC 7636 (PKCE), RFC 8252 (native apps), RFC 9207 (`iss`), RFC 9700 (best practice).
"""

import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from gateway.auth.oauth.callback_server import CallbackServer, Page
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.interruptible_wait import wait_until
from gateway.auth.oauth.pkce import METHOD, new_pkce
from gateway.auth.oauth.settings import OAuthSettings
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.clock import Clock
from gateway.core.no_op import no_op
from gateway.core.secrets import Secret

WAIT_SECONDS: Final = 300.0
"""Seconds to wait for the callback; then nothing listens any more."""
_STATE_BYTES: Final = 32
_MAX_FIELDS: Final = 50
_MAX_DESCRIPTION: Final = 300  # characters of an error_description that are kept


class InvalidCallback(Exception):
    """Not the callback of this login, which goes on waiting. The text is for the person who pasted it."""


class BrowserTimeout(OAuthError):
    """No callback came within WAIT_SECONDS."""


class CannotListen(OAuthError):
    """The callback's port cannot be listened on."""


class BrowserFlow:
    """One login: the address that starts it, and the check of its callback.

    Args:
        settings: with an authorization endpoint.
        redirect_uri: the address that the server redirects the browser to.

    Attributes:
        url: the address to open in a browser. It contains no secret by itself.
        verifier: PKCE's, for the token request; None without PKCE.
    """

    def __init__(self, settings: OAuthSettings, redirect_uri: str) -> None:
        self._issuer = settings.issuer
        self._state = secrets.token_urlsafe(_STATE_BYTES)
        self.redirect_uri = redirect_uri
        pkce = new_pkce() if settings.pkce else None
        self.verifier = pkce.verifier if pkce else None
        self.url = _with_query(
            settings.authorization_endpoint or "",
            {
                **settings.extra_auth_params,
                "response_type": "code",
                "client_id": settings.client_id,
                "redirect_uri": redirect_uri,
                "state": self._state,
                **({"scope": " ".join(settings.scopes)} if settings.scopes else {}),
                **({"audience": settings.audience} if settings.audience else {}),
                **({"resource": settings.resource} if settings.resource else {}),
                **({"code_challenge": pkce.challenge, "code_challenge_method": METHOD} if pkce else {}),
            },
        )

    def code_in(self, query: str) -> Secret:
        """The authorization code in the query of the redirect.

        Raises:
            InvalidCallback: the query is unreadable, or its `state` is missing or that of another login.
            OAuthRefused: the server refused this login.
        """
        fields = _fields(query)
        state = fields.get("state", "")
        if not hmac.compare_digest(state.encode(), self._state.encode()):
            raise InvalidCallback("It does not belong to this login (its state is another one).")
        if self._issuer and "iss" in fields and fields["iss"].rstrip("/") != self._issuer.rstrip("/"):
            raise OAuthRefused("issuer_mismatch", "the answer comes from another server than the configured issuer")
        if "error" in fields:
            raise OAuthRefused(fields["error"][:100], fields.get("error_description", "")[:_MAX_DESCRIPTION])
        if not fields.get("code"):
            raise InvalidCallback("It has no code.")
        return Secret(fields["code"])

    def code_from_pasted(self, text: str) -> Secret:
        """The code in a pasted text: the whole address of the browser's last page, or its query alone.

        Raises:
            InvalidCallback, OAuthRefused: as for `code_in`.
        """
        text = text.strip().strip("<>\"'")
        if "code=" not in text and "error=" not in text:
            raise InvalidCallback("Paste the whole address that the browser shows at the end; it has code= in it.")
        _, mark, query = text.partition("?")
        return self.code_in((query if mark else text).partition("#")[0])


def _fields(query: str) -> dict[str, str]:
    """The query's fields; no field may be repeated (RFC 6749 section 3.1)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise InvalidCallback("It cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidCallback("A field of it stands there twice.")
    return fields


def _with_query(endpoint: str, fields: dict[str, str]) -> str:
    """The endpoint with the fields appended to the query that it may already have (RFC 6749 section 3.1)."""
    address = urlsplit(endpoint)
    query = "&".join(part for part in (address.query, urlencode(fields, quote_via=quote)) if part)
    return address._replace(query=query, fragment="").geturl()


class PendingCallback:
    """Waits for one login's callback. It may come from the callback server or from a paste; the first one counts.

    Args:
        flow: checks the callback.
    """

    def __init__(self, flow: BrowserFlow) -> None:
        self._flow = flow
        self._answer: Secret | OAuthRefused | None = None
        self._condition = threading.Condition()

    def redirected(self, query: str) -> tuple[Page, Callable[[], None]]:
        """Take a redirect's query.

        Returns:
            The page for the browser, and a function to call when the page has been written. Only then does the wait
            end, and the server with it.
        """
        with self._condition:
            if self._answer is not None:
                return "over", no_op
        try:
            code = self._flow.code_in(query)
        except InvalidCallback:
            return "unknown", no_op
        except OAuthRefused as refusal:
            refused = refusal
            return "refused", lambda: self._settle(refused)
        return "received", lambda: self._settle(code)

    def pasted(self, text: str) -> None:
        """Take a pasted text.

        Raises:
            InvalidCallback: the text is not this login's callback; the wait goes on.
        """
        try:
            self._settle(self._flow.code_from_pasted(text))
        except OAuthRefused as refusal:
            self._settle(refusal)

    def wait(self, clock: Clock, seconds: float) -> Secret:
        """Wait for the authorization code.

        Raises:
            OAuthRefused: the server refused the login.
            BrowserTimeout: no callback came within `seconds`.
        """
        deadline = clock.monotonic() + seconds
        with self._condition:
            wait_until(clock, self._condition, deadline, lambda: self._answer is not None)
            answer = self._answer
        if answer is None:
            raise BrowserTimeout("no answer came from the browser in time")
        if isinstance(answer, OAuthRefused):
            raise answer
        return answer

    def _settle(self, answer: Secret | OAuthRefused) -> None:
        with self._condition:
            if self._answer is None:
                self._answer = answer
            self._condition.notify_all()


class BrowserClient(Protocol):
    """The part of the OAuth client that this flow needs."""

    def exchange(self, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> TokenReply: ...


Show = Callable[[str, Callable[[str], None]], None]
"""Called with the address to open, and with `PendingCallback.pasted` for a browser on another machine."""


def run_browser_flow(client: BrowserClient, settings: OAuthSettings, clock: Clock, show: Show) -> TokenReply:
    """Log in. Returns when the callback came and its code was exchanged. Nothing listens after that.

    Raises:
        CannotListen: the port is taken.
        BrowserTimeout: no callback came in WAIT_SECONDS.
        OAuthRefused: the redirect or the token endpoint refused the login.
        OAuthUnreachable: the token endpoint could not be asked.
    """
    with _callback_server(settings) as server:
        flow = BrowserFlow(settings, server.redirect_uri)
        callback = PendingCallback(flow)
        server.start(callback.redirected)
        show(flow.url, callback.pasted)
        code = callback.wait(clock, WAIT_SECONDS)
    return client.exchange(code, flow.redirect_uri, flow.verifier)


def _callback_server(settings: OAuthSettings) -> CallbackServer:
    try:
        return CallbackServer(settings.redirect_host, settings.redirect_port, settings.redirect_path)
    except OSError as fault:
        where = f"port {settings.redirect_port} (redirectPort)" if settings.redirect_port else "any port"
        raise CannotListen(f"on {where}: {fault.strerror or type(fault).__name__}") from None
