"""Characters that arrive as two halves: a pair of surrogates of which each stands in an event of its own.

JSON escapes a character beyond U+FFFF as two `\\u` escapes, and servers that cut a text by UTF-16 units send one half
in each of two events. A half alone is no character, and no encoder writes it. The halves of one field are joined where
they meet; a half that stays alone becomes U+FFFD.
"""

import re
from collections.abc import Hashable, Iterator
from typing import Final

from gateway.core.strict_json import JsonValue

REPLACEMENT: Final = "\ufffd"
_HALF: Final = re.compile("[\ud800-\udfff]")


def has_halves(text: str) -> bool:
    """Whether a half of a pair stands in the text."""
    return _HALF.search(text) is not None


def whole(text: str) -> str:
    """The text with neighbouring halves joined, and U+FFFD for each that is alone."""
    if not has_halves(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_value(value: JsonValue) -> JsonValue:
    """The value with `whole` texts and keys."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [whole_value(each) for each in value]
    if isinstance(value, dict):
        return {whole(name): whole_value(each) for name, each in value.items()}
    return value


class HalfPairs:
    """The first halves that wait for their second one, by the field that they stand in.

    Its truth says whether any waits.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, str] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def join(self, field: Hashable, text: str) -> str:
        """The next piece of a field's text: behind the half that waited, and without a first half at its end."""
        text = self._waiting.pop(field, "") + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self._waiting[field] = text[-1]
            text = text[:-1]
        return whole(text)

    def left(self) -> Iterator[Hashable]:
        """The fields whose half found no other one; each gets a REPLACEMENT. Nothing waits afterwards."""
        waiting, self._waiting = self._waiting, {}
        yield from waiting
