"""Replaces or adds one member of a JSON object in its text, and leaves every other byte as it came.

Decoding and encoding anew would change blanks, escapes and numbers, which a caller may rely on, and would take time for
thousands of vectors. The texts were read before by gateway.core.strict_json, so they are JSON, and this module checks
nothing. It knows no field names.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.core.strict_json import JsonObject, dumps, loads_text

_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,\]}\s]++")
_TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])', re.DOTALL)
"""Up to the next bracket that stands in no string."""


def with_member(text: bytes, name: str, value: str) -> bytes:
    """The text with `value` as the value of each member `name`; unchanged where the object has none.

    Args:
        text: an object as JSON in UTF-8.
        name: of a member of the outermost object.
        value: the new value.
    """
    parts: list[bytes] = []
    copied = 0
    for member, start, end in _members(text):
        if member == name:
            parts += (text[copied:start], dumps(value))
            copied = end
    return b"".join([*parts, text[copied:]]) if parts else text


def with_first_member(text: bytes, name: str, value: str) -> bytes:
    """The text with one more member, at its beginning.

    Args:
        text: an object as JSON in UTF-8, without a member of that name.
        name: of the new member.
        value: its value.
    """
    inside = text.index(b"{") + 1
    is_empty = next(_members(text), None) is None
    member: JsonObject = {name: value}
    return text[:inside] + dumps(member)[1:-1] + (b"" if is_empty else b",") + text[inside:]


def _members(text: bytes) -> Iterator[tuple[str, int, int]]:
    """The members of the outermost object: the name, and where its value begins and ends."""
    at = text.index(b"{") + 1
    while (name := _STRING.match(text, _past_blanks(text, at))) is not None:
        start = _past_blanks(text, _past_blanks(text, name.end()) + 1)  # behind the colon
        end = _end_of_value(text, start)
        yield loads_text(name[1]), start, end
        at = _past_blanks(text, end) + 1  # behind the comma


def _past_blanks(text: bytes, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def _end_of_value(text: bytes, start: int) -> int:
    if text[start : start + 1] in (b"[", b"{"):
        return _end_of_container(text, start)
    found = _STRING.match(text, start) or _SCALAR.match(text, start)
    return start if found is None else found.end()


def _end_of_container(text: bytes, start: int) -> int:
    at, depth = start, 0
    while (found := _TO_BRACKET.match(text, at)) is not None:
        at = found.end()
        depth += 1 if found[1] in (b"[", b"{") else -1
        if depth == 0:
            break
    return at
