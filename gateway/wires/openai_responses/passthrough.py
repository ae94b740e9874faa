"""The passthrough of a stream where both ends speak this wire: events that add only a text stay bytes.

Nearly all events of an answer are deltas, which differ only in their text, their number and their padding. So one event
gives a form, the bytes around those, and the events after it are compared with the form. A whole event passes as it
came where decoder and encoder would write the same bytes: compact JSON, texts as `dumps` writes them, and the number
that the encoder would give it. What it says is noted with both, for an end that breaks. Everything else goes to the
decoder: every other event, every other spelling, and whatever is not whole. So items, ends, errors and usage stay in
one place, and this module buffers nothing. It is the only module that knows both halves of the wire.
Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

import re
from typing import Final, Protocol

from gateway.core.sse import encode
from gateway.core.strict_json import JsonFault, JsonObject, dumps, loads, loads_text
from gateway.wires.base import Decoder
from gateway.wires.openai_responses.outbound.decoder import EventDecoder

END: Final = b"\n\n"
MAX_BATCH: Final = 1 << 20
"""Bytes that are looked at together, well below all limits of the decoder. A read brings 64 KiB."""
MAX_EVENT: Final = 4_096
"""Bytes of an event from which a form is derived."""
CREDIT: Final = 8
PRICE: Final = 2
"""Deriving a form costs about what decoding and encoding an event does. Each event that passes earns one credit, up to
CREDIT, and a form costs PRICE. Where every event needs a form of its own, or has none, the tries soon stop."""
SAYS: Final = "response.output_text.delta"
_DELTA: Final = re.compile(rb"event: (response\.[a-z_]+\.delta)\ndata: \{")
_VARIES: Final = re.compile(
    # obfuscation is padding of any length, which hides the sizes of packets from observers
    rb'"(?P<name>delta|obfuscation)":"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"|"sequence_number":(?P<number>\d+)'
)
"""The fields in which events of one form differ."""
_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]*")
"""Characters that JSON writes as it reads them, which is cheaper to see than to try."""


class EventWriter(Protocol):
    """What the passthrough needs of an encoder."""

    @property
    def next_number(self) -> int | None:
        """The number of the next event; None where the provider's events do not pass."""

    def passed(self, kind: str, said: str, count: int) -> None:
        """Note `count` deltas of a kind that have passed, which say `said` together."""


def between(decoder: Decoder, encoder: EventWriter) -> "EventPassthrough | None":
    """The passthrough between the two; None where the decoder is another wire's."""
    return EventPassthrough(decoder, encoder) if isinstance(decoder, EventDecoder) else None


class EventPassthrough:
    """Implements Passthrough of gateway.wires.base.

    Args:
        decoder: the stream's decoder.
        encoder: the stream's encoder.
    """

    def __init__(self, decoder: EventDecoder, encoder: EventWriter) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._form: _EventForm | None = None
        self._credit = CREDIT
        self._is_open = False  # the decoder was between two events and has received nothing since

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        number = self._encoder.next_number
        begun = b"" if self._is_open or number is None else self._decoder.reclaim()
        self._is_open = False
        if begun:
            data = begun + data
        if number is None or begun is None or len(data) > MAX_BATCH:
            return b"", "", data
        form = self._form
        count, said, size = form.whole_events(data, number) if form else (0, "", 0)
        if not count:
            form = self._derived(data, number)
            count, said, size = form.whole_events(data, number) if form else (0, "", 0)
        if form is None or not count:
            return b"", "", data
        if self._credit < CREDIT:
            self._credit = min(self._credit + count, CREDIT)
        self._encoder.passed(form.kind, said, count)
        self._is_open = size == len(data)
        return data[:size], said if form.kind == SAYS else "", data[size:]

    def _derived(self, data: bytes, number: int) -> "_EventForm | None":
        """The form of the first event, which is used from now on; None where it has none."""
        begins = _DELTA.match(data)
        end = data.find(END, 0, MAX_EVENT) + len(END)
        if begins is None or end < len(END) or self._credit < PRICE:
            return None
        self._credit -= PRICE
        event, kind = data[:end], begins[1].decode()
        try:
            body = loads(event[begins.end() - 1 :])
        except JsonFault:
            return None
        is_written_so = isinstance(body, dict) and encode(dumps({**body, "sequence_number": number}), kind) == event
        if not isinstance(body, dict) or not is_written_so or not _adds_only_text(body, kind):
            return None
        if not self._decoder.notes_delta(kind, body):
            return None
        form = _form_of(event, kind)
        self._form = form or self._form
        return form


def _adds_only_text(body: JsonObject, kind: str) -> bool:
    """Whether nothing of an event but its delta matters to decoder and encoder."""
    return body.get("type") == kind and isinstance(body.get("delta"), str) and "response" not in body


class _EventForm:
    """One event without its number and its texts.

    Attributes:
        kind: its type.

    Args:
        sections: the bytes before, between and after the texts, without the number.
        numbered: the section in which the number is, and the byte of the section before which it is.
        delta: which of the texts is the delta, counted from 1.
    """

    def __init__(self, kind: str, sections: list[bytes], numbered: tuple[int, int], delta: int) -> None:
        self.kind = kind
        self._numbered, place = numbered
        self._before, self._after = sections[self._numbered][:place], sections[self._numbered][place:]
        self._first, *self._others = sections
        self._delta = delta

    def whole_events(self, data: bytes, number: int) -> tuple[int, str, int]:
        """Read the events of this form at the start of `data`.

        Args:
            data: any bytes.
            number: of the first of them.

        Returns:
            How many there are; what they say; their bytes.
        """
        said: list[str] = []
        size, end = 0, len(data)
        while size < end:
            found = self._event(data, size, b"%b%d%b" % (self._before, number + len(said), self._after))
            if found is None:
                break
            text, size = found
            said.append(text)
        return len(said), "".join(said), size

    def _event(self, data: bytes, at: int, numbered: bytes) -> tuple[str, int] | None:
        """The delta of the event at a byte, and the byte after the event; None where it has another form."""
        first = self._first if self._numbered else numbered
        if not data.startswith(first, at):
            return None
        at += len(first)
        delta = ""
        for place, section in enumerate(self._others, 1):
            closing = numbered if place == self._numbered else section
            end = data.find(closing, at)
            if end < 0:
                return None
            inner = data[at:end]
            text = inner.decode("ascii") if _PLAIN.fullmatch(inner) else _as_written(inner)
            if text is None:
                return None
            if place == self._delta:
                delta = text
            at = end + len(closing)
        return delta, at


def _as_written(inner: bytes) -> str | None:
    """The text of the inside of a JSON string; None where it is none, or `dumps` would write it otherwise."""
    try:
        text = loads_text(inner)
    except JsonFault:
        return None
    return text if dumps(text) == b'"%b"' % inner else None


def _form_of(event: bytes, kind: str) -> _EventForm | None:
    """The form of an event that is written as `dumps` writes it; None where a name stands in it twice, so that one is
    in a value."""
    sections, names, numbered, at = [b""], [b""], (0, 0), 0
    for found in _VARIES.finditer(event):
        start, end = found.span("text" if found["name"] else "number")
        sections[-1] += event[at:start]
        if found["name"]:
            sections.append(b"")
        else:
            numbered = (len(sections) - 1, len(sections[-1]))
        names.append(found["name"] or b"sequence_number")
        at = end
    sections[-1] += event[at:]
    if len(set(names)) < len(names) or b"sequence_number" not in names or b"delta" not in names:
        return None
    texts = [name for name in names[1:] if name != b"sequence_number"]
    return _EventForm(kind, sections, numbered, texts.index(b"delta") + 1)
