"""How near a token is to its end, and how long to leave alone who gives the next one. Values in, values out.

The two windows are those of botocore: in the first, one call gets a new token while the others go on with the old one;
in the second all wait for it. Servers give tokens of seconds as well as of days, so each number is also a share of the
lifetime.
"""

import hashlib
from typing import Final, Literal, TypeAlias

from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret

SOON_SECONDS: Final = 300.0
SOON_SHARE: Final = 0.2
"""The first window: this long before the expiry, and no larger share of the lifetime."""
NOW_SECONDS: Final = 30.0
NOW_SHARE: Final = 0.05
"""The second window."""
EXPIRY_MARGIN: Final = 5.0
"""Seconds before its expiry in which a token is not used any more: the way there, and clocks that differ."""
JITTER: Final = 0.1
"""By how much of itself the first window may be longer, so that not all processes come at once."""

Stage: TypeAlias = Literal["fresh", "soon", "now", "dead"]


def fingerprint(secret: Secret) -> str:
    """The first 12 hexadecimal digits of the secret's SHA-256."""
    return hashlib.sha256(secret.reveal().encode(errors="surrogatepass")).hexdigest()[:12]


def obtained_at(token: Token) -> float | None:
    """When it was given (seconds since the epoch), where that was written down."""
    value = token.extra.get("obtainedAt")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def lifetime(token: Token) -> float | None:
    """Its seconds from its giving to its expiry, where both are known."""
    since = obtained_at(token)
    return None if since is None or token.expires_at is None else token.expires_at - since


def stage(token: Token, now: float, jitter: float = 0.0) -> Stage:
    """How near a token is to its end.

    Args:
        token: one that does not say when it expires is fresh until it is refused. So is one that was born expired:
            some servers say 0 for "never".
        now: seconds since the epoch.
        jitter: from 0 to 1, how much of JITTER the first window is longer.
    """
    lives = lifetime(token)
    if token.expires_at is None or (lives is not None and lives <= 0):
        return "fresh"
    left = token.expires_at - now
    all_wait = _shorter(NOW_SECONDS, NOW_SHARE, lives)
    if left <= min(EXPIRY_MARGIN, all_wait):
        return "dead"
    if left <= all_wait:
        return "now"
    return "soon" if left <= _shorter(SOON_SECONDS, SOON_SHARE, lives) * (1 + JITTER * jitter) else "fresh"


def _shorter(seconds: float, share: float, lives: float | None) -> float:
    return seconds if lives is None else min(seconds, share * lives)


def rest(seconds: float, token: Token) -> float:
    """How long not to try again for another token: `seconds`, or a quarter of the lifetime where that is less."""
    lives = lifetime(token)
    return _shorter(seconds, 0.25, lives if lives and lives > 0 else None)


def is_young(token: Token, now: float, seconds: float) -> bool:
    """Just obtained. If even such a token is refused, age is not why, and the next one would fare no better."""
    since = obtained_at(token)
    return since is not None and 0 <= now - since < rest(seconds, token)
