"""Keys that the gateway makes for its callers: `lgw_` and 32 random bytes in base 62.

Letters and digits alone, so that a double click selects the key and no shell or YAML needs quotes for it. What is kept
of a key is its SHA-256: 256 random bits need no slow hash.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from gateway.core.secrets import Secret

PREFIX: Final = "lgw_"
"""By which scanners for secrets, and people, know what it is."""
RANDOM_BYTES: Final = 32
PAGE_TOKEN_BYTES: Final = 16
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH: Final = 43
"""Digits that 256 bits need in base 62; shorter numbers get zeros in front."""


HASH: Final = "sha256:"
"""How the hash of a key begins where it is written down."""


def key_digest(key: bytes) -> bytes:
    """What is kept of a key."""
    return sha256(key).digest()


def digest_of(key: Secret) -> bytes:
    """The digest of a key from the configuration."""
    return key_digest(key.reveal().encode("utf-8", "surrogatepass"))


def key_hash(key: Secret) -> str:
    """Its digest, as the configuration has it."""
    return HASH + digest_of(key).hex()


def digest_in(written: str) -> bytes:
    """The digest that the configuration has."""
    return bytes.fromhex(written.removeprefix(HASH))


def new_key(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new key.

    Args:
        random_bytes: gives so many random bytes.
    """
    number = int.from_bytes(random_bytes(RANDOM_BYTES))
    digits = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return PREFIX + "".join(reversed(digits))


def new_page_token() -> Secret:
    """A token for the page (gateway.server.page_token), which lives as long as the gateway."""
    return Secret(secrets.token_hex(PAGE_TOKEN_BYTES))
