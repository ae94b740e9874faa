"""A bypass of decoder and encoder for a stream's events, as bytes, where both ends speak this wire.

Nearly all events of a stream differ only in the text that they add. Decoding, checking and encoding such an event takes
11.7 us. So one event gives a template, the constant bytes around the text as received and as sent, and the events after
it are compared with the template: 2.2 us each, and 1.2 us each where one read brings many.

The output is what decoder and encoder would give, because the template is made by them, with marks in place of the
texts. Everything else goes to the decoder: an event that differs in any other byte, and an unfinished event. So errors,
finishes, usage, tool calls and repairs stay in one place, and this module buffers nothing. It is the only module that
knows both halves of the wire.
"""

from typing import Final, Protocol

from gateway.core.answer import ChatChunk
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires.base import Decoder
from gateway.wires.openai_chat.event_template import END, EventTemplate, derive
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder
from gateway.wires.openai_chat.outbound.errors import holds_error

MAX_BATCH: Final = 1 << 20
"""Bytes that are compared together, well below all limits of the decoder. A read brings 64 KiB."""
MAX_EVENT: Final = 4_096
"""Bytes of an event from which a template is derived."""
CREDIT: Final = 8
PRICE: Final = 2
"""Deriving a template costs more than decoding and encoding an event. Each event that passes earns one credit, up to
CREDIT, and a template costs PRICE. Where every event needs a template of its own, or has none, the tries soon stop."""


class ChunkWriter(Protocol):
    """What the passthrough needs of an encoder."""

    @property
    def has_begun(self) -> bool: ...
    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes: ...


def between(decoder: Decoder, encoder: ChunkWriter) -> "ChunkPassthrough | None":
    """The passthrough between the two; None where the decoder is another wire's."""
    return ChunkPassthrough(decoder, encoder) if isinstance(decoder, ChunkDecoder) else None


class ChunkPassthrough:
    """Implements Passthrough of gateway.wires.base.

    Args:
        decoder: the stream's decoder.
        encoder: the stream's encoder.
    """

    def __init__(self, decoder: ChunkDecoder, encoder: ChunkWriter) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._template: EventTemplate | None = None
        self._credit = CREDIT
        self._is_open = False  # the decoder was in the middle of an answer and has received nothing since

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        if not self._is_open:
            begun = self._begun()
            if begun is None:
                return b"", "", data
            data = begun + data
        if len(data) > MAX_BATCH:
            self._is_open = False
            return b"", "", data
        template = self._template
        if template is None or not data.startswith(template.head):
            template = self._derive(data)
            if template is None:
                self._is_open = False
                return b"", "", data
        count, plain, out, size = template.convert(data)
        self._credit = min(self._credit + count, CREDIT)
        rest = data[size:]
        self._is_open = not rest
        return out, plain, rest

    def _begun(self) -> bytes | None:
        """The unfinished event that the decoder gives back; None where the events must go through the decoder."""
        return self._decoder.reclaim() if self._decoder.is_mid_answer and self._encoder.has_begun else None

    def _derive(self, data: bytes) -> EventTemplate | None:
        """A template from the first event, which is used from now on; None where it gives none."""
        end = data.find(END, 0, MAX_EVENT)
        if end < 0 or self._credit < PRICE:
            return None
        template = derive(data[:end], self._transcode)
        if template is not None:
            self._template = template
        self._credit -= PRICE
        return template

    def _transcode(self, data: bytes) -> tuple[str, bytes] | None:
        """See Transcode in event_template.py. An event that would change decoder or encoder does not reach them."""
        try:
            body = loads(data)
        except JsonFault:
            return None
        if not _adds_only_text(body):
            return None
        chunk = self._decoder.chunk(body)
        if chunk is None or chunk.plain is None:
            return None
        return chunk.plain, self._encoder.encode(chunk)


def _adds_only_text(body: JsonValue) -> bool:
    """Whether an event in the middle of an answer leaves the state of decoder and encoder unchanged."""
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
        and not choice.get("error")
        and not delta.get("error")
        and not delta.get("tool_calls")
        and not delta.get("function_call")
        and (delta.get("content") is None or isinstance(delta["content"], str))
    )
