"""The browser flow: an authorization code with PKCE, brought back by the browser or by the person who pastes it.

`BrowserFlow` is the machine: it makes the address to open and judges what comes back, without a clock or a socket.
`Callback` is the slot that the answer is awaited in, whichever way it comes; the socket is in loopback.py.

Sources: RFC 6749 section 4.1, RFC 7636 (PKCE), RFC 8252 (native apps), RFC 9207 (`iss`), RFC 9700 (best practice).
"""

import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from gateway.auth.oauth.callback_server import LoopbackListener, Page
from gateway.auth.oauth.interruptible_wait import wait_until
from gateway.auth.oauth.pkce import METHOD, new_pkce
from gateway.auth.oauth.settings import OAuthError, OAuthRefused, OAuthSettings, TokenReply
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

LIMIT: Final = 300.0
"""Seconds that the answer is awaited; then nothing listens any more."""
_STATE_BYTES: Final = 32
_MAX_FIELDS: Final = 50
_MAX_WORDS: Final = 300  # characters of an error_description that are kept


class NotTheAnswer(Exception):
    """What came is not the answer to this login, which goes on. The text is for the person who pasted it."""


class BrowserTimeout(OAuthError):
    """No answer came within LIMIT."""


class CannotListen(OAuthError):
    """The port that the answer would come to cannot be had."""


class BrowserFlow:
    """One login: the address that starts it, and what an answer means.

    Args:
        settings: with an authorization endpoint.
        redirect_uri: where the server sends the browser with the answer.

    Attributes:
        url: to be opened in a browser. It holds nothing that is secret by itself.
        verifier: for the token request; None without PKCE.
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
        """The code in the query of the redirect.

        Raises:
            NotTheAnswer: it is not for this login: no or another `state`, or not readable.
            OAuthRefused: it is for this login, and says no.
        """
        fields = _fields(query)
        state = fields.get("state", "")
        if not hmac.compare_digest(state.encode(), self._state.encode()):
            raise NotTheAnswer("It does not belong to this login (its state is another one).")
        if self._issuer and "iss" in fields and fields["iss"].rstrip("/") != self._issuer.rstrip("/"):
            raise OAuthRefused("issuer_mismatch", "the answer comes from another server than the configured issuer")
        if "error" in fields:
            raise OAuthRefused(fields["error"][:100], fields.get("error_description", "")[:_MAX_WORDS])
        if not fields.get("code"):
            raise NotTheAnswer("It has no code.")
        return Secret(fields["code"])

    def code_from_pasted(self, text: str) -> Secret:
        """Likewise, from what a person copied: the whole address that the browser ended at, or its query alone.

        Raises:
            NotTheAnswer, OAuthRefused: as for `code_in`.
        """
        text = text.strip().strip("<>\"'")
        if "code=" not in text and "error=" not in text:
            raise NotTheAnswer("Paste the whole address that the browser shows at the end; it has code= in it.")
        _, mark, query = text.partition("?")
        return self.code_in((query if mark else text).partition("#")[0])


def _fields(query: str) -> dict[str, str]:
    """The query's fields; none may stand twice (RFC 6749 section 3.1)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise NotTheAnswer("It cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotTheAnswer("A field of it stands there twice.")
    return fields


def _with_query(endpoint: str, fields: dict[str, str]) -> str:
    """The address with the fields added to the query that it may have already (RFC 6749 section 3.1)."""
    address = urlsplit(endpoint)
    query = "&".join(part for part in (address.query, urlencode(fields, quote_via=quote)) if part)
    return address._replace(query=query, fragment="").geturl()


class Callback:
    """Where the answer to one login is awaited. The listener and the person may both bring it; the first one counts.

    Args:
        flow: judges what comes.
    """

    def __init__(self, flow: BrowserFlow) -> None:
        self._flow = flow
        self._answer: Secret | OAuthRefused | None = None
        self._condition = threading.Condition()

    def arrived(self, query: str) -> tuple[Page, Callable[[], None]]:
        """Judge a redirect.

        Returns:
            The page for the browser, and what to call when it has been written: only then does the wait end, and
            with it the listener.
        """
        with self._condition:
            if self._answer is not None:
                return "over", _nothing
        try:
            code = self._flow.code_in(query)
        except NotTheAnswer:
            return "unknown", _nothing
        except OAuthRefused as refusal:
            no = refusal
            return "refused", lambda: self._settle(no)
        return "received", lambda: self._settle(code)

    def pasted(self, text: str) -> None:
        """Take what a person pasted.

        Raises:
            NotTheAnswer: it is none; the wait goes on.
        """
        try:
            self._settle(self._flow.code_from_pasted(text))
        except OAuthRefused as refusal:
            self._settle(refusal)

    def wait(self, clock: Clock, seconds: float) -> Secret:
        """The code, when it has come.

        Raises:
            OAuthRefused: the answer is no.
            BrowserTimeout: there was none within `seconds`.
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


def _nothing() -> None:
    pass


class BrowserClient(Protocol):
    """What of the OAuth client this flow needs."""

    def exchange(self, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> TokenReply: ...


Show = Callable[[str, Callable[[str], None]], None]
"""Is given the address to open, and `Callback.pasted` for a person whose browser is on another machine."""


def run_browser_flow(client: BrowserClient, settings: OAuthSettings, clock: Clock, show: Show) -> TokenReply:
    """Log in; returns when the browser came back and the code was exchanged. Nothing listens after that.

    Raises:
        CannotListen: the port is taken.
        BrowserTimeout: no answer in LIMIT.
        OAuthRefused, OAuthUnreachable: as the client says, or as the redirect does.
    """
    with _listener(settings) as listener:
        flow = BrowserFlow(settings, listener.redirect_uri)
        callback = Callback(flow)
        listener.start(callback.arrived)
        show(flow.url, callback.pasted)
        code = callback.wait(clock, LIMIT)
    return client.exchange(code, flow.redirect_uri, flow.verifier)


def _listener(settings: OAuthSettings) -> LoopbackListener:
    try:
        return LoopbackListener(settings.redirect_host, settings.redirect_port, settings.redirect_path)
    except OSError as fault:
        where = f"port {settings.redirect_port} (redirectPort)" if settings.redirect_port else "any port"
        raise CannotListen(f"on {where}: {fault.strerror or type(fault).__name__}") from None
