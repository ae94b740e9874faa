"""An event template: the constant bytes around the text fields of a stream's events, as received and as sent.

The caller transcodes one event whose texts are replaced by marks. The marks show where the texts are in the event as
sent. From then on, events of the same form are converted as bytes. This module knows the names of the text fields, and
nothing else about the meaning of an event.
"""

import re
from collections.abc import Callable
from typing import Final

from gateway.core.strict_json import JsonFault, dumps, loads_text

TEXTS: Final = re.compile(
    # obfuscation (OpenAI) and p (Mistral) are padding of any length, which hides the sizes of packets from observers
    rb'"(?:content|reasoning_content|reasoning|obfuscation|p)"[ \t]*:[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"'
)
"""The fields in which events that add only text differ. Wherever these names occur, their texts pass unchanged."""
END: Final = b"\n\n"
_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]*")
"""Characters that JSON writes as it reads them, so one match covers many texts together."""
_MARK: Final = b"the gateway's mark "

Transcode = Callable[[bytes], tuple[str, bytes] | None]
"""For the JSON of an event: the plain text that it adds, and the event for the caller; None where it does more."""


class EventTemplate:
    """One event without its texts.

    Attributes:
        head: the event's bytes before the first text.

    Args:
        received: the bytes before, between and after the texts, quotation marks included.
        sent: the same for the caller, without the quotation marks.
        plain: the number of the text that is the answer's; None where the event adds nothing to the answer.
    """

    def __init__(self, received: list[bytes], sent: list[bytes], plain: int | None) -> None:
        self.head, *self._between, self._tail = received
        self._sent_head, *self._sent_between, self._sent_tail = sent
        self._boundary = self._tail + self.head
        self._sent_boundary = self._sent_tail + self._sent_head
        self._plain = plain

    def convert(self, data: bytes) -> tuple[int, str, bytes, int]:
        """Convert the whole events of this form at the start of `data`.

        Args:
            data: bytes that begin with `head`.

        Returns:
            The number of events; the plain text that they add; the events for the caller; their bytes in `data`.
        """
        events = data[len(self.head) :].split(self._boundary)
        events[-1], whole, _ = events[-1].partition(self._tail)
        if not whole:
            events.pop()
        together = b"".join(events)
        if not self._between and _PLAIN.fullmatch(together):
            plain, out = "" if self._plain is None else together.decode("ascii"), [b'"%b"' % text for text in events]
        else:
            plain, out = self._one_by_one(events)
        count = len(out)
        size = sum(map(len, events[:count])) + count * len(self._boundary)
        return count, plain, self._sent_head + self._sent_boundary.join(out) + self._sent_tail if out else b"", size

    def _one_by_one(self, events: list[bytes]) -> tuple[str, list[bytes]]:
        """The plain text of the events and their texts as sent, up to the first event of another form."""
        plain: list[str] = []
        out: list[bytes] = []
        for event in events:
            try:
                texts = self._texts(event)
            except JsonFault:
                break
            plain.append("" if self._plain is None else texts[self._plain])
            out.append(self._written(texts))
        return "".join(plain), out

    def _texts(self, event: bytes) -> list[str]:
        """The texts of an event. Raises JsonFault: the event has another form, or a text is not a JSON string."""
        texts: list[str] = []
        for between in self._between:
            text, found, event = event.partition(between)
            if not found:
                raise JsonFault("another text was expected")
            texts.append(loads_text(text))
        texts.append(loads_text(event))
        return texts

    def _written(self, texts: list[str]) -> bytes:
        """The texts as `dumps` writes them inside an event."""
        written = dumps(texts[0])
        for between, text in zip(self._sent_between, texts[1:], strict=True):
            written += between + dumps(text)
        return written


def derive(event: bytes, transcode: Transcode) -> EventTemplate | None:
    """Derive the template of an event; None where more than its texts matters.

    Args:
        event: one line.
        transcode: is called with the event, its texts replaced by marks. Its result must hold for any texts.
    """
    found = [*TEXTS.finditer(event)]
    if not found or not event.startswith(b"data:") or _MARK in event or b"\n" in event or b"\r" in event:
        return None
    edges = [0, *(edge for text in found for edge in text.span(1)), len(event)]
    received = [event[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    marks = [_MARK + b"%d" % number for number in range(len(found))]
    marked = b"".join(part + mark for part, mark in zip(received, [*marks, b""], strict=True))
    transcoded = transcode(marked.removeprefix(b"data:"))
    if transcoded is None:
        return None
    text, out = transcoded
    plain = marks.index(text.encode()) if text.encode() in marks else None
    sent = _around_marks(out, marks)
    if sent is None or (text and plain is None):
        return None
    received[-1] += END
    return EventTemplate(received, sent, plain)


def _around_marks(out: bytes, marks: list[bytes]) -> list[bytes] | None:
    """The bytes around the marks; None where a mark is not a whole text, or not in its order."""
    parts: list[bytes] = []
    for mark in marks:
        before, found, out = out.partition(b'"%b"' % mark)
        parts.append(before)
        if not found:
            return None
    parts.append(out)
    return parts
