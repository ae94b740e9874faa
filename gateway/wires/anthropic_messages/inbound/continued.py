"""A second stream of this wire that continues a broken one: its blocks become the caller's.

The caller has blocks already, and the filter of repeated text (gateway.streaming.overlap) may have taken away the
beginning of the second stream's. So an event is placed by what it adds and not by its index: a text goes on in the open
text block, and everything else opens a block of its own.
"""

from collections.abc import Iterator

from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages.inbound.blocks import Blocks
from gateway.wires.untrusted_fields import an_object, text

_REASONING = frozenset({"thinking", "redacted_thinking"})
_OF_REASONING = frozenset({"thinking_delta", "signature_delta"})


class ContinuedBlocks:
    """Writes the events of the second stream into the caller's blocks.

    Args:
        blocks: those that the caller has. They have no tool call, because such a stream is not continued.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._leaves_out_reasoning = blocks.has_text
        self._skips = False

    def events(self, event: JsonObject) -> Iterator[JsonObject]:
        """The events for one event about blocks. Text is all that makes a text block; an empty one is never opened."""
        kind = event.get("type")
        if kind == "content_block_start":
            yield from self._start(an_object(event.get("content_block")))
        elif kind == "content_block_delta":
            yield from self._add(an_object(event.get("delta")))
        elif self._skips:
            self._skips = False
        else:
            yield from self._stop()

    def _start(self, block: JsonObject) -> Iterator[JsonObject]:
        kind = text(block.get("type"))
        self._skips = kind in _REASONING and self._leaves_out_reasoning
        if self._skips:
            return
        if kind == "text":
            if begun := text(block.get("text")):
                yield from self._text({"type": "text_delta", "text": begun})
            return
        yield from self._stop()
        yield self._blocks.start(block, kind)

    def _add(self, delta: JsonObject) -> Iterator[JsonObject]:
        kind = delta.get("type")
        if kind == "text_delta":
            yield from self._text(delta)
        elif self._blocks.open and not self._skips and not (kind in _OF_REASONING and self._leaves_out_reasoning):
            yield self._blocks.add(delta)

    def _text(self, delta: JsonObject) -> Iterator[JsonObject]:
        if not delta.get("text"):
            return
        if self._blocks.open != "text":
            yield from self._stop()
            yield self._blocks.start({"type": "text", "text": ""}, "text")
        yield self._blocks.add(delta)

    def _stop(self) -> Iterator[JsonObject]:
        yield from self._blocks.close()
