"""How near a token is to its expiry, and how long to wait after a failed renewal. Values in, values out.

There are two windows before the expiry, as in botocore. In the first, one call renews the token while the others use
the old one. In the second, all calls wait for the new one. Servers give tokens of seconds as well as of days, so each
number is also a share of the lifetime. This module does not renew anything.
"""

import hashlib
from typing import Final, Literal, TypeAlias

from gateway.auth.tokens.token import Token
from gateway.core.secrets import Secret

SOON_SECONDS: Final = 300.0
SOON_SHARE: Final = 0.2
"""The first window begins SOON_SECONDS before the expiry, and is at most this share of the lifetime."""
NOW_SECONDS: Final = 30.0
NOW_SHARE: Final = 0.05
"""The second window, likewise."""
EXPIRY_MARGIN: Final = 5.0
"""Seconds before its expiry in which a token is not used: for the way to the provider, and for clocks that differ."""
JITTER: Final = 0.1
"""The share of itself by which the first window may be longer, so that processes do not all renew at once."""

Freshness: TypeAlias = Literal["fresh", "soon", "now", "dead"]
"""Before the first window, in the first, in the second, and expired."""


def fingerprint(secret: Secret) -> str:
    """The first 12 hexadecimal digits of the secret's SHA-256."""
    return hashlib.sha256(secret.reveal().encode(errors="surrogatepass")).hexdigest()[:12]


def obtained_at(token: Token) -> float | None:
    """When the token was obtained (seconds since the epoch); None where that was not recorded."""
    value = token.extra.get("obtainedAt")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def lifetime(token: Token) -> float | None:
    """The token's seconds from its issue to its expiry; None where one of them is unknown."""
    since = obtained_at(token)
    return None if since is None or token.expires_at is None else token.expires_at - since


def freshness(token: Token, now: float, jitter: float = 0.0) -> Freshness:
    """How near a token is to its expiry.

    Args:
        token: one without an expiry is fresh until a provider refuses it. So is one that was expired when it was
            issued: some servers send 0 for "never".
        now: seconds since the epoch.
        jitter: from 0 to 1, the part of JITTER by which the first window is longer.
    """
    total = lifetime(token)
    if token.expires_at is None or (total is not None and total <= 0):
        return "fresh"
    left = token.expires_at - now
    second_window = _shorter(NOW_SECONDS, NOW_SHARE, total)
    if left <= min(EXPIRY_MARGIN, second_window):
        return "dead"
    if left <= second_window:
        return "now"
    return "soon" if left <= _shorter(SOON_SECONDS, SOON_SHARE, total) * (1 + JITTER * jitter) else "fresh"


def _shorter(seconds: float, share: float, total: float | None) -> float:
    return seconds if total is None else min(seconds, share * total)


def cooldown(seconds: float, token: Token) -> float:
    """The seconds until the next try to get another token: `seconds`, or a quarter of the lifetime if that is less."""
    total = lifetime(token)
    return _shorter(seconds, 0.25, total if total and total > 0 else None)


def is_young(token: Token, now: float, seconds: float) -> bool:
    """Whether the token was just obtained. Such a token is not refused for its age, and a new one would not be better.

    Args:
        token: the token.
        now: seconds since the epoch.
        seconds: up to which age, unless the token's lifetime makes it less (`cooldown`).
    """
    since = obtained_at(token)
    return since is not None and 0 <= now - since < cooldown(seconds, token)
