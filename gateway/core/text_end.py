"""The end of a text that broke off: the characters that identify its place, and whether a whole text may end there.

Both sides of a splice need the first: the wires ask a model to begin with these characters, and the filter looks for
them. So it stands below both. It knows no wire, and no stream.
"""

import re
import unicodedata
from typing import Final

ANCHOR_LENGTHS: Final = (40, 80, 120, 160, 200)
"""Characters of the end to ask for: the first length whose end stands once in the text."""
MIN_ANCHOR: Final = 12
"""Characters. A continuation may begin like a shorter text by chance: `1` continues as `1 is prime` or as `11`."""
MIN_BORDER: Final = 4
"""Characters with which an end begins and also stops, from which on it counts as one that repeats itself."""

_FENCE: Final = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(`{3,}|~{3,})(.*)")
_SENTENCE_ENDS: Final = frozenset(".!?\u3002\uff01\uff1f\uff61\uff0e\u061f\u06d4\u0964\u0965\u1362\u0589")
"""Full stops, question and exclamation marks: Latin, CJK, Arabic, Urdu, Devanagari, Ethiopic, Armenian."""
_CLOSING: Final = frozenset("\"'*_~`")
"""What may stand behind a sentence's end, beside closing brackets and quotes."""
_UNFINISHED: Final = re.compile(
    r"(?:\.\.|\d\.|(?<!\w)\w\.|(?<!\w)(?:al|approx|cf|dr|fig|mr|mrs|ms|no|prof|st|vs)\.)$", re.IGNORECASE
)
"""A full stop that may stand within a sentence: an ellipsis, a number, an initial, an abbreviation."""


def anchor(text: str) -> str:
    """The end of a text by which a continuation can prove its place: at least 40 characters, or all of a shorter text.

    Returns:
        The characters, which stand once in `text` and begin with no blank, because many models leave out the blank that
        an answer begins with. "" where no end is a proof: the text is too short, or it repeats itself.
    """
    for length in ANCHOR_LENGTHS:
        end = text[-length:].lstrip()
        long_enough = len(end.rstrip()) >= max(MIN_ANCHOR, min(length, len(text)) // 2)
        if long_enough and text.find(end) == len(text) - len(end) and not _repeats(end):
            return end
        if length >= len(text):
            break
    return ""


def _repeats(end: str) -> bool:
    """Whether the end begins as it stops. A text that repeats one phrase does, and there a continuation that begins
    with the phrase may be a repetition of it, or the next one."""
    return any(end.endswith(end[:length]) for length in range(MIN_BORDER, len(end)))


def ends_whole(text: str) -> bool:
    """Whether a whole text may end here: behind a sentence or a closed Markdown fence (CommonMark 0.31, section 4.5).

    A text that ends with a blank, or with an empty line, was about to go on.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or text[-1].isspace():
        return False
    fenced, after_fence = _fence_at_end(text)
    if fenced or after_fence:
        return not fenced
    sentence = _without_closing(text)
    return sentence[-1:] in _SENTENCE_ENDS and not _UNFINISHED.search(sentence[-16:])


def _fence_at_end(text: str) -> tuple[bool, bool]:
    """Whether a fence is open where the text ends, and whether its last line closes one."""
    fence, closes = "", False
    for line in text.splitlines():
        match, closes = _FENCE.match(line), False
        if match is None:
            continue
        marks, info = match.groups()
        if not fence:
            fence = "" if marks[0] == "`" and "`" in info else marks
        elif marks.startswith(fence) and not info.strip():
            fence, closes = "", True
    return bool(fence), closes


def _without_closing(text: str) -> str:
    """The text without the symbols, quotes, brackets and emphasis behind its last sentence."""
    end = len(text)
    while end and unicodedata.category(text[end - 1]) in {"So", "Sk", "Mn", "Cf"}:
        end -= 1
    if end < len(text):
        text = text[:end].rstrip(" ")
    end = len(text)
    while end and (text[end - 1] in _CLOSING or unicodedata.category(text[end - 1]) in {"Pe", "Pf"}):
        end -= 1
    return text[:end]
