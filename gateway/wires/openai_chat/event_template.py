"""What the events of a stream have in common: all but the texts, as they come and as they leave.

Nothing is known here of what an event means. One is given with marks in the place of its texts, and so is what is to
be written for it; from then on the events that are like it can be cut and put together as bytes.
"""

import re
from collections.abc import Callable
from typing import Final

from gateway.core.strict_json import JsonFault, dumps, loads_text

TEXTS: Final = re.compile(
    # obfuscation (OpenAI) and p (Mistral) are padding of any length, against those who watch the sizes of packets
    rb'"(?:content|reasoning_content|reasoning|obfuscation|p)"[ \t]*:[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"'
)
"""What differs between events that say only text. Wherever these names stand, their texts pass as they are."""
END: Final = b"\n\n"
_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]*")
"""Characters that are written as they are read, so that a glance at many texts together will do."""
_MARK: Final = b"the gateway's mark "

Answer = Callable[[bytes], tuple[str, bytes] | None]
"""For the JSON of an event: what it adds to the answer, and the event for the caller; None where it does more."""


class EventTemplate:
    """One event without its texts.

    Attributes:
        head: how it begins, up to the first text.

    Args:
        came: what stands before, between and behind the texts, quotation marks included.
        leaves: the same for the caller, quotation marks left out.
        said: which of the texts the answer is made of; None where it is none of them.
    """

    def __init__(self, came: list[bytes], leaves: list[bytes], said: int | None) -> None:
        self.head, *self._between, self._tail = came
        self._first, *self._spaces, self._last = leaves
        self._joint = self._tail + self.head
        self._shown_joint = self._last + self._first
        self._said = said

    def pass_on(self, data: bytes) -> tuple[int, str, bytes, int]:
        """The events at the beginning of `data` that are like this one, as far as they are whole.

        Args:
            data: which begins with `head`.

        Returns:
            How many they are; what they add to the answer; the events for the caller; how many bytes of `data`.
        """
        came = data[len(self.head) :].split(self._joint)
        came[-1], whole, _ = came[-1].partition(self._tail)
        if not whole:
            came.pop()
        together = b"".join(came)
        if not self._between and _PLAIN.fullmatch(together):
            said, shown = "" if self._said is None else together.decode("ascii"), [b'"%b"' % text for text in came]
        else:
            said, shown = self._one_by_one(came)
        count = len(shown)
        size = sum(map(len, came[:count])) + count * len(self._joint)
        return count, said, self._first + self._shown_joint.join(shown) + self._last if shown else b"", size

    def _one_by_one(self, came: list[bytes]) -> tuple[str, list[bytes]]:
        """What the events add to the answer, and their texts for the caller, up to one that only begins like them."""
        said: list[str] = []
        shown: list[bytes] = []
        for event in came:
            try:
                texts = self._texts(event)
            except JsonFault:
                break
            said.append("" if self._said is None else texts[self._said])
            shown.append(self._written(texts))
        return "".join(said), shown

    def _texts(self, event: bytes) -> list[str]:
        """Raises JsonFault: there is something else between or in them."""
        texts: list[str] = []
        for between in self._between:
            text, found, event = event.partition(between)
            if not found:
                raise JsonFault("another text was expected")
            texts.append(loads_text(text))
        texts.append(loads_text(event))
        return texts

    def _written(self, texts: list[str]) -> bytes:
        """As `dumps` writes them inside an event."""
        written = dumps(texts[0])
        for space, text in zip(self._spaces, texts[1:], strict=True):
            written += space + dumps(text)
        return written


def derive(event: bytes, answer: Answer) -> EventTemplate | None:
    """The pattern of an event; None where it has none, because more of it counts than its texts.

    Args:
        event: a line.
        answer: is asked about the event with other texts. It must be so for any texts.
    """
    found = [*TEXTS.finditer(event)]
    if not found or not event.startswith(b"data:") or _MARK in event or b"\n" in event or b"\r" in event:
        return None
    edges = [0, *(edge for text in found for edge in text.span(1)), len(event)]
    came = [event[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    marks = [_MARK + b"%d" % number for number in range(len(found))]
    marked = b"".join(part + mark for part, mark in zip(came, [*marks, b""], strict=True))
    answered = answer(marked.removeprefix(b"data:"))
    if answered is None:
        return None
    plain, shown = answered
    said = marks.index(plain.encode()) if plain.encode() in marks else None
    leaves = _parts(shown, marks)
    if leaves is None or (plain and said is None):
        return None
    came[-1] += END
    return EventTemplate(came, leaves, said)


def _parts(shown: bytes, marks: list[bytes]) -> list[bytes] | None:
    """What stands around the marks; None where one does not stand there, as a text and in its turn."""
    parts: list[bytes] = []
    for mark in marks:
        before, found, shown = shown.partition(b'"%b"' % mark)
        parts.append(before)
        if not found:
            return None
    parts.append(shown)
    return parts
