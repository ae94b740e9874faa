"""PKCE: proves that the client that redeems an authorization code is the one that requested it.

It is a random value and its hash. The browser flow makes a pair for each login: the hash goes out with the
authorization request, the value with the token request. This module only computes.

Source: RFC 7636, and RFC 9700 section 2.1.1, which requires it of every client, with S256 as the method.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from gateway.core.secrets import Secret

METHOD: Final = "S256"
_RANDOM_BYTES: Final = 48  # 64 characters; RFC 7636 section 4.1 requires 43 to 128


@dataclass(frozen=True, slots=True)
class Pkce:
    """The pair: `challenge` goes out with the authorization request, `verifier` with the token request."""

    verifier: Secret
    challenge: str


def new_pkce() -> Pkce:
    """A new pair for one login."""
    verifier = Secret(secrets.token_urlsafe(_RANDOM_BYTES))
    return Pkce(verifier, challenge_of(verifier))


def challenge_of(verifier: Secret) -> str:
    """BASE64URL(SHA256(verifier)) without padding (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
