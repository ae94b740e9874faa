"""Which key or token a call to a provider goes out with.

One place decides, from what the configuration says (`CredentialSource`), what the gateway's own store has and what
the watched files have. It does no network and never waits: a call that has no credential is told so at once, and the
next candidate is asked. It knows nothing of how a login is made, nor of how a credential is sent.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from gateway.auth.token_file import Token
from gateway.auth.token_store import TokenStore
from gateway.auth.watch_files import WatchedFiles
from gateway.core.clock import Clock
from gateway.core.errors import LoginRequired
from gateway.core.secrets import Secret

EXPIRY_MARGIN: Final = 5.0
"""Seconds before its expiry in which a token is not used any more: the way there, and clocks that differ."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key from the configuration or the environment."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token from the gateway's own store or a watched file, whichever is good for longer."""


@dataclass(frozen=True, slots=True)
class NoCredential:
    """The provider wants none: a server on this machine, mostly."""


CredentialSource: TypeAlias = ApiKey | StoredToken | NoCredential


@dataclass(frozen=True, slots=True)
class Credential:
    """What one call authenticates with.

    `fingerprint` tells credentials apart without showing them: 12 hexadecimal digits, '' where there is none.
    """

    kind: Literal["api_key", "token", "none"]
    secret: Secret | None
    fingerprint: str


def fingerprint(secret: Secret) -> str:
    """The first 12 hexadecimal digits of the secret's SHA-256."""
    return hashlib.sha256(secret.reveal().encode(errors="surrogatepass")).hexdigest()[:12]


class AuthManager:
    """The credentials of all providers. Safe to use from many threads.

    Args:
        sources: where each provider's credential comes from, by the provider's name.
        store: the gateway's own tokens.
        watched: the tokens of other tools.
        clock: for expiry.
    """

    def __init__(
        self, sources: Mapping[str, CredentialSource], store: TokenStore, watched: WatchedFiles, clock: Clock
    ) -> None:
        self._sources = dict(sources)
        self._store = store
        self._watched = watched
        self._clock = clock
        self._refused: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()  # over the marks

    def credential(self, provider: str) -> Credential:
        """What to call that provider with, now.

        Args:
            provider: a name from `sources`; any other is a KeyError.

        Raises:
            LoginRequired: it needs a token, and none is at hand that is valid and not refused.
        """
        source = self._sources[provider]
        if isinstance(source, NoCredential):
            return Credential("none", None, "")
        if isinstance(source, ApiKey):
            return Credential("api_key", source.secret, fingerprint(source.secret))
        best = self._best(provider)
        if best is None:
            self._watched.refresh()  # its owner may have renewed it within this second
            best = self._best(provider)
        if best is None:
            raise LoginRequired(self._what_is_missing(provider))
        return Credential("token", best.access_token, fingerprint(best.access_token))

    def refused(self, provider: str, credential: Credential) -> None:
        """The provider said 401 or 403 to it: a token is not offered again, so that another one can take its place.

        A key is never marked. There is no other one to wait for, and it may work again: credit topped up, access given.
        """
        if credential.kind != "token":
            return
        there = {fingerprint(token.access_token) for token in self._found(provider)}
        with self._lock:
            marks = self._refused.get(provider, frozenset()) & there  # what is gone from the files needs no mark
            self._refused[provider] = marks | {credential.fingerprint}

    def _found(self, provider: str) -> list[Token]:
        own = self._store.get(provider)
        return [*([own] if own else ()), *self._watched.tokens(provider)]

    def _best(self, provider: str) -> Token | None:
        """The usable token that expires last; one of unknown expiry only where no other is known to be valid."""
        usable = [
            token
            for token in self._found(provider)
            if not self._expired(token) and not self._is_refused(provider, token)
        ]
        return max(usable, key=lambda token: token.expires_at or 0.0, default=None)

    def _expired(self, token: Token) -> bool:
        return token.expires_at is not None and token.expires_at - self._clock.wall() <= EXPIRY_MARGIN

    def _is_refused(self, provider: str, token: Token) -> bool:
        with self._lock:
            marks = self._refused.get(provider, frozenset())
        return bool(marks) and fingerprint(token.access_token) in marks

    def _what_is_missing(self, provider: str) -> str:
        """For the caller: what is wrong, and which files a good token is awaited in (names only, no folders)."""
        found = self._found(provider)
        expiries = [token.expires_at for token in found if token.expires_at is not None and self._expired(token)]
        if any(self._is_refused(provider, token) and not self._expired(token) for token in found):
            fault = f"{provider} has refused its token."
        elif expiries:
            when = datetime.fromtimestamp(max(expiries), UTC)
            fault = f"The token for {provider} expired at {when:%H:%M} UTC on {when:%Y-%m-%d}."
        else:
            fault = f"There is no token for {provider}."
        places = " or ".join((self._store.path.name, *self._watched.names))
        problems = [problem for problem in (self._store.problem, *self._watched.problems()) if problem]
        return " ".join((fault, f"A valid one is looked for in {places}.", *(f"{problem}." for problem in problems)))
