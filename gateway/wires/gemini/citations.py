"""Reads the citations of an answer from its grounding metadata.

Positions are counted in bytes of UTF-8. The text to which they refer is not certain: `partIndex` is missing where it
would be needed (python-genai#961), and a stream counts over all its events. So a position is used only where the text
there equals the quoted text.
Source: https://ai.google.dev/api/generate-content#GroundingMetadata.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from gateway.core.answer import Citation
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, count, objects, text

MOST: Final = 1_000
"""Supports that are read of one answer. Each is searched in the text; an answer has a few dozen."""


def read_citations(grounding: Sequence[JsonObject], answer: str) -> tuple[Citation, ...]:
    """Each cited page with each range of the text that it supports, once.

    Args:
        grounding: the answer's grounding metadata, in order; a stream repeats and extends it.
        answer: the whole text of the answer.
    """
    if not grounding:
        return ()
    places = _Places(answer)
    found: dict[Citation, None] = {}
    left = MOST
    for metadata in grounding:
        pages = _pages(metadata.get("groundingChunks"))
        supports = objects(metadata.get("groundingSupports"))[:left]
        left -= len(supports)
        for support in supports:
            start, end = places.find(an_object(support.get("segment")))
            for url, title in _cited(support.get("groundingChunkIndices"), pages):
                found[Citation(url, title, start, end)] = None
    return tuple(found)


def _pages(chunks: JsonValue) -> list[tuple[str, str]]:
    """Address and title of each chunk, in order; "" where it has none."""
    pages = []
    for chunk in chunks if isinstance(chunks, list) else []:
        named = [an_object(an_object(chunk).get(kind)) for kind in ("web", "retrievedContext", "maps")]
        page = next((one for one in named if text(one.get("uri"))), {})
        pages.append((text(page.get("uri")), text(page.get("title"))))
    return pages


def _cited(indices: JsonValue, pages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pages of a support, each once."""
    numbers = [index for index in indices if type(index) is int] if isinstance(indices, list) else []
    return list(dict.fromkeys(pages[index] for index in numbers if 0 <= index < len(pages) and pages[index][0]))


class _Places:
    """Finds the character positions of segments in a text."""

    def __init__(self, answer: str) -> None:
        self._text = answer
        self._ends: list[int] | None = None if answer.isascii() else list(accumulate(len(c.encode()) for c in answer))

    def find(self, segment: JsonObject) -> tuple[int, int]:
        """The first character of the segment and the one after it; the whole text where the segment is not found."""
        quoted = text(segment.get("text"))
        start, end = self._character(count(segment.get("startIndex"))), self._character(count(segment.get("endIndex")))
        if not quoted:
            return (start, end) if start < end else (0, len(self._text))
        if self._text[start:end] == quoted:
            return start, end
        start = self._text.find(quoted)
        return (start, start + len(quoted)) if start >= 0 else (0, len(self._text))

    def _character(self, byte: int) -> int:
        """The character to which the byte belongs."""
        if self._ends is None:
            return min(byte, len(self._text))
        return bisect_right(self._ends, byte)
