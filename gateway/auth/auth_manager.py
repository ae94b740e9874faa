"""Which key or token a call to a provider goes out with.

One place decides, from what the configuration says (`CredentialSource`), what the gateway's own store has, what the
watched files have and what another token source gives; and it is the one that notices that a token wears out. It never
waits for a person: a call that has no credential is told so, with the command that mends it, and the next candidate is
asked. It knows nothing of how a login is made, nor of how a credential is sent.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from secrets import SystemRandom
from typing import Final, Literal

from gateway.auth.cached_source import Fetched, Reread
from gateway.auth.renewal import Fault, Refresher, Renewable, Renewal
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
    TokenSource,
)
from gateway.auth.tokens.expiry import fingerprint, freshness, obtained_at
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.clock import Clock
from gateway.core.errors import LoginRequired, RenewalFailed
from gateway.core.secrets import Secret

LOGIN: Final = "python app.py login"


@dataclass(frozen=True, slots=True)
class Credential:
    """What one call authenticates with.

    `fingerprint` tells credentials apart without showing them: 12 hexadecimal digits, '' where there is none.
    """

    kind: Literal["api_key", "token", "none"]
    secret: Secret | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """How a provider's credential stands.

    Attributes:
        kind: as of Credential.
        expires_at, obtained_at: of the token that calls go out with, or else of the newest; wall seconds.
        problem: what is wrong, in a sentence; None where nothing is known to be.
        remedy: the command that mends it, where one does.
    """

    kind: Literal["api_key", "token", "none"]
    expires_at: float | None = None
    obtained_at: float | None = None
    problem: str | None = None
    remedy: str | None = None


class AuthManager:
    """The credentials of all providers. Safe to use from many threads.

    Args:
        sources: where each provider's credential comes from, by the provider's name.
        store: the gateway's own tokens.
        watched: the tokens of other tools.
        clock: for expiry.
        clients: who renews that provider's logins; without it nobody does. It keeps and closes what it gives.
        fetched: the working side of each provider's TokenFileSource, AdcSource or CommandSource.
        random: gives numbers from 0 to 1; the system's where not said.
        learned: is given each key or token before it goes out, so that the log knows what to mask.
    """

    def __init__(  # noqa: PLR0913 - the floor's parts, handed in once
        self,
        sources: Mapping[str, CredentialSource],
        store: TokenStore,
        watched: WatchedFiles,
        clock: Clock,
        *,
        clients: Callable[[str], Refresher] | None = None,
        fetched: Mapping[str, TokenSource] | None = None,
        random: Callable[[], float] | None = None,
        learned: Callable[[Secret], None] | None = None,
    ) -> None:
        self._sources = dict(sources)
        self._keys = {  # put together once: a fingerprint is a hash, and a key is shown on every call
            name: Credential("api_key", source.secret, fingerprint(source.secret))
            for name, source in sources.items()
            if isinstance(source, ApiKey)
        }
        self._learned = learned
        self._store = store
        self._watched = watched
        self._clock = clock
        self._renewables: dict[str, Renewable] = {}
        draw = random or SystemRandom().random
        turns: dict[tuple[str | None, str], threading.Lock] = {}
        for name, source in sources.items():
            if isinstance(source, TokenFileSource):
                self._renewables[name] = Reread((fetched or {})[name], clock)
            elif isinstance(source, AdcSource | CommandSource):
                self._renewables[name] = Fetched((fetched or {})[name], clock)
            elif isinstance(source, StoredToken) and source.oauth and clients:
                turn = turns.setdefault((source.oauth.token_endpoint, source.oauth.client_id), threading.Lock())
                client = partial(clients, name)
                self._renewables[name] = Renewal(name, store, client, clock, turn=turn, random=draw)
        self._refused: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()  # over the marks

    def credential(self, provider: str) -> Credential:
        """What to call that provider with, now. It may take a renewal, which ends in 70 seconds at the latest.

        Args:
            provider: a name from `sources`; any other is a KeyError.

        Raises:
            LoginRequired: it needs a token, and none is at hand that is valid and not refused.
            RenewalFailed: the same, and it is the login's server that has to be waited for.
        """
        credential = self._picked(provider)
        if self._learned is not None and credential.secret is not None:
            self._learned(credential.secret)
        return credential

    def _picked(self, provider: str) -> Credential:
        if (key := self._keys.get(provider)) is not None:
            return key
        source = self._sources[provider]
        if isinstance(source, NoCredential):
            return Credential("none", None, "")
        best = self._best(provider)
        if best is None and isinstance(source, StoredToken):
            self._watched.refresh()  # its owner may have renewed it within this second
            best = self._best(provider)
        renewable = self._renewables.get(provider)
        if renewable is not None:
            need = renewable.freshness(best) if best else "dead"
            if need != "fresh":
                renewable.renew(lambda token: self._is_refused(provider, token), wait=need in ("now", "dead"))
                best = self._best(provider)
        if best is None:
            raise self._failure(provider)
        return Credential("token", best.access_token, fingerprint(best.access_token))

    def refused(self, provider: str, credential: Credential) -> bool:
        """The provider said 401 or 403 to it: a token is not offered again, so that another one can take its place.

        A key is never marked. There is no other one to wait for, and it may work again: credit topped up, access given.

        Returns:
            Whether it is marked.
        """
        if credential.kind != "token":
            return False
        there = {fingerprint(token.access_token) for token in self._found(provider)}
        with self._lock:
            marks = self._refused.get(provider, frozenset()) & there  # what is gone from the files needs no mark
            self._refused[provider] = marks | {credential.fingerprint}
        return True

    def renewed(self, provider: str, refused: Credential) -> Credential | None:
        """Another credential in place of one that was refused, renewed if nobody has done so meanwhile.

        Args:
            provider: the provider's name.
            refused: what it said 401 or 403 to; it is marked by this.

        Returns:
            None where there is no better one. A token is not renewed for a refusal right after it was obtained.
        """
        if not self.refused(provider, refused):
            return None
        try:
            return self.credential(provider)
        except LoginRequired:
            return None

    def status(self, provider: str) -> CredentialStatus:
        """How its credential stands, from what is known now: nothing is renewed, and no command is run."""
        source = self._sources[provider]
        if isinstance(source, NoCredential):
            return CredentialStatus("none")
        if isinstance(source, ApiKey):
            return CredentialStatus("api_key")
        best, fault = self._best(provider), self._fault(provider)
        shown = best or max(self._found(provider), key=lambda token: token.expires_at or 0.0, default=None)
        never_asked = isinstance(source, AdcSource | CommandSource) and shown is None
        fine = best is not None or never_asked or (fault is None and self._is_renewed_by_next_call(provider))
        wrong = None if fine else self._what_is_wrong(provider)
        login = self._can_log_in(provider) and (fault.login if fault else not fine)
        return CredentialStatus(
            "token",
            expires_at=shown.expires_at if shown else None,
            obtained_at=obtained_at(shown) if shown else None,
            problem=_sentence(fault) if fault else wrong,
            remedy=f"{LOGIN} {provider}" if login else None,
        )

    def _found(self, provider: str) -> list[Token]:
        renewable = self._renewables.get(provider)
        own = renewable.token() if renewable else self._store.get(provider)
        watched = self._watched.tokens(provider) if isinstance(self._sources[provider], StoredToken) else []
        return [*([own] if own else ()), *watched]

    def _best(self, provider: str) -> Token | None:
        """The usable token that expires last; one of unknown expiry only where no other is known to be valid."""
        usable = [
            token
            for token in self._found(provider)
            if not self._expired(token) and not self._is_refused(provider, token)
        ]
        return max(usable, key=lambda token: token.expires_at or 0.0, default=None)

    def _expired(self, token: Token) -> bool:
        return freshness(token, self._clock.wall()) == "dead"

    def _is_refused(self, provider: str, token: Token) -> bool:
        with self._lock:
            marks = self._refused.get(provider, frozenset())
        return bool(marks) and fingerprint(token.access_token) in marks

    def _fault(self, provider: str) -> Fault | None:
        renewable = self._renewables.get(provider)
        return renewable.fault if renewable else None

    def _is_renewed_by_next_call(self, provider: str) -> bool:
        renewable = self._renewables.get(provider)
        token = renewable.token() if renewable and self._can_log_in(provider) else None
        return token is not None and token.refresh_token is not None

    def _can_log_in(self, provider: str) -> bool:
        source = self._sources[provider]
        return isinstance(source, StoredToken) and source.oauth is not None

    def _failure(self, provider: str) -> LoginRequired:
        """For the caller: what is wrong, and what mends it."""
        words = [self._what_is_wrong(provider)]
        fault = self._fault(provider)
        if isinstance(self._sources[provider], StoredToken):
            places = " or ".join((self._store.path.name, *self._watched.names))
            problems = [problem for problem in (self._store.problem, *self._watched.problems()) if problem]
            words += [f"A valid one is looked for in {places}.", *(f"{problem}." for problem in problems)]
        if fault is not None:
            words.append(_sentence(fault))
            if not fault.login:
                return RenewalFailed(" ".join(words), retry_after=max(0.0, fault.until - self._clock.monotonic()))
        if self._can_log_in(provider):
            words.append(f"Run: {LOGIN} {provider}")
        return LoginRequired(" ".join(words))

    def _what_is_wrong(self, provider: str) -> str:
        found = self._found(provider)
        expiries = [token.expires_at for token in found if token.expires_at is not None and self._expired(token)]
        if any(self._is_refused(provider, token) and not self._expired(token) for token in found):
            return f"{provider} has refused its token."
        if expiries:
            when = datetime.fromtimestamp(max(expiries), UTC)
            return f"The token for {provider} expired at {when:%H:%M} UTC on {when:%Y-%m-%d}."
        return f"There is no token for {provider}."


def _sentence(fault: Fault) -> str:
    return f"{fault.message[:1].upper()}{fault.message[1:].rstrip('.')}."
