"""Which end of a text identifies its place, and where a whole text may end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.text_end import ANCHOR_LENGTHS, MIN_ANCHOR, anchor, ends_whole
from tests.support.cases import each_case

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind that at all"
PHRASE = "it was the best of times, it was the worst of times, "


@given(st.text("ab \n", max_size=500) | st.text(max_size=80))
def test_an_anchor_is_an_end_that_stands_once_in_the_text_and_begins_with_no_blank(text: str) -> None:
    found = anchor(text)
    if not found:
        return
    assert text.endswith(found) and text.find(found) == len(text) - len(found)
    assert MIN_ANCHOR <= len(found) <= ANCHOR_LENGTHS[-1]
    assert not found[0].isspace()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PROSE, PROSE[-40:].lstrip()),
        (PROSE + "  ", (PROSE + "  ")[-40:].lstrip()),
        ("Water boils.", "Water boils."),
        ("\n\nWater boils at", "Water boils at"),
        ("Water boil", ""),
        ("", ""),
        (" " * 60, ""),
        ("x = 1" + " " * 38, ""),
        ("ab" * 100, ""),
        ("ha ha ha ha ha ", ""),
        (PHRASE * 3, ""),
    ],
    ids=["prose", "ends with blanks", "short", "begins blank", "too short", "empty", "blank", "indented", *"abc"],
)
def test_the_anchor_of(text: str, found: str) -> None:
    assert anchor(text) == found


def test_a_phrase_that_was_said_before_makes_the_anchor_longer() -> None:
    phrase = "and so it went on, as it always did there"
    text = f"First a storm, {phrase}. Then there was a long silence, {phrase}"
    assert text.endswith(anchor(text)) and len(anchor(text)) > 40
    assert text.count(phrase) == 2


WHOLE = [
    "It boils.",
    "It boils.\n",
    "It boils.\r\n",
    "Does it?",
    "It does!",
    'He said: "It boils."',
    "He said: \u201cIt boils.\u201d",
    "(It boils.)",
    "**It boils.**",
    "It costs 5 (or 6).",
    "I hope this helps! \U0001f60a",
    "I hope this helps! \u2764\ufe0f",
    "\u6c34\u306f\u6cb8\u9a30\u3059\u308b\u3002",
    "\u300c\u6c34\u306f\u6cb8\u9a30\u3059\u308b\u3002\u300d",
    "\ubb3c\uc774 \ub053\uc2b5\ub2c8\ub2e4.",
    "\u092a\u093e\u0928\u0940 \u0909\u092c\u0932\u0924\u093e \u0939\u0948\u0964",
    "\u0647\u0644 \u064a\u063a\u0644\u064a\u061f",
    "Run it:\n```sh\nls\n```",
    "Run it:\n~~~~\n```\n~~~~\n",
    "Inline ```code``` here.",
    "```a`b\nIt is no fence.",
]
BROKEN_OFF = [
    "",
    "\n",
    "It boils",
    "It boils,",
    "It does this:",
    "It boils. ",
    "It boils.\n\n",
    "It boils. The",
    "It is 3.",
    "Steps:\n1.",
    "e.g.",
    "some gases, e.g.",
    "J.",
    "It was Mr.",
    "It may...",
    "It may\u2026",
    "It boils (",
    "It boils. **",
    "\u6c34\u306f",
    "\u6c34\u306f\u3001",
    "Run it:\n```sh\nls.",
    "Run it:\n```sh\nls\n",
    "Run it:\n```sh\nls\n``",
    "Run it:\n~~~~\n```\n~~~",
    "Run it:\n```\nls\n```sh",
    "- so:\n  ```py\n  print('It boils.')",
    "> ```\n> It boils.",
]


@each_case("text", WHOLE)
def test_a_whole_text_may_end(text: str) -> None:
    assert ends_whole(text)


@each_case("text", BROKEN_OFF)
def test_a_text_was_broken_off(text: str) -> None:
    assert not ends_whole(text)
