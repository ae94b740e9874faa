"""How the token of a login is kept fresh, so that of all threads and processes only one asks for the next.

A refresh token is mostly good for one use, and a server that sees it twice ends the whole login. So whoever renews has
the only turn among all threads, then the store's lock among all processes, and then looks again: mostly someone else
has just done it. It knows no provider's API; which of several tokens a call goes out with is the AuthManager's choice.

Sources: RFC 6749 section 6 (renewal), RFC 9700 sections 2.2.2 and 4.14 (rotation).
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.auth.oauth.errors import OAuthError, OAuthRefused
from gateway.auth.oauth.token_reply import TokenReply, token_from
from gateway.auth.tokens.expiry import Freshness, cooldown, fingerprint, freshness
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import LOCK_SECONDS, HeldStore, TokenStore
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

RETRY_SECONDS: Final = 60.0
"""Between two tries at a server after a failure (botocore's number); a quarter of the lifetime where that is less."""
CONFIGURATION_SECONDS: Final = 600.0
"""The same, where the server says that the client's settings are wrong: only a person mends that."""
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


class Refresher(Protocol):
    """Who asks a token endpoint."""

    def refresh(self, refresh_token: Secret) -> TokenReply:
        """A new access token, and mostly a new refresh token. Raises OAuthRefused and OAuthUnreachable."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no newer token.

    Attributes:
        of: the fingerprint of the secret it is about; with another one it has no meaning.
        message: a clause for people.
        login: only a login mends it.
        until: monotonic seconds before which there is no other try.
    """

    of: str
    message: str
    login: bool
    until: float


class Renewable(Protocol):
    """A credential that can be had anew."""

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the token that there is now."""

    def token(self) -> Token | None:
        """The token at hand, whatever its age."""

    def freshness(self, token: Token) -> Freshness:
        """How near that token, or another one for the same provider, is to its end."""

    def renew(self, refused: Callable[[Token], bool], *, wait: bool) -> None:
        """Get another token, if the one at hand is `refused` or runs out and nobody else has done it meanwhile. What
        came of it, `token` and `fault` tell. With `wait` it waits its turn; else it leaves it to whoever has it."""


class Renewal:
    """A token of the gateway's own store that is renewed at its server. Safe to use from many threads.

    Args:
        name: the provider's, which is the credential's in the store.
        store: where it is kept.
        client: who asks the server.
        clock: for expiry and rests.
        turn: the lock of all credentials of the same client at the same server, because some servers end them all
            where two are renewed at once.
        random: a number from 0 to 1, drawn for each token.
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
    ) -> None:
        self._name = name
        self._store = store
        self._client = client
        self._clock = clock
        self._turn = turn
        self._random = random
        self._jitter = random()
        self._again = -math.inf  # monotonic seconds before which a refusal is no reason to renew
        self._fault: Fault | None = None
        self._unsaved: tuple[Secret, Token] | None = None  # what was spent for it, and a token that the disk lacks

    @property
    def fault(self) -> Fault | None:
        fault, token = self._fault, self.token()
        if fault is None or token is None or token.refresh_token is None:
            return None
        return fault if fingerprint(token.refresh_token) == fault.of else None

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
                return  # someone else was faster
            with self._store.exclusive(LOCK_SECONDS if wait else 0.0) as held:
                self._renew(held, refused)
        except OSError as fault:
            if wait and (token := self.token()):
                self._failed(
                    token,
                    f"the token file cannot be used ({fault.strerror or type(fault).__name__})",
                    cooldown(RETRY_SECONDS, token),
                )
        finally:
            self._turn.release()

    def _is_due(self, token: Token | None, refused: Callable[[Token], bool]) -> bool:
        if token is None or token.refresh_token is None:
            return False
        fault = self.fault
        if fault is not None and self._clock.monotonic() < fault.until:
            return False
        return self._unsaved is not None or self._is_worn(token, refused)

    def _is_worn(self, token: Token, refused: Callable[[Token], bool]) -> bool:
        now = self._clock.wall()
        if freshness(token, now, self._jitter) != "fresh":
            return True
        return refused(token) and self._clock.monotonic() >= self._again

    def _renew(self, held: HeldStore, refused: Callable[[Token], bool]) -> None:
        """Under both locks: what the store has now counts, and it stays so but for programs that know no lock."""
        before = self._saved(held)
        for _ in range(2):
            if before is None or before.refresh_token is None or not self._is_worn(before, refused):
                return
            sent = before.refresh_token
            asked = self._clock.wall()  # the new token's life may have begun as early as that
            try:
                reply = self._client().refresh(sent)
            except OAuthError as fault:
                after = held.get(self._name)
                if after is None or after.refresh_token in (None, self._spent(sent)):
                    self._told(before, fault)
                    return
                before = after  # another program was faster, and this is what it got
            else:
                if freshness(before, asked, self._jitter) == "fresh":
                    # It was refused. A provider that refuses every token would have the server asked at every call.
                    self._again = self._clock.monotonic() + cooldown(RETRY_SECONDS, before)
                self._keep(held, self._spent(sent), token_from(reply, asked, before))
                return

    def _saved(self, held: HeldStore) -> Token | None:
        """What there is, and on the disk if it can be."""
        stored, unsaved = held.get(self._name), self._unsaved
        if unsaved is None:
            return stored
        if stored is None or stored.refresh_token != unsaved[0]:
            self._unsaved = None  # a login or a logout since then
            return stored
        self._keep(held, *unsaved)
        return unsaved[1]

    def _spent(self, sent: Secret) -> Secret:
        """The refresh token that the file still has when `sent` was spent."""
        return self._unsaved[0] if self._unsaved else sent

    def _keep(self, held: HeldStore, spent: Secret, token: Token) -> None:
        self._jitter = self._random()
        try:
            held.put(self._name, token)
        except OSError as fault:  # the server has taken the old one back: what it gave must not be lost
            self._unsaved = (spent, token)
            message = f"its new token could not be written to the token file ({fault.strerror or type(fault).__name__})"
            self._failed(token, message, cooldown(RETRY_SECONDS, token))
        else:
            self._unsaved = self._fault = None
            _LOGGER.info("The token for %s is renewed.", self._name)

    def _told(self, token: Token, fault: OAuthError) -> None:
        """The server gave no token: whether that may pass, or the login has ended, or the settings are wrong."""
        code = fault.code if isinstance(fault, OAuthRefused) else None
        if code is None or code in _PASSING:
            self._failed(token, f"its login server did not renew it: {fault}", cooldown(RETRY_SECONDS, token))
        elif code in _ENDED:
            self._failed(token, f"the login has ended ({fault})", math.inf, login=True)
        else:
            message = f"its login server does not accept the client's settings ({fault})"
            self._failed(token, message, CONFIGURATION_SECONDS)

    def _failed(self, token: Token, message: str, seconds: float, *, login: bool = False) -> None:
        of = fingerprint(token.refresh_token) if token.refresh_token else ""
        self._fault = Fault(of, message, login, self._clock.monotonic() + seconds)
        _LOGGER.warning("The token for %s was not renewed: %s.", self._name, message)
