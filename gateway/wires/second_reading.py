"""What an event of a provider's stream means that is no strict JSON, or no event at all: one rule for all wires.

It is JSON that can be read leniently, the end of the stream, an error told as text, HTML or a field `error`, a loss of
the answer's words, or nothing. Nothing of this is on the way of a sound event. Which field of an answer says what is
the wire's.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from gateway.core.lenient_json import loads_all
from gateway.core.sse import DONE, ERROR, Event, StrayLine
from gateway.core.strict_json import JsonValue
from gateway.wires.refusals.error_text import of_page

LOST_WORDS: Final = "The provider's stream has an event that cannot be read and holds words of the answer."
TEXT_READ: Final = 64 << 10
"""Bytes of a text in the place of an event that are read."""

_HOLDS_WORDS: Final = re.compile(
    rb"""\\?["']?\b(?:content|arguments|args|reasoning(?:_content)?|text|thinking|thought|refusal|partial_json"""
    rb"""|tool_calls|function_?call|input|delta(?=\\?["']?\s*:\s*["']))\b\\?["']?\s*[:=]\s*"""
    rb"""(?!null\b|None\b|\\?""(?!")|''|\{\s*\}|\[\s*\]|false\b)"""
)
"""A field that holds the words of an answer, with a value that is neither null nor empty, or that is cut off."""
_NO_VALUE: Final = re.compile(rb"\s*[,}\]]")
_FIELD: Final = re.compile(r"\s*[\"']?([A-Za-z][\w-]{0,30})[\"']?\s*:(.*)", re.DOTALL)
_ERROR_FIELD: Final = re.compile(r"(?:.*_)?(?:error|exception|fault|fatal)s?", re.IGNORECASE)
_PAGE: Final = re.compile(r"\s*<[!?a-z]", re.IGNORECASE)
_TROUBLE: Final = re.compile(
    r"error|exception|fail|time[ds]?[ -]?out|unavailable|overload|denied|unauthori[sz]ed|forbidden|refused|rejected"
    r"|invalid|quota|exceed|too (?:many|large|long)|disconnect|reset|abort|cancel|crash|not found|no healthy"
    r"|bad gateway|internal server|upstream|capacity|out of memory|cannot|could not|unable|traceback|terminated|limit"
    r"|\u9519\u8bef|\u5931\u8d25|\u8d85\u65f6|\u5f02\u5e38|\u4e0d\u8db3|\u9650\u5236|\u7e41\u5fd9",
    re.IGNORECASE,
)
"""Words of trouble, in English and Chinese."""


class Reading(Struct, frozen=True):
    """The second reading of an event.

    Attributes:
        kind: "json": `values` are events in their order. "error": the first of `values` is one, or `text`, or a page
            without words. "done": the stream ends. "lost": words of the answer cannot be read. "nothing": none of it.
        values: as above.
        text: as above.
        done: the stream ends behind the values.
    """

    kind: Literal["json", "error", "done", "lost", "nothing"]
    values: tuple[JsonValue, ...] = ()
    text: str = ""
    done: bool = False

    @property
    def error(self) -> JsonValue:
        """The error that it is; "" where it has no words."""
        return self.values[0] if self.values else self.text


_NOTHING: Final = Reading("nothing")
_LOST: Final = Reading("lost")


def read_again(event: Event) -> Reading:
    """The second reading of an event that is no strict JSON."""
    data = event.data.strip()
    values, rest = loads_all(data)
    if values and isinstance(values[0], dict | list):
        if holds_words(rest):
            return _LOST
        return Reading("json", tuple(values), done=rest.strip() == DONE)
    if data == DONE:
        return Reading("done")
    text = data[:TEXT_READ].decode(errors="replace")
    if event.event == ERROR:
        return Reading("error", text=text)
    if isinstance(event, StrayLine) and (found := _FIELD.fullmatch(text)) and _ERROR_FIELD.fullmatch(found[1]):
        inner, _ = loads_all(found[2].encode())
        return Reading("error", tuple(inner[:1]), text=found[2].strip())
    if holds_words(data):
        return _LOST
    if _PAGE.match(text):
        page = of_page(text)
        return Reading("error", () if page is None or page == text else (page,))
    if not data.startswith((b"{", b"[", b'"')) and _TROUBLE.search(text):
        return Reading("error", text=text)
    return _NOTHING


def holds_words(data: bytes) -> bool:
    """Whether bytes that cannot be read hold a value of a field that is part of an answer."""
    return any(not _NO_VALUE.match(data, found.end()) for found in _HOLDS_WORDS.finditer(data))
