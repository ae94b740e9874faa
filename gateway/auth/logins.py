"""Logins by code that a running gateway makes, each on a thread of its own, and logouts.

Whoever asks for a login gets its code and may go away: the thread polls the server until the person has confirmed, and
stores the token, which the next call uses. What two threads touch is in one LoginBook, under one lock; a thread does
what takes time outside of it, and then asks the book whether its result still counts.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from secrets import token_urlsafe
from typing import Final

from gateway.auth.login_book import AccountName, Ending, Login, LoginBook
from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.device_flow import Cancelled, CodeExpired, run_device_flow
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.endpoint import trusted_address
from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.flow_choice import MissingEndpoint, choose
from gateway.auth.oauth.interruptible_wait import Stop
from gateway.auth.oauth.login_texts import NO_DEVICE, failure_text, is_denial, refusal_text
from gateway.auth.oauth.responses import DeviceGrant
from gateway.auth.oauth.revocation import revoke
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.core.clock import Clock
from gateway.core.errors import Draining
from gateway.core.program import command as program_command
from gateway.core.secrets import Secret
from gateway.core.texts import printable

STORE_SECONDS: Final = 10.0
"""What a login waits for the store before its code is asked for, and a logout. A renewal holds it for a moment."""
ANSWER_SECONDS: Final = 3.0
"""What a login waits for its code, and a logout for its revocation, before the answer goes without it."""
STOP_SECONDS: Final = 0.5
"""What all threads together get to end. One that waits for a server ends with the process."""
MAX_SERVER_TEXT: Final = 300
"""Characters of a server's text that are shown."""

logger = logging.getLogger("gateway.auth")


class Logins:
    """The logins under way, and those that have just ended. Safe to use from many threads.

    Args:
        environ: for proxies and CA bundles.
        clock: the time.
        on_secret: called with every secret before a log line could contain it.
        mask: takes secrets out of a server's text.
        prefix: of the ids, by which those of several workers are told apart.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Clock,
        on_secret: Callable[[Secret], None],
        mask: Callable[[str], str],
        prefix: str = "",
    ) -> None:
        self._prefix = prefix
        self._environ = environ
        self._clock = clock
        self._on_secret = on_secret
        self._mask = mask
        self._changed = threading.Condition()  # guards all below
        self._book = LoginBook()
        self._running: dict[str, tuple[threading.Thread, Stop]] = {}
        self._without_code: dict[str, OAuthSettings] = {}
        self._closed = False

    # Any thread -----------------------------------------------------------------------------------------------------

    def begin(self, settings: OAuthSettings, store: TokenStore) -> Login:
        """Log in, or go on with the account's login that is under way. Returns when its code is there, or after
        ANSWER_SECONDS.

        Args:
            settings: of the provider.
            store: for the token.

        Raises:
            TooManyLogins: see LoginBook.
            Draining: the gateway stops.
        """
        with self._changed:
            if self._closed:
                raise Draining("The gateway is shutting down.")
            login, is_new = self._book.begin(
                AccountName.of(settings.provider), self._prefix + token_urlsafe(16), self._clock.monotonic()
            )
            if is_new:
                self._start(login.id, settings, store)
            self._changed.wait_for(lambda: self._is_told(login.id), ANSWER_SECONDS)
            return self._book.get(login.id, self._clock.monotonic()) or login

    def get(self, id: str) -> Login | None:
        """A login; None where there is none of this id, or none any more."""
        with self._changed:
            return self._book.get(id, self._clock.monotonic())

    def cancel(self, id: str) -> Login | None:
        """End a login, unless its token has come already; what it is now. None where there is none."""
        with self._changed:
            login = self._book.cancel(id, self._clock.monotonic())
            stop = self._running[id][1] if id in self._running and login and login.ended is not None else None
            self._changed.notify_all()
        if stop is not None:
            stop.set()
        return login

    def under_way(self, provider: str) -> Login | None:
        """The account's login that is under way."""
        with self._changed:
            return self._book.under_way(AccountName.of(provider))

    def possible(self, settings: OAuthSettings) -> bool:
        """Whether a login by code can be tried: it is not ruled out by the settings, and the server has offered it or
        was not asked yet."""
        with self._changed:
            return settings.prefers != "authorization_code" and self._without_code.get(settings.provider) != settings

    def log_out(self, provider: str, settings: OAuthSettings | None, store: TokenStore) -> str:
        """Remove the token and have the server revoke it; what became of it, for people.

        The token goes first and under the store's lock, so that it is the latest one, no renewal uses it meanwhile, and
        a server that does not answer cannot keep anybody logged in here.

        Raises:
            OSError: the token cannot be removed; LockBusy among them.
        """
        with store.login(provider, ANSWER_SECONDS) as held:
            token = held.get(provider)
            held.remove(provider)
        if token is None:
            return f"There was no token for {provider}."
        gone = f"Logged out of {provider}: its token is gone from {store.path.name}."
        return gone if settings is None else f"{gone} {self._revoked(settings, token)}"

    def close(self) -> None:
        """End every login. Idempotent."""
        with self._changed:
            self._closed = True
            running = list(self._running.items())
        for id, _ in running:
            self.cancel(id)
        deadline = self._clock.monotonic() + STOP_SECONDS
        for _, (thread, _stop) in running:
            thread.join(max(0.0, deadline - self._clock.monotonic()))

    def _start(self, id: str, settings: OAuthSettings, store: TokenStore) -> None:
        stop = Stop()
        thread = threading.Thread(target=self._run, args=(id, settings, store, stop), name="login", daemon=True)
        self._running[id] = (thread, stop)
        thread.start()

    def _is_told(self, id: str) -> bool:
        """Whether its code is there, or its end."""
        login = self._book.get(id, self._clock.monotonic())
        return login is None or login.grant is not None or login.ended is not None

    def _revoked(self, settings: OAuthSettings, token: Token) -> str:
        said: list[str] = []

        def work() -> None:
            said.append(revoke(settings, token, self._environ, self._printable))

        thread = threading.Thread(target=work, name="logout", daemon=True)
        thread.start()
        thread.join(ANSWER_SECONDS)
        return said[0] if said else "Its revocation at the provider is under way."

    def _printable(self, text: str) -> str:
        return printable(self._mask(text)[:MAX_SERVER_TEXT])

    # The login's thread ---------------------------------------------------------------------------------------------

    def _run(self, id: str, settings: OAuthSettings, store: TokenStore, stop: Stop) -> None:
        provider = settings.provider
        try:
            self._log_in(id, settings, store, stop)
        except Cancelled:
            pass  # the book knows
        except CodeExpired:
            self._failed(id, "expired", "The code expired before it was confirmed.")
        except MissingEndpoint as fault:
            self._failed(id, "failed", str(fault))
        except OAuthError as fault:
            self._refused(id, settings, fault)
        except OSError as fault:
            self._failed(id, "failed", f"The token could not be kept: {cannot_write(store.path.name, fault)}")
        except Exception:
            logger.exception("The login to %s failed on a fault of the gateway.", provider)
            self._failed(id, "failed", "The gateway failed on a fault of its own; its log has the details.")
        finally:
            with self._changed:
                self._running.pop(id, None)

    def _log_in(self, id: str, settings: OAuthSettings, store: TokenStore, stop: Stop) -> None:
        store.check_writable(STORE_SECONDS)  # before a person is asked: a login may be spent by then
        flow, complete = choose(settings, None, self._discovered)
        if flow == "browser":
            return self._has_no_code(id, settings, f"{settings.provider} has no login by code.")
        with closing(OAuthClient(complete, self._environ)) as client:
            reply = run_device_flow(client, self._clock, lambda grant: self._show(id, grant, stop), _no_word, stop)
        self._keep(id, settings.provider, reply, store)
        return None

    def _discovered(self, settings: OAuthSettings) -> OAuthSettings:
        return with_endpoints(settings, discover(settings, self._environ))

    def _show(self, id: str, grant: DeviceGrant, stop: Stop) -> None:
        self._on_secret(grant.device_code)
        addresses = [each for each in (grant.verification_uri, grant.verification_uri_complete) if each is not None]
        if not all(map(trusted_address, addresses)):
            raise OAuthRefused("untrusted_address", "its page for the code is neither https nor on this machine")
        with self._changed:
            goes_on = self._book.wait_for_person(id, grant, self._clock.wall() + grant.expires_in)
            self._changed.notify_all()
        if not goes_on:
            stop.set()

    def _keep(self, id: str, provider: str, reply: TokenReply, store: TokenStore) -> None:
        token = token_from(reply, self._clock.wall())
        for secret in (token.access_token, token.refresh_token):
            if secret is not None:
                self._on_secret(secret)
        with self._changed:
            may_keep = self._book.keep_token(id)
        if not may_keep:
            return
        store.put(provider, token)
        logger.info("Logged in to %s.", provider)
        with self._changed:
            self._book.done(id, self._clock.monotonic())
            self._changed.notify_all()

    def _refused(self, id: str, settings: OAuthSettings, fault: OAuthError) -> None:
        if isinstance(fault, OAuthRefused) and fault.code in NO_DEVICE and settings.authorization_endpoint:
            why = f"{settings.provider} refuses the login by code: {refusal_text(fault, self._printable)}"
            self._has_no_code(id, settings, why, " --browser")
            return
        how: Ending = "denied" if is_denial(fault) else "failed"
        self._failed(id, how, failure_text(settings.provider, fault, self._printable))

    def _has_no_code(self, id: str, settings: OAuthSettings, why: str, option: str = "") -> None:
        command = program_command(f"login {settings.provider}{option}")
        with self._changed:
            self._without_code[settings.provider] = settings
        self._failed(id, "failed", f"{why} Run: {command}", command)

    def _failed(self, id: str, how: Ending, message: str, command: str | None = None) -> None:
        with self._changed:
            self._book.failed(id, how, message, self._clock.monotonic(), command)
            self._changed.notify_all()


def _no_word(fault: OAuthError, pause: float) -> None:
    """A poll has failed; another one follows."""
