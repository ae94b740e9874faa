"""The pages that an answer rests on, out of its grounding.

Source: https://ai.google.dev/api/generate-content#GroundingMetadata. Places are counted in bytes of UTF-8, in whichever
text the server had in mind: `partIndex` is left out where it would be needed (python-genai#961), and a stream counts
over all its events. So a place holds only where the text there is the text that is quoted.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from gateway.core.answer import Citation
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, count, objects, text

MOST: Final = 1_000
"""Supports that are read of one answer: each is looked for in the text, and an answer has some dozens."""


def read_citations(grounding: Sequence[JsonObject], said: str) -> tuple[Citation, ...]:
    """Each page with each stretch of `said` that rests on it, once.

    Args:
        grounding: what the answer brought, in its order; a stream repeats what it has said, grown.
        said: the whole text of the answer.
    """
    if not grounding:
        return ()
    places = _Places(said)
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
    """Address and title of each chunk, in their places; "" where it has none."""
    pages = []
    for chunk in chunks if isinstance(chunks, list) else []:
        named = [an_object(an_object(chunk).get(kind)) for kind in ("web", "retrievedContext", "maps")]
        page = next((one for one in named if text(one.get("uri"))), {})
        pages.append((text(page.get("uri")), text(page.get("title"))))
    return pages


def _cited(indices: JsonValue, pages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pages of a support, each once."""
    told = [index for index in indices if type(index) is int] if isinstance(indices, list) else []
    return list(dict.fromkeys(pages[index] for index in told if 0 <= index < len(pages) and pages[index][0]))


class _Places:
    """Where something stands in a text."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._ends: list[int] | None = None if said.isascii() else list(accumulate(len(c.encode()) for c in said))

    def find(self, segment: JsonObject) -> tuple[int, int]:
        """From which character up to which the segment goes; all of the text where that cannot be told."""
        quoted = text(segment.get("text"))
        start, end = self._character(count(segment.get("startIndex"))), self._character(count(segment.get("endIndex")))
        if not quoted:
            return (start, end) if start < end else (0, len(self._said))
        if self._said[start:end] == quoted:
            return start, end
        start = self._said.find(quoted)
        return (start, start + len(quoted)) if start >= 0 else (0, len(self._said))

    def _character(self, byte: int) -> int:
        """The character that holds the byte."""
        if self._ends is None:
            return min(byte, len(self._said))
        return bisect_right(self._ends, byte)
