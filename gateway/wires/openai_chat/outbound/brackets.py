"""Follows the brackets of a JSON text that arrives in pieces: has it begun, is it inside something, is it whole."""

import re
from dataclasses import dataclass
from typing import Final

_MARK: Final = re.compile(r'[\\"{}\[\]]')
_BLANK: Final = re.compile(r"\s*\Z")


@dataclass(slots=True)
class Brackets:
    """The state of the brackets of a text; the text itself is not kept.

    Attributes:
        begun: whether anything has come.
        whole: the text is a complete object, because an incomplete object never closes its first bracket.
    """

    begun: bool = False
    whole: bool = False
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the text ends inside an object, an array or a string."""
        return self._depth > 0 or self._in_string

    def add(self, text: str) -> None:
        """Read the next piece of the text."""
        self.begun |= bool(text)
        self.whole &= _BLANK.match(text) is not None
        at = 0
        if self._escaped and text:
            at, self._escaped = 1, False
        while found := _MARK.search(text, at):
            at = found.end()
            if self._in_string:
                if found[0] == "\\":
                    self._escaped = at == len(text)
                    at += 1
                self._in_string = found[0] != '"'
            elif found[0] == '"':
                self._in_string = True
            elif found[0] != "\\":
                self._depth += 1 if found[0] in "{[" else -1
                self.whole = self._depth == 0 and found[0] == "}" and _BLANK.match(text, at) is not None


def is_open(text: str) -> bool:
    """Whether a text ends inside an object, an array or a string."""
    brackets = Brackets()
    brackets.add(text)
    return brackets.is_open
