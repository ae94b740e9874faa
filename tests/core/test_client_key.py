"""A key holds all of its random bytes, in letters and digits."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.client_key import DIGITS, LENGTH, PREFIX, RANDOM_BYTES, new_key


def number_of(key: str) -> int:
    """The reverse of a key, by another way than the one that made it."""
    return sum(DIGITS.index(digit) * 62**place for place, digit in enumerate(reversed(key.removeprefix(PREFIX))))


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_a_key_has_one_length_and_keeps_every_bit(given_bytes: bytes) -> None:
    key = new_key(lambda count: given_bytes[:count])
    assert key.startswith("lgw_") and len(key) == len(PREFIX) + LENGTH
    assert key.removeprefix(PREFIX).isalnum() and key.isascii()
    assert number_of(key) == int.from_bytes(given_bytes)


def test_the_largest_number_fits_and_the_smallest_is_as_long() -> None:
    assert len(new_key(lambda count: b"\xff" * count)) == len(new_key(lambda count: b"\0" * count)) == 47


def test_two_keys_differ() -> None:
    assert new_key() != new_key()
