"""Renews the token of a login, so that only one of all threads and processes asks the server.

A refresh token is mostly valid for one use, and a server that sees it twice ends the whole login. A renewal therefore
takes a lock among all threads, then the store's lock among all processes, and then reads the store again: mostly
another one has just renewed the token. This module knows no provider's API. The AuthManager chooses which of several
tokens a call uses.

Sources: RFC 6749 section 6 (renewal), RFC 9700 sections 2.2.2 and 4.14 (rotation).
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.tokens.expiry import Freshness, cooldown, fingerprint, freshness
from gateway.auth.tokens.held_store import HeldStore
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

RETRY_SECONDS: Final = 60.0
"""Seconds between two tries after a failure (botocore's number); a quarter of the lifetime where that is less."""
CONFIGURATION_SECONDS: Final = 600.0
"""The same, where the server refuses the client's settings: only a person can correct them."""
RENEWAL_LOCK_SECONDS: Final = 10.0
"""Seconds that a call waits for the store's lock, which a process that was stopped (Ctrl-Z) holds for ever."""
SAVE_SECONDS: Final = 1.0
"""Seconds between two tries to write a new token that could not be written. The old one is spent."""
_ENDED: Final = frozenset(
    {
        "invalid_grant",
        "expired_token",
        "bad_refresh_token",  # GitHub
        "refresh_token_expired",  # these three: OpenAI
        "refresh_token_reused",
        "refresh_token_invalidated",
        "interaction_required",  # these three: OpenID Connect, Microsoft
        "login_required",
        "consent_required",
    }
)
_PASSING: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_LOGGER: Final = logging.getLogger("gateway.auth")

OnUnsaved: TypeAlias = Callable[[Callable[[], bool]], None]
"""Takes a function that writes what is unsaved, and returns whether nothing is left."""


class Refresher(Protocol):
    """Asks a token endpoint."""

    def refresh(self, refresh_token: Secret) -> TokenReply:
        """Request a new access token, mostly with a new refresh token. Raises OAuthRefused and OAuthUnreachable."""


@dataclass(frozen=True, slots=True)
class RenewalFault:
    """Why there is no newer token.

    Attributes:
        refresh_fingerprint: of the refresh token that failed; the fault does not apply to another one.
        message: a clause for people.
        needs_login: only a new login can help.
        retry_at: monotonic seconds before which there is no other try.
    """

    refresh_fingerprint: str
    message: str
    needs_login: bool
    retry_at: float


class Renewable(Protocol):
    """A credential that can be renewed or fetched again."""

    @property
    def fault(self) -> RenewalFault | None:
        """Why the current token could not be renewed; None where it could."""

    def token(self) -> Token | None:
        """The token at hand, of any age."""

    def freshness(self, token: Token) -> Freshness:
        """How near the token, or another one of the same provider, is to its expiry."""

    def renew(self, refused: Callable[[Token], bool], *, wait: bool) -> None:
        """Get another token if the one at hand is `refused` or near its expiry. `token` and `fault` have the result.

        Args:
            refused: whether a provider has refused a token.
            wait: wait for another thread or process that is renewing; else return at once.
        """


Known: TypeAlias = tuple[Renewable | None, frozenset[str]]
"""What is known of a provider's credential: its renewal, and the fingerprints of refused tokens."""


class Renewal:
    """A token in the gateway's own store that its server renews. Safe to use from many threads.

    Args:
        name: the provider's name, which is the credential's name in the store.
        store: keeps the token.
        client: gives the client that asks the server.
        clock: for expiry and cooldowns.
        turn: the lock shared by all credentials of the same client at the same server. Some servers end all of them if
            two are renewed at once. An account of several has its own.
        random: gives a number from 0 to 1, for each token.
        on_unsaved: called with `save` where a new token could not be written, to have it called until it returns True.
    """

    def __init__(  # noqa: PLR0913 - the AuthManager's parts, handed on once
        self,
        name: str,
        store: TokenStore,
        client: Callable[[], Refresher],
        clock: Clock,
        *,
        turn: threading.Lock,
        random: Callable[[], float],
        on_unsaved: OnUnsaved = lambda save: None,
    ) -> None:
        self._name = name
        self._store = store
        self._client = client
        self._clock = clock
        self._turn = turn
        self._random = random
        self._on_unsaved = on_unsaved
        self._jitter = random()
        self._ignore_refusals_until = -math.inf  # monotonic seconds
        self._fault: RenewalFault | None = None
        self._unsaved: tuple[Secret, Token] | None = None  # the spent refresh token, and a token that the file lacks

    @property
    def fault(self) -> RenewalFault | None:
        fault, token = self._fault, self.token()
        if fault is None or token is None or token.refresh_token is None:
            return None
        return fault if fingerprint(token.refresh_token) == fault.refresh_fingerprint else None

    def token(self) -> Token | None:
        stored, unsaved = self._store.get(self._name), self._unsaved
        return unsaved[1] if unsaved and stored and stored.refresh_token == unsaved[0] else stored

    def freshness(self, token: Token) -> Freshness:
        found = freshness(token, self._clock.wall(), self._jitter)
        return "soon" if found == "fresh" and self._unsaved else found

    def renew(self, refused: Callable[[Token], bool], *, wait: bool) -> None:
        if not self._is_due(self.token(), refused) or not self._turn.acquire(blocking=wait):
            return
        try:
            if not self._is_due(self.token(), refused):
                return  # another thread was faster
            with self._store.login(self._name, RENEWAL_LOCK_SECONDS if wait else 0.0) as held:
                self._renew(held, refused)
        except OSError as fault:
            if wait and (token := self.token()):
                self._failed(token, cannot_write(self._store.path.name, fault), cooldown(RETRY_SECONDS, token))
        finally:
            self._turn.release()

    def save(self) -> bool:
        """Write the token that the file lacks. Returns whether none is left to write."""
        if self._unsaved is not None and self._turn.acquire(timeout=SAVE_SECONDS):
            try:
                with self._store.login(self._name, SAVE_SECONDS) as held:
                    self._saved(held)
            except OSError:
                pass  # as before: it is tried again
            finally:
                self._turn.release()
        return self._unsaved is None

    def _is_due(self, token: Token | None, refused: Callable[[Token], bool]) -> bool:
        if token is None or token.refresh_token is None:
            return False
        fault = self.fault
        if fault is not None and self._clock.monotonic() < fault.retry_at:
            return False
        return self._unsaved is not None or self._is_worn(token, refused)

    def _is_worn(self, token: Token, refused: Callable[[Token], bool]) -> bool:
        now = self._clock.wall()
        if freshness(token, now, self._jitter) != "fresh":
            return True
        return refused(token) and self._clock.monotonic() >= self._ignore_refusals_until

    def _renew(self, held: HeldStore, refused: Callable[[Token], bool]) -> None:
        """Renew under both locks. The store's content counts; only programs that ignore the lock can change it now."""
        before = self._saved(held)
        for _ in range(2):
            if before is None or before.refresh_token is None or not self._is_worn(before, refused):
                return
            sent = before.refresh_token
            asked = self._clock.wall()  # the new token may have been issued as early as this
            try:
                reply = self._client().refresh(sent)
            except OAuthError as fault:
                after = held.get(self._name)
                if after is None or after.refresh_token in (None, self._spent(sent)):
                    self._note_failure(before, fault)
                    return
                before = after  # another program was faster, and this is its token
            else:
                if freshness(before, asked, self._jitter) == "fresh":
                    # It was renewed for a refusal. If a provider refuses every token, every call would renew.
                    self._ignore_refusals_until = self._clock.monotonic() + cooldown(RETRY_SECONDS, before)
                self._keep(held, self._spent(sent), token_from(reply, asked, before))
                return

    def _saved(self, held: HeldStore) -> Token | None:
        """The current token, saved first if an earlier write failed."""
        stored, unsaved = held.get(self._name), self._unsaved
        if unsaved is None:
            return stored
        if stored is None or stored.refresh_token != unsaved[0]:
            self._unsaved = None  # there was a login or a logout since then
            return stored
        self._keep(held, *unsaved)
        return unsaved[1]

    def _spent(self, sent: Secret) -> Secret:
        """The refresh token that is still in the file when `sent` was spent."""
        return self._unsaved[0] if self._unsaved else sent

    def _keep(self, held: HeldStore, spent: Secret, token: Token) -> None:
        self._jitter = self._random()
        try:
            held.put(self._name, token)
        except OSError as fault:  # the old token is void, so the new one must not be lost
            self._note_unsaved(spent, token, fault)
        else:
            self._unsaved = self._fault = None
            _LOGGER.info("The token for %s is renewed.", self._name)

    def _note_unsaved(self, spent: Secret, token: Token, fault: OSError) -> None:
        first, self._unsaved = self._unsaved is None, (spent, token)
        why = cannot_write(self._store.path.name, fault)
        self._fault = self._fault_of(token, f"its new token is used but not written yet: {why}", SAVE_SECONDS)
        if first:
            why = cannot_write(self._store.path, fault)
            _LOGGER.warning("The new token for %s is lost if the gateway ends now: %s", self._name, why)
            self._on_unsaved(self.save)

    def _note_failure(self, token: Token, fault: OAuthError) -> None:
        """Decide by the error code: a temporary failure, the end of the login, or wrong settings."""
        code = fault.code if isinstance(fault, OAuthRefused) else None
        if code is None or code in _PASSING:
            self._failed(token, f"its login server did not renew it: {fault}", cooldown(RETRY_SECONDS, token))
        elif code in _ENDED:
            self._failed(token, f"the login has ended ({fault})", math.inf, needs_login=True)
        else:
            message = f"its login server does not accept the client's settings ({fault})"
            self._failed(token, message, CONFIGURATION_SECONDS)

    def _failed(self, token: Token, message: str, seconds: float, *, needs_login: bool = False) -> None:
        self._fault = self._fault_of(token, message, seconds, needs_login=needs_login)
        _LOGGER.warning("The token for %s was not renewed: %s.", self._name, message.rstrip("."))

    def _fault_of(self, token: Token, message: str, seconds: float, *, needs_login: bool = False) -> RenewalFault:
        refresh_fingerprint = fingerprint(token.refresh_token) if token.refresh_token else ""
        return RenewalFault(refresh_fingerprint, message, needs_login, self._clock.monotonic() + seconds)
