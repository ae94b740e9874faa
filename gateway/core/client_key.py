"""Keys that the gateway makes for its callers: `lgw_` and 32 random bytes in base 62.

Letters and digits alone, so that a double click selects the key and no shell or YAML needs quotes for it.
"""

import secrets
from collections.abc import Callable
from typing import Final

PREFIX: Final = "lgw_"
"""By which scanners for secrets, and people, know what it is."""
RANDOM_BYTES: Final = 32
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH: Final = 43
"""Digits that 256 bits need in base 62; shorter numbers get zeros in front."""


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
