"""README.md and README.ko.md say the same: sections in one order, the same links, numbers, code and names in it."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
ENGLISH, KOREAN = "README.md", "README.ko.md"

BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK: Final = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
HEADING: Final = re.compile(r"^(#+) ", re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^)]+)\)")
SPAN: Final = re.compile(r"`([^`]+)`")
NUMBER: Final = re.compile(r"\d[\d,.]*\d|\d")
COMMENT: Final = re.compile(r"(^|\s)(#|//) .*$", re.MULTILINE)

ALLOWED: Final[dict[str, frozenset[str]]] = {
    "links": frozenset({ENGLISH, KOREAN}),
    "spans": frozenset(),
    "numbers": frozenset(),
}
"""What may stand in one of them only: each links to the other."""


@dataclass(frozen=True)
class Readme:
    """One of the two, cut into what is compared.

    Attributes:
        levels: of the headings, in order.
        blocks: language and code, without comments, which are translated.
        prose: of each section, without its code blocks.
    """

    levels: tuple[int, ...]
    blocks: tuple[tuple[str, str], ...]
    prose: tuple[str, ...]


def _read(name: str) -> Readme:
    text = MARK.sub("", (ROOT / name).read_text(encoding="utf-8"))
    blocks = tuple((language, _code(code)) for language, code in BLOCK.findall(text))
    prose = BLOCK.sub("", text)
    levels = tuple(len(marks) for marks in HEADING.findall(prose))
    return Readme(levels, blocks, tuple(re.split(r"^#+ ", prose, flags=re.MULTILINE)[1:]))


def _code(text: str) -> str:
    return "\n".join(line.rstrip() for line in COMMENT.sub("", text).splitlines())


def _links(section: str) -> Counter[str]:
    return Counter(LINK.findall(section))


def _spans(section: str) -> Counter[str]:
    return Counter(SPAN.findall(section))


def _numbers(section: str) -> Counter[str]:
    return Counter(NUMBER.findall(LINK.sub("", SPAN.sub("", section))))


@pytest.fixture(scope="module")
def english() -> Readme:
    return _read(ENGLISH)


@pytest.fixture(scope="module")
def korean() -> Readme:
    return _read(KOREAN)


def test_their_sections_have_one_order(english: Readme, korean: Readme) -> None:
    assert english.levels == korean.levels


def test_their_code_is_the_same_but_for_comments(english: Readme, korean: Readme) -> None:
    assert english.blocks == korean.blocks and len(english.blocks) > 10


@pytest.mark.parametrize(("what", "of"), [("links", _links), ("spans", _spans), ("numbers", _numbers)])
def test_each_section_has_the_same(
    what: str, of: Callable[[str], Counter[str]], english: Readme, korean: Readme
) -> None:
    differences = {}
    for ours, theirs in zip(english.prose, korean.prose, strict=True):
        one, other = of(ours), of(theirs)
        only = {ENGLISH: _unexpected(one - other, what), KOREAN: _unexpected(other - one, what)}
        if any(only.values()):
            differences[ours.partition("\n")[0]] = only
    assert differences == {}


def test_what_exists_in_english_only_is_marked_so_in_korean() -> None:
    text = (ROOT / KOREAN).read_text(encoding="utf-8")
    unmarked = re.findall(r"(?<!!)\[[^]]+\]\(([^)]+)\)(?!\(영어\))", text)
    assert unmarked == [ENGLISH]
    assert [each.name for each in ROOT.glob("docs/**/*.ko.md")] == []


def _unexpected(words: Counter[str], what: str) -> list[str]:
    return sorted(word for word in words.elements() if word not in ALLOWED[what])
