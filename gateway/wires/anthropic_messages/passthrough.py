"""The passthrough of a stream where both ends speak this wire: events that add only text stay bytes.

Nearly every event of an answer adds a text to the open block, and leaves decoder and encoder as they are. Decoding and
encoding it costs several times what it costs to see that it is such an event. So whole events of that form pass as they
came. Everything else goes to the decoder: every other event, every other form, and whatever is not whole. So errors,
ends of blocks, calls and usage stay in one place, and this module buffers nothing. It is the only module that knows
both halves of the wire.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

import re
from typing import Final, Protocol

from gateway.core.strict_json import JsonFault, loads_text
from gateway.wires.anthropic_messages.outbound.decoder import EventDecoder
from gateway.wires.base import Decoder

END: Final = b"\n\n"
MAX_BATCH: Final = 1 << 20
"""Bytes that are looked at together, well below all limits of the decoder. A read brings 64 KiB."""
_ADDS_TEXT: Final = re.compile(
    rb'event: content_block_delta\ndata: \{"type": ?"content_block_delta", ?"index": ?(\d{1,5}), ?'
    rb'"delta": ?\{"type": ?"(text|thinking)_delta", ?"(text|thinking)": ?"([^"\\]*(?:\\.[^"\\]*)*)" *\} *\}\n\n'
)
"""An event that adds a text, as Anthropic's servers write it, with or without blanks (2026-11)."""


class OpenBlock(Protocol):
    """What the passthrough needs of an encoder."""

    @property
    def passing_block(self) -> tuple[str, int] | None:
        """The kind and the index of the open block, where the provider's events about it pass unchanged."""


def between(decoder: Decoder, encoder: OpenBlock) -> "EventPassthrough | None":
    """The passthrough between the two; None where the decoder is another wire's."""
    return EventPassthrough(encoder) if isinstance(decoder, EventDecoder) else None


class EventPassthrough:
    """Implements Passthrough of gateway.wires.base. The bytes that it returns are those of the provider; decoder and
    encoder would write the same events without blanks.

    Args:
        encoder: the stream's encoder.
    """

    def __init__(self, encoder: OpenBlock) -> None:
        self._encoder = encoder
        self._is_between_events = False  # the decoder holds no part of an event

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        if not self._is_between_events or len(data) > MAX_BATCH:
            self._is_between_events = data.endswith(END)
            return b"", "", data
        block = self._encoder.passing_block
        size, text = (0, "") if block is None else _whole_events(data, *block)
        rest = data[size:]
        self._is_between_events = not rest or rest.endswith(END)
        return data[:size], text, rest


def _whole_events(data: bytes, kind: str, index: int) -> tuple[int, str]:
    """The bytes of the events at the start of `data` that add to the open block, and the text that they add to the
    answer."""
    texts: list[str] = []
    size = 0
    wanted = (b"%d" % index, kind.encode(), kind.encode())
    while (event := _ADDS_TEXT.match(data, size)) is not None and event.group(1, 2, 3) == wanted:
        try:
            texts.append(loads_text(event[4]))
        except JsonFault:
            break
        size = event.end()
    return size, "".join(texts) if kind == "text" else ""
