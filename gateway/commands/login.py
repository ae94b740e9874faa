"""`login NAME`: chooses a flow, guides the person through it, and stores the token.

The protocol is in gateway.auth.oauth; this module has the texts and the order of the steps.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.auth.oauth.browser_flow import (
    WAIT_SECONDS,
    BrowserTimeout,
    CannotListen,
    InvalidCallback,
    run_browser_flow,
)
from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.device_flow import CodeExpired, run_device_flow
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.flow_choice import Flow, MissingEndpoint, choose
from gateway.auth.oauth.login_texts import NO_DEVICE, failure_text, refusal_text
from gateway.auth.oauth.responses import DeviceGrant
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.commands.accounts import PROGRAM, CommandFailed
from gateway.commands.console import Console, one_line, utc_time
from gateway.core.clock import Clock
from gateway.core.durations import in_words

PROOF_SECONDS: Final = 10.0
"""Seconds to wait for the store before the login. A gateway that renews holds it for a moment."""


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """The command line's options: the flow (None: choose), and whether a browser may be opened."""

    flow: Flow | None = None
    open_browser: bool = True


@dataclass(frozen=True, slots=True)
class Login:
    """The command.

    Attributes:
        settings: the provider's.
        store: for the new token.
        console: shows texts to the person and asks.
        clock: the time.
        environ: for proxies and CA bundles.
    """

    settings: OAuthSettings
    store: TokenStore
    console: Console
    clock: Clock
    environ: Mapping[str, str]

    def run(self, options: LoginOptions) -> None:
        """Log in.

        The person is only asked once it is sure that the token can be kept: a code or a login may be spent by then.

        Raises:
            CommandFailed: the login failed; the store is unchanged.
        """
        try:
            self.store.check_writable(PROOF_SECONDS)
        except OSError as fault:
            raise CommandFailed(f"A token could not be kept: {cannot_write(self.store.path, fault)}") from None
        try:
            flow, settings = choose(self.settings, options.flow, self._discovered)
        except MissingEndpoint as fault:
            raise CommandFailed(str(fault), 2) from None
        with closing(OAuthClient(settings, self.environ)) as client:
            try:
                reply = self._reply(flow, settings, client, options)
            except OAuthError as fault:
                raise CommandFailed(self._failure_text(fault)) from None
        self._save(token_from(reply, self.clock.wall()))

    def _discovered(self, settings: OAuthSettings) -> OAuthSettings:
        return with_endpoints(settings, discover(settings, self.environ))

    def _reply(self, flow: Flow, settings: OAuthSettings, client: OAuthClient, options: LoginOptions) -> TokenReply:
        if flow == "device":
            try:
                return self._by_device(client, options)
            except OAuthRefused as refusal:
                if refusal.code not in NO_DEVICE or not settings.authorization_endpoint:
                    raise
                self._offer_browser(refusal)
        return run_browser_flow(client, settings, self.clock, partial(self._show_address, options))

    def _by_device(self, client: OAuthClient, options: LoginOptions) -> TokenReply:
        while True:
            try:
                return run_device_flow(client, self.clock, partial(self._show_code, options), self._say_retrying)
            except CodeExpired:
                if not self.console.interactive or not self.console.ask("The code has expired. Get a new one?"):
                    raise CommandFailed(f"The code expired before it was confirmed. {self._retry_hint()}") from None

    def _offer_browser(self, refusal: OAuthRefused) -> None:
        reason = f"{self._name} refuses the login by code: {refusal_text(refusal, self.console.printable)}"
        if not self.console.interactive:
            raise CommandFailed(f"{reason} The login by browser may work: {self._command()} --browser")
        self.console.say(reason)
        if not self.console.ask("Log in by browser instead?"):
            raise CommandFailed(f"Not logged in. Later: {self._command()} --browser")

    def _show_code(self, options: LoginOptions, grant: DeviceGrant) -> None:
        """Show the code and the address, always both: comparing the code protects the person from confirming another
        login (RFC 8628 section 5.4)."""
        address, code = one_line(grant.verification_uri), one_line(grant.user_code)
        complete = grant.verification_uri_complete
        lines = [f"To log in to {self._name}, open this address on any device:", "", f"    {address}", ""]
        lines += ["and enter this code:", "", f"    {code}", ""]
        if complete:
            lines += [
                "or open this one, and confirm only if it shows the same code:",
                "",
                f"    {one_line(complete)}",
                "",
            ]
        self.console.say("\n".join(lines))
        if options.open_browser and self.console.open(complete or grant.verification_uri):
            self.console.say("A browser is opened.")
        self.console.say(f"Waiting until you have confirmed, for at most {in_words(grant.expires_in)}. Ctrl-C stops.")

    def _say_retrying(self, fault: OAuthError, pause: float) -> None:
        self.console.say(f"{self.console.printable(str(fault))} - asking again in {in_words(pause)}.")

    def _show_address(self, options: LoginOptions, address: str, pasted: Callable[[str], None]) -> None:
        self.console.say(f"To log in to {self._name}, open this address in a browser:\n\n    {one_line(address)}\n")
        if options.open_browser and self.console.open(address):
            self.console.say("A browser is opened.")
        self.console.say(
            "Where the browser runs on another machine, its last page cannot be shown: copy the address of that page"
            " from the browser and paste it here, then press Enter."
        )
        self.console.on_paste(partial(self._take, pasted))
        self.console.say(f"Waiting for the answer, for at most {in_words(WAIT_SECONDS)}. Ctrl-C stops.")

    def _take(self, pasted: Callable[[str], None], text: str) -> None:
        try:
            pasted(text)
        except InvalidCallback as fault:
            self.console.say(f"That was not it. {fault}")

    def _save(self, token: Token) -> None:
        try:
            self.store.put(self._name, token)
        except OSError as fault:
            raise CommandFailed(f"The token cannot be kept: {cannot_write(self.store.path, fault)}") from None
        self.console.say(f"Logged in to {self._name}. {valid_until(token, self.clock.wall())}")

    def _failure_text(self, fault: OAuthError) -> str:
        if isinstance(fault, BrowserTimeout):
            return f"No answer came within {in_words(WAIT_SECONDS)}. {self._retry_hint()}"
        if isinstance(fault, CannotListen):
            return f"The answer cannot be awaited {fault}."
        return failure_text(self._name, fault, self.console.printable)

    def _retry_hint(self) -> str:
        return f"To try again: {self._command()}"

    def _command(self) -> str:
        return f"{PROGRAM} login {self._name}"

    @property
    def _name(self) -> str:
        return self.settings.provider


def valid_until(token: Token, now: float) -> str:
    """One or two sentences: until when the token is valid, and what comes then."""
    renewed = "It is renewed by itself." if token.refresh_token else "After that, log in again."
    if token.expires_at is None:
        return "The server did not say how long the token is valid."
    left = in_words(max(token.expires_at - now, 0.0))
    return f"The token is valid until {utc_time(token.expires_at)} ({left}). {renewed}"
