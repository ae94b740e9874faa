"""`login NAME`: choose a flow, go through it with the person, keep the token."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias

from gateway.auth.oauth.browser_flow import (
    WAIT_SECONDS,
    BrowserTimeout,
    CannotListen,
    InvalidCallback,
    run_browser_flow,
)
from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.device_flow import CodeExpired, Denied, run_device_flow
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.responses import DeviceGrant
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.core.clock import Clock
from gateway.core.durations import in_words
from gateway.login.accounts import PROGRAM, LoginFault, moment
from gateway.login.console import Console, line

Flow: TypeAlias = Literal["device", "browser"]

_PREFERRED: Final[Mapping[str, Flow]] = {"device": "device", "authorization_code": "browser"}
_DENIED: Final = frozenset({"access_denied", "authorization_declined"})
_NO_DEVICE: Final = frozenset({"invalid_scope", "unauthorized_client", "unsupported_grant_type", "invalid_client"})
"""What a server says to a client or a scope that it serves in the browser flow only (Google: scopes and types)."""
_MEANING: Final[Mapping[str, str]] = {
    "invalid_client": "it does not accept clientId or clientSecret",
    "unauthorized_client": "this clientId is not registered for this kind of login",
    "unsupported_grant_type": "it does not offer this kind of login",
    "invalid_scope": "it does not grant these scopes",
    "invalid_grant": "it does not accept the code",
    "redirect_uri_mismatch": "the redirect address is not registered there; see redirectPort and redirectPath",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says: which flow (None: choose), and whether a browser may be opened."""

    flow: Flow | None = None
    open_browser: bool = True


@dataclass(frozen=True, slots=True)
class Login:
    """The command.

    Attributes:
        settings: of the provider.
        store: where the token goes.
        console: the person.
        clock: the time.
        environ: for proxies and CA bundles.
    """

    settings: OAuthSettings
    store: TokenStore
    console: Console
    clock: Clock
    environ: Mapping[str, str]

    def run(self, wish: Wish) -> None:
        """Log in.

        Raises:
            LoginFault: it did not come about; the store is as it was.
        """
        flow, settings = choose(self.settings, wish.flow, self._discovered)
        with closing(OAuthClient(settings, self.environ)) as client:
            try:
                reply = self._reply(flow, settings, client, wish)
            except OAuthError as fault:
                raise LoginFault(self._why(fault)) from None
        self._keep(token_from(reply, self.clock.wall()))

    def _discovered(self, settings: OAuthSettings) -> OAuthSettings:
        return with_endpoints(settings, discover(settings, self.environ))

    def _reply(self, flow: Flow, settings: OAuthSettings, client: OAuthClient, wish: Wish) -> TokenReply:
        if flow == "device":
            try:
                return self._by_device(client, wish)
            except OAuthRefused as refusal:
                if refusal.code not in _NO_DEVICE or not settings.authorization_endpoint:
                    raise
                self._offer_browser(refusal)
        return run_browser_flow(client, settings, self.clock, partial(self._show_address, wish))

    def _by_device(self, client: OAuthClient, wish: Wish) -> TokenReply:
        while True:
            try:
                return run_device_flow(client, self.clock, partial(self._show_code, wish), self._say_trouble)
            except CodeExpired:
                if not self.console.interactive or not self.console.ask("The code has expired. Get a new one?"):
                    raise LoginFault(f"The code expired before it was confirmed. {self._again()}") from None

    def _offer_browser(self, refusal: OAuthRefused) -> None:
        said = f"{self._name} refuses the login by code: {self._refusal(refusal)}"
        if not self.console.interactive:
            raise LoginFault(f"{said} The login by browser may work: {self._command()} --browser")
        self.console.say(said)
        if not self.console.ask("Log in by browser instead?"):
            raise LoginFault(f"Not logged in. Later: {self._command()} --browser")

    def _show_code(self, wish: Wish, grant: DeviceGrant) -> None:
        """Always both, code and address: only who compares the code is safe from someone else's (RFC 8628 s. 5.4)."""
        address, code = line(grant.verification_uri), line(grant.user_code)
        complete = grant.verification_uri_complete
        lines = [f"To log in to {self._name}, open this address on any device:", "", f"    {address}", ""]
        lines += ["and enter this code:", "", f"    {code}", ""]
        if complete:
            lines += ["or open this one, and confirm only if it shows the same code:", "", f"    {line(complete)}", ""]
        self.console.say("\n".join(lines))
        if wish.open_browser and self.console.open(complete or grant.verification_uri):
            self.console.say("A browser is opened.")
        self.console.say(f"Waiting until you have confirmed, for at most {in_words(grant.expires_in)}. Ctrl-C stops.")

    def _say_trouble(self, fault: OAuthError, pause: float) -> None:
        self.console.say(f"{self.console.foreign(str(fault))} - asking again in {in_words(pause)}.")

    def _show_address(self, wish: Wish, address: str, pasted: Callable[[str], None]) -> None:
        self.console.say(f"To log in to {self._name}, open this address in a browser:\n\n    {line(address)}\n")
        if wish.open_browser and self.console.open(address):
            self.console.say("A browser is opened.")
        self.console.say(
            "Where the browser runs on another machine, its last page cannot be shown: copy the address of that page"
            " from the browser and paste it here, then press Enter."
        )
        self.console.pasted(partial(self._take, pasted))
        self.console.say(f"Waiting for the answer, for at most {in_words(WAIT_SECONDS)}. Ctrl-C stops.")

    def _take(self, pasted: Callable[[str], None], text: str) -> None:
        try:
            pasted(text)
        except InvalidCallback as fault:
            self.console.say(f"That was not it. {fault}")

    def _keep(self, token: Token) -> None:
        try:
            self.store.put(self._name, token)
        except OSError as fault:
            why = fault.strerror or type(fault).__name__
            raise LoginFault(f"The token cannot be kept: {self.store.path.name}: {why}.") from None
        self.console.say(f"Logged in to {self._name}. {valid_until(token, self.clock.wall())}")

    def _why(self, fault: OAuthError) -> str:
        if isinstance(fault, BrowserTimeout):
            return f"No answer came within {in_words(WAIT_SECONDS)}. {self._again()}"
        if isinstance(fault, CannotListen):
            return f"The answer cannot be awaited {fault}."
        if isinstance(fault, Denied) or (isinstance(fault, OAuthRefused) and fault.code in _DENIED):
            return f"The login to {self._name} was denied: {self.console.foreign(str(fault))}."
        if isinstance(fault, OAuthRefused):
            return f"{self._name} refused the login: {self._refusal(fault)}"
        return f"{self._name} could not be asked: {self.console.foreign(str(fault))}. {self._again()}"

    def _refusal(self, refusal: OAuthRefused) -> str:
        meaning = _MEANING.get(refusal.code)
        said = self.console.foreign(str(refusal))
        return f"{meaning} ({said})." if meaning else f"{said}."

    def _again(self) -> str:
        return f"To try again: {self._command()}"

    def _command(self) -> str:
        return f"{PROGRAM} login {self._name}"

    @property
    def _name(self) -> str:
        return self.settings.provider


def choose(
    settings: OAuthSettings, wanted: Flow | None, discovered: Callable[[OAuthSettings], OAuthSettings]
) -> tuple[Flow, OAuthSettings]:
    """The flow, and the settings with all endpoints that it needs.

    What is said decides: the command line, then authType; else the device flow where the server offers one, because
    it works from any machine; else the browser.

    Args:
        settings: as configured.
        wanted: what the command line says.
        discovered: fills in what the server publishes; asked only where an endpoint is missing.

    Raises:
        LoginFault: an endpoint is missing.
    """
    flow = wanted or (_PREFERRED[settings.prefers] if settings.prefers else None)
    if _missing(settings, flow or "device"):
        settings = discovered(settings)
    flow = flow or ("device" if settings.device_authorization_endpoint else "browser")
    missing = _missing(settings, flow)
    if missing:
        where = settings.issuer or settings.authorization_endpoint or settings.token_endpoint
        looked = f" and {line(where)} does not publish it or cannot be asked" if where else ""
        raise LoginFault(f"The {flow} login to {settings.provider} needs {missing}: it is not configured{looked}.", 2)
    return flow, settings


def _missing(settings: OAuthSettings, flow: Flow) -> str | None:
    """The key of an endpoint that this flow needs and nobody has told."""
    if flow == "device" and not settings.device_authorization_endpoint:
        return "deviceAuthorizationEndpoint"
    if flow == "browser" and not settings.authorization_endpoint:
        return "authEndpoint"
    return None if settings.token_endpoint else "tokenEndpoint"


def valid_until(token: Token, now: float) -> str:
    """In a sentence or two: until when, and what comes then."""
    renewed = "It is renewed by itself." if token.refresh_token else "After that, log in again."
    if token.expires_at is None:
        return "The server did not say how long the token is valid."
    left = in_words(max(token.expires_at - now, 0.0))
    return f"The token is valid until {moment(token.expires_at)} ({left}). {renewed}"
