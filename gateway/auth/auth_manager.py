"""Chooses the key or token that a call to a provider uses.

It decides by the configuration (`CredentialSource`), the gateway's own store, the watched files and the other token
sources, and it has tokens renewed before they expire. It never waits for a person: without a credential the call fails
with the command that helps, and the next candidate is asked. It does not know how a login is made or how a credential
is sent.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from secrets import SystemRandom

from gateway.auth.cached_source import CachedToken, FileToken
from gateway.auth.credential import Credential, CredentialStatus
from gateway.auth.renewal import Known, OnUnsaved, Refresher, Renewable, Renewal, RenewalFault
from gateway.auth.sources import (
    KINDS,
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
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.auth.tokens.watch_files import WatchedFiles
from gateway.core.clock import Clock
from gateway.core.errors import LoginRequired, RenewalFailed
from gateway.core.program import command
from gateway.core.records import is_account
from gateway.core.secrets import Secret


class AuthManager:
    """The credentials of all providers. Safe to use from many threads.

    Args:
        sources: the source of each provider's credential, by the provider's name.
        store: the gateway's own tokens.
        watched: the tokens of other tools.
        clock: for expiry.
        clients: gives the client that renews a provider's logins; without it no login is renewed. The AuthManager
            does not close the clients.
        token_sources: fetch the tokens of the providers with a TokenFileSource, AdcSource or CommandSource.
        random: gives numbers from 0 to 1; by default the system's.
        on_secret: called with each key or token before it is sent, so that the log can mask it.
        on_unsaved: see Renewal.
        earlier: of the configuration before; a provider with the same source keeps its token, renewal and refusals.
    """

    def __init__(  # noqa: PLR0913 - the collaborators of this package, passed once
        self,
        sources: Mapping[str, CredentialSource],
        store: TokenStore,
        watched: WatchedFiles,
        clock: Clock,
        *,
        clients: Callable[[str], Refresher] | None = None,
        token_sources: Mapping[str, TokenSource] | None = None,
        random: Callable[[], float] | None = None,
        on_secret: Callable[[Secret], None] | None = None,
        on_unsaved: OnUnsaved = lambda save: None,
        earlier: "AuthManager | None" = None,
    ) -> None:
        self._sources = dict(sources)
        self._keys = {  # made once: a fingerprint is a hash, and every call needs its key
            name: Credential("api_key", source.secret, fingerprint(source.secret))
            for name, source in sources.items()
            if isinstance(source, ApiKey)
        }
        self._on_secret = on_secret
        self._store = store
        self._watched = watched
        self._clock = clock
        self._renewables: dict[str, Renewable] = {}
        draw = random or SystemRandom().random
        turns: dict[tuple[str | None, ...], threading.Lock] = {}
        self._refused: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()  # guards `_refused`
        for name, source in sources.items():
            if earlier and (known := earlier.known(name, source, store)):
                kept, self._refused[name] = known
                if kept is not None:
                    self._renewables[name] = kept
            elif isinstance(source, TokenFileSource):
                self._renewables[name] = FileToken((token_sources or {})[name], clock)
            elif isinstance(source, AdcSource | CommandSource):
                self._renewables[name] = CachedToken((token_sources or {})[name], clock)
            elif isinstance(source, StoredToken) and source.oauth and clients:
                client = (source.oauth.token_endpoint, source.oauth.client_id)
                # accounts are logins of different people: the renewal of one has nothing to do with another's
                turn = turns.setdefault((*client, name) if is_account(name) else client, threading.Lock())
                self._renewables[name] = Renewal(
                    name, store, partial(clients, name), clock, turn=turn, random=draw, on_unsaved=on_unsaved
                )

    def known(self, provider: str, source: CredentialSource, store: TokenStore) -> Known | None:
        """What another manager may go on with; None where its provider authenticates otherwise."""
        if self._sources.get(provider) != source or self._store is not store:
            return None
        return self._renewables.get(provider), self._refused.get(provider, frozenset())

    def credential(self, provider: str) -> Credential:
        """The provider's credential for a call now. It may wait for a renewal, which ends within 70 seconds.

        Args:
            provider: a name from `sources`; any other raises KeyError.

        Raises:
            LoginRequired: the provider needs a token, and there is none that is valid and not refused.
            RenewalFailed: the same, and a later renewal may succeed without a login.
        """
        if (key := self._keys.get(provider)) is not None:
            return key  # the configuration's, which is masked from its beginning
        credential = self._choose(provider)
        if self._on_secret is not None and credential.secret is not None:
            self._on_secret(credential.secret)
        return credential

    def _choose(self, provider: str) -> Credential:
        source = self._sources[provider]
        if isinstance(source, NoCredential):
            return Credential("none", None, "")
        best = self._best(provider)
        if best is None and isinstance(source, StoredToken):
            self._watched.refresh()  # another tool may have renewed it within this second
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
        """Mark a token to which the provider answered 401 or 403, so that another one is used from now on.

        A key is never marked. There is no other one, and it may work again: after a payment, or when access is granted.

        Returns:
            Whether the credential was marked.
        """
        if credential.kind != "token":
            return False
        there = {fingerprint(token.access_token) for token in self._found(provider)}
        with self._lock:
            marks = self._refused.get(provider, frozenset()) & there  # a token that left the files needs no mark
            self._refused[provider] = marks | {credential.fingerprint}
        return True

    def renewed(self, provider: str, refused: Credential) -> Credential | None:
        """Another credential in place of a refused one. It is renewed unless another thread has done that meanwhile.

        Args:
            provider: the provider's name.
            refused: the credential to which the provider answered 401 or 403. This marks it.

        Returns:
            None where there is no other one. A token that was just obtained is not renewed for a refusal.
        """
        if not self.refused(provider, refused):
            return None
        try:
            return self.credential(provider)
        except LoginRequired:
            return None

    def status(self, provider: str, *, proven: bool = True) -> CredentialStatus:
        """The state of the provider's credential as known now. It renews nothing and runs no command. `proven`: that an
        expired token could be renewed here is shown by writing into the store's folder."""
        source = self._sources[provider]
        if isinstance(source, NoCredential):
            return CredentialStatus("none")
        if isinstance(source, ApiKey):
            return CredentialStatus("api_key")
        best, fault = self._best(provider), self._fault(provider)
        shown = best or max(self._found(provider), key=lambda token: token.expires_at or 0.0, default=None)
        never_asked = isinstance(source, AdcSource | CommandSource) and shown is None
        renewable = best is None and fault is None and self._is_renewable(provider)
        fine = best is not None or never_asked or renewable
        problem = None if fine else self._problem(provider)
        login = self._can_log_in(provider) and (fault.needs_login if fault else not fine)
        if proven and renewable and (unwritable := self._store.write_fault()):
            problem = (
                f"{self._problem(provider)} It cannot be renewed here: {cannot_write(self._store.path, unwritable)}"
            )
        return CredentialStatus(
            "token",
            expires_at=shown.expires_at if shown else None,
            obtained_at=obtained_at(shown) if shown else None,
            problem=_sentence(fault) if fault else problem,
            remedy=command(f"login {provider}") if login else None,
        )

    def can_call(self, provider: str) -> bool:
        """Whether a call would have a credential, as known now: it renews nothing and runs no command."""
        source = self._sources[provider]
        if not isinstance(source, StoredToken) or self._best(provider) is not None:
            return True
        fault = self._fault(provider)
        is_over = fault is None or (not fault.needs_login and self._clock.monotonic() >= fault.retry_at)
        return is_over and self._is_renewable(provider)

    def kind(self, provider: str) -> str:
        """What the provider authenticates with, for people: `login`."""
        return KINDS[type(self._sources[provider])]

    def _found(self, provider: str) -> list[Token]:
        renewable = self._renewables.get(provider)
        own = renewable.token() if renewable else self._store.get(provider)
        watched = self._watched.tokens(provider) if isinstance(self._sources[provider], StoredToken) else []
        return [*([own] if own else ()), *watched]

    def _best(self, provider: str) -> Token | None:
        """The usable token that expires last. One of unknown expiry is used only where no other is valid."""
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

    def _fault(self, provider: str) -> RenewalFault | None:
        renewable = self._renewables.get(provider)
        return renewable.fault if renewable else None

    def _is_renewable(self, provider: str) -> bool:
        renewable = self._renewables.get(provider)
        token = renewable.token() if renewable and self._can_log_in(provider) else None
        return token is not None and token.refresh_token is not None

    def _can_log_in(self, provider: str) -> bool:
        source = self._sources[provider]
        return isinstance(source, StoredToken) and source.oauth is not None

    def _failure(self, provider: str) -> LoginRequired:
        """The error for the caller: what is wrong, and the command that helps."""
        sentences = [self._problem(provider)]
        fault = self._fault(provider)
        if isinstance(self._sources[provider], StoredToken):
            places = " or ".join((self._store.path.name, *self._watched.names))
            problems = [problem for problem in (self._store.problem, *self._watched.problems()) if problem]
            sentences += [f"A valid one is looked for in {places}.", *(f"{problem}." for problem in problems)]
        if fault is not None:
            sentences.append(_sentence(fault))
            if not fault.needs_login:
                retry_after = max(0.0, fault.retry_at - self._clock.monotonic())
                return RenewalFailed(" ".join(sentences), retry_after=retry_after)
        if self._can_log_in(provider):
            sentences.append(f"Run: {command(f'login {provider}')}")
        return LoginRequired(" ".join(sentences))

    def _problem(self, provider: str) -> str:
        found = self._found(provider)
        expiries = [token.expires_at for token in found if token.expires_at is not None and self._expired(token)]
        if any(self._is_refused(provider, token) and not self._expired(token) for token in found):
            return f"{provider} has refused its token."
        if expiries:
            when = datetime.fromtimestamp(max(expiries), UTC)
            return f"The token for {provider} expired at {when:%H:%M} UTC on {when:%Y-%m-%d}."
        return f"There is no token for {provider}."


def _sentence(fault: RenewalFault) -> str:
    message = fault.message.rstrip(".")
    is_word = message.partition(" ")[0].isalpha()  # and no file's name, which stays as it is
    return f"{message[:1].upper() if is_word else message[:1]}{message[1:]}."
