"""Halves of characters: joined where they meet in one field, else replaced."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.surrogates import REPLACEMENT, HalfPairs, has_halves, whole, whole_value

wide = st.text(st.sampled_from("a\u00e9\U0001f600\U00010437"), max_size=8)


def halves_of(text: str) -> str:
    """The text with each wide character as two halves, as JSON escapes them."""
    units = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2))


@given(wide, st.lists(st.integers(0, 40), max_size=6))
def test_a_text_that_is_cut_between_any_units_is_whole_again(text: str, places: list[int]) -> None:
    units = halves_of(text)
    edges = [0, *sorted(place % (len(units) + 1) for place in places), len(units)]
    pairs = HalfPairs()
    assert "".join(pairs.join("f", units[start:end]) for start, end in itertools.pairwise(edges)) == text
    assert not pairs and [*pairs.left()] == []


def test_fields_do_not_complete_each_other() -> None:
    pairs = HalfPairs()
    assert pairs.join(1, "a\ud83d") == "a" and pairs
    assert pairs.join(2, "\ude00b") == "\ufffdb"
    assert [*pairs.left()] == [1] and not pairs


@pytest.mark.parametrize(
    ("text", "found"),
    [("a", "a"), ("\ud83d\ude00", "\U0001f600"), ("\ud83d", REPLACEMENT), ("\ude00\ud83d", REPLACEMENT * 2)],
)
def test_what_stays_alone_is_replaced(text: str, found: str) -> None:
    assert whole(text) == found and not has_halves(whole(text))
    assert whole_value({text: [text, 1, None]}) == {found: [found, 1, None]}
