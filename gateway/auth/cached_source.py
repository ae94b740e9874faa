"""Tokens that the gateway fetches but does not renew itself: from a program, from Google, or from a file.

The AuthManager treats them like the token of a login (`Renewable`): a token at hand, and another one if possible. This
module keeps a fetched token until it expires; it does not know how a source fetches.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.auth.renewal import RenewalFault
from gateway.auth.sources import SourceFailed, TokenSource
from gateway.auth.tokens.expiry import Freshness, cooldown, freshness, is_young, obtained_at
from gateway.auth.tokens.token import Token
from gateway.core.clock import Clock

FETCH_SECONDS: Final = 10.0
"""Seconds between two tries after a failure. Short, because the user may just have logged in with another tool."""
UNKNOWN_SECONDS: Final = 60.0
"""Seconds that a fetched token without an expiry is kept."""


class CachedToken:
    """A token from a program or a request, kept until it expires. Safe to use from many threads.

    Args:
        source: fetches the token.
        clock: for expiry and cooldowns.
    """

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self.fault: RenewalFault | None = None
        self._source = source
        self._clock = clock
        self._turn = threading.Lock()
        self._token: Token | None = None
        self._fetched = 0.0

    def token(self) -> Token | None:
        return self._token

    def freshness(self, token: Token) -> Freshness:
        if token.expires_at is None:
            return "soon" if self._clock.monotonic() - self._fetched >= UNKNOWN_SECONDS else "fresh"
        return freshness(token, self._clock.wall())

    def renew(self, refused: Callable[[Token], bool], *, wait: bool) -> None:
        if not self._is_due(refused) or not self._turn.acquire(blocking=wait):
            return
        try:
            if self._is_due(refused):
                self._fetch(refused)
        finally:
            self._turn.release()

    def _is_due(self, refused: Callable[[Token], bool]) -> bool:
        if self.fault is not None and self._clock.monotonic() < self.fault.retry_at:
            return False
        token = self._token
        return token is None or self._is_worn(token, refused)

    def _is_worn(self, token: Token, refused: Callable[[Token], bool]) -> bool:
        if self.freshness(token) != "fresh":
            return True
        return refused(token) and not is_young(token, self._clock.wall(), FETCH_SECONDS)

    def _fetch(self, refused: Callable[[Token], bool]) -> None:
        before, asked = self._token, self._clock.wall()
        try:
            found = self._source.token()
        except SourceFailed as failed:
            self._cool_down(str(failed), FETCH_SECONDS)
            return
        same = before is not None and before.access_token == found.access_token
        since = obtained_at(before) if same and before else asked
        token = replace(found, extra={**found.extra, "obtainedAt": since})
        self._token, self._fetched, self.fault = token, self._clock.monotonic(), None
        if self._is_worn(token, refused):  # a program may keep its token to the last second, as gcloud does
            self._cool_down("Its source still gives the same token.", cooldown(FETCH_SECONDS, token))

    def _cool_down(self, message: str, seconds: float) -> None:
        self.fault = RenewalFault("", message, True, self._clock.monotonic() + seconds)


class FileToken:
    """A token in a file. A look at the file is cheap, so nothing is kept. As safe for many threads as its source.

    Args:
        source: reads the file.
        clock: for expiry.
    """

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self.fault: RenewalFault | None = None
        self._source = source
        self._clock = clock

    def token(self) -> Token | None:
        try:
            token = self._source.token()
        except SourceFailed as failed:
            self.fault = RenewalFault("", str(failed), True, self._clock.monotonic())
            return None
        self.fault = None
        return token

    def freshness(self, token: Token) -> Freshness:
        return freshness(token, self._clock.wall())

    def renew(self, refused: Callable[[Token], bool], *, wait: bool) -> None:
        """Do nothing: the next `token` reads the file again."""
