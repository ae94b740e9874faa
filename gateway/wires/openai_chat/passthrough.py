"""A way for events past decoder and encoder, as bytes, where both ends speak OpenAI's wire.

All but a handful of a stream's events differ in nothing but the text they add. To decode such an event, look at it and
write it again takes 11.7 us; so from one event it is learned what stands around the text, as it comes and as it leaves,
and those that follow are compared: 2.2 us, and 1.2 us each where many come in one read.

What leaves is what decoder and encoder would give, for they are asked, with marks in the place of the texts. All else
is for the decoder: whatever differs in any byte, and an event that is still open. So what a stream has to be watched
for (errors, finishes, usage, tool calls, what is to be mended) is read where it always was, and this keeps nothing.
"""

from typing import Final, Protocol

from gateway.core.answer import ChatChunk
from gateway.core.sse import Event
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires.base import Decoder
from gateway.wires.openai_chat.event_template import END, EventTemplate, derive
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder
from gateway.wires.openai_chat.outbound.errors import holds_error

MOST: Final = 1 << 20
"""Bytes that are looked at together, well below any limit of the decoder's. A read brings 64 KiB."""
LONGEST: Final = 4_096
"""Bytes of an event that is learned from."""
CREDIT: Final = 8
PRICE: Final = 2
"""Learning costs more than decoding and encoding do, so it is paid for by events that have passed since: where every
event has a pattern of its own, or none, it is not tried for long."""


class Reader(Protocol):
    """The decoder."""

    @property
    def is_speaking(self) -> bool: ...
    def reclaim(self) -> bytes | None: ...
    def chunk(self, event: Event) -> ChatChunk | None: ...


class Writer(Protocol):
    """The encoder."""

    @property
    def has_begun(self) -> bool: ...
    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes: ...


def between(decoder: Decoder, encoder: Writer) -> "ChunkPassthrough | None":
    """The way past both, where the decoder is of this wire too."""
    return ChunkPassthrough(decoder, encoder) if isinstance(decoder, ChunkDecoder) else None


class ChunkPassthrough:
    """The contract is Passthrough in gateway.wires.base.

    Args:
        reader: the stream's decoder.
        writer: the stream's encoder.
    """

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._template: EventTemplate | None = None
        self._credit = CREDIT
        self._is_open = False  # the decoder has been given nothing since it was seen to be in the middle of an answer

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        if not self._is_open:
            begun = self._begun()
            if begun is None:
                return b"", "", data
            data = begun + data
        if len(data) > MOST:
            self._is_open = False
            return b"", "", data
        template = self._template
        if template is None or not data.startswith(template.head):
            template = self._derive(data)
            if template is None:
                self._is_open = False
                return b"", "", data
        count, said, shown, size = template.pass_on(data)
        self._credit = min(self._credit + count, CREDIT)
        rest = data[size:]
        self._is_open = not rest
        return shown, said, rest

    def _begun(self) -> bytes | None:
        """The begin of an event that the decoder gives back; None where events have to go to it."""
        return self._reader.reclaim() if self._reader.is_speaking and self._writer.has_begun else None

    def _derive(self, data: bytes) -> EventTemplate | None:
        """From the first event, the pattern that is used from here on; None where it has none."""
        end = data.find(END, 0, LONGEST)
        if end < 0 or self._credit < PRICE:
            return None
        template = derive(data[:end], self._answer)
        if template is not None:
            self._template = template
        self._credit -= PRICE
        return template

    def _answer(self, data: bytes) -> tuple[str, bytes] | None:
        """See `Answer` in event_template.py. Events that would change decoder or encoder are not shown to them."""
        try:
            body = loads(data)
        except JsonFault:
            return None
        if not _says_only_text(body):
            return None
        chunk = self._reader.chunk(Event(data))
        if chunk is None or chunk.plain is None:
            return None
        return chunk.plain, self._writer.encode(chunk)


def _says_only_text(body: JsonValue) -> bool:
    """Whether an event leaves decoder and encoder as they are, in the middle of an answer."""
    if not isinstance(body, dict) or holds_error(body) or body.get("usage") is not None:
        return False
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    return (
        isinstance(choice, dict)
        and isinstance(delta, dict)
        and type(choice.get("index")) is int
        and choice["index"] == 0
        and not choice.get("finish_reason")
        and not delta.get("tool_calls")
        and (delta.get("content") is None or isinstance(delta["content"], str))
    )
