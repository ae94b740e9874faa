"""The encoder of a streamed answer: chunks to the caller's server-sent events.

Events of this wire pass with another model name. Chunks of another wire are written from their neutral form
(`blocks.py`). The end of an answer is written when it is certain: `message_delta` and `message_stop` look like the
regular end of an answer, so a stream that breaks behind a finish has neither.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Usage
from gateway.core.errors import GatewayError
from gateway.core.sse import comment, encode
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.anthropic_messages import WIRE, passthrough
from gateway.wires.anthropic_messages.inbound.answer import NOTHING, Ending, message, usage
from gateway.wires.anthropic_messages.inbound.blocks import Blocks, BlockWriter
from gateway.wires.anthropic_messages.inbound.continued import ContinuedBlocks
from gateway.wires.anthropic_messages.inbound.errors import render_error
from gateway.wires.base import Decoder, Naming, Passthrough
from gateway.wires.untrusted_fields import an_object

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP: Final[JsonObject] = {"type": "message_stop"}
_OF_BLOCKS: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})


class EventEncoder:
    """Implements Encoder of gateway.wires.base.

    Args:
        naming: what the answer shows the caller.
        shows_reasoning: whether the caller wants to see the reasoning.
        mask: removes secrets from an error's texts.
    """

    def __init__(self, naming: Naming, *, shows_reasoning: bool, mask: Callable[[str], str]) -> None:
        self._naming = naming
        self._shows_reasoning = shows_reasoning
        self._mask = mask
        self._blocks = Blocks()
        self._writer = BlockWriter(self._blocks, shows_reasoning=shows_reasoning)
        self._continued: ContinuedBlocks | None = None
        self._ending = Ending()
        self._last: JsonObject | None = None
        self._usage: Usage | None = None
        self._spent: Usage | None = None
        self._has_begun = False

    def passthrough(self, decoder: Decoder) -> Passthrough | None:
        return passthrough.between(decoder, self)

    @property
    def passing_block(self) -> tuple[str, int] | None:
        """The kind and the index of the open block; None where none is open, or where the provider's events do not pass
        unchanged, because they continue an earlier stream."""
        return (self._blocks.open, self._blocks.latest) if self._blocks.open and self._continued is None else None

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        if not self._has_begun:
            return b""
        self._spent, self._usage, self._last = spent, None, None
        out = comment(f"resumed on {provider}")
        if self._blocks.open != "text":  # the second stream begins its reasoning anew
            out += _events(self._blocks.close_unsigned())
        self._continued = ContinuedBlocks(self._blocks)
        self._writer = BlockWriter(self._blocks, shows_reasoning=self._shows_reasoning and not self._blocks.has_text)
        self._ending = Ending()
        return out

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        self._usage = chunk.usage or self._usage
        if chunk.source.wire == WIRE:
            return self._passed(chunk.source.body, skip)
        events = [] if self._has_begun else [self._start(chunk)]
        for delta in _without(chunk.deltas, skip) if skip else chunk.deltas:
            self._ending.note(delta)
            events += self._writer.write(delta)
        return _events(events)

    def heartbeat(self) -> bytes:
        """A ping is an event of an answer that has begun; before that a comment leaves the answer's head as it is."""
        return PING if self._has_begun else comment("keep-alive")

    def end(self) -> bytes:
        return _events([*self._writer.end(), self._message_delta(), STOP])

    def error(self, error: GatewayError) -> bytes:
        return error_event(error, self._mask)

    def _start(self, chunk: ChatChunk) -> JsonObject:
        self._has_begun = True
        return {"type": "message_start", "message": message(chunk.envelope, self._naming, chunk.usage)}

    def _passed(self, event: JsonObject, skip: int) -> bytes:
        """An event of this wire for the caller."""
        kind = event.get("type")
        if skip:
            _cut(event, skip)
        if kind == "content_block_delta" and self._continued is None:
            return _event(event)
        if kind == "message_start":
            return self._passed_start(event)
        if kind == "message_delta":
            self._last = event if self._last is None else _joined(self._last, event)
            return b""
        if kind == "message_stop":
            return b""
        if kind not in _OF_BLOCKS:
            return _event(event)
        if self._continued is not None:
            return _events(self._continued.events(event))
        unclosed = self._blocks.close() if kind == "content_block_start" else ()  # a server may leave the end out
        out = _events(unclosed) + _event(event)
        self._blocks.follow(event)
        return out

    def _passed_start(self, event: JsonObject) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        if self._naming.model is not None and isinstance(started := event.get("message"), dict):
            started["model"] = self._naming.model
        return _event(event)

    def _message_delta(self) -> JsonObject:
        counted = self._usage or NOTHING
        total = usage(counted if self._spent is None else counted + self._spent)
        if self._last is None:
            delta = self._ending.fields(called=self._writer.called)
            return {"type": "message_delta", "delta": delta, "usage": total}
        if self._spent is None:
            return self._last
        return {**self._last, "usage": {**an_object(self._last.get("usage")), **total}}


def error_event(error: GatewayError, mask: Callable[[str], str]) -> bytes:
    """An error as an event."""
    return encode(render_error(error, mask, in_stream=True), "error")


def _without(deltas: Iterable[ChoiceDelta], skip: int) -> Iterator[ChoiceDelta]:
    """The deltas without their first `skip` characters of text."""
    for delta in deltas:
        yield replace(delta, text=delta.text[skip:]) if skip and delta.text else delta
        skip = max(0, skip - len(delta.text))


def _cut(event: JsonObject, skip: int) -> None:
    """Remove the first characters of an event's text, in place."""
    for name in ("delta", "content_block"):
        inner = event.get(name)
        if isinstance(inner, dict) and isinstance(text := inner.get("text"), str):
            inner["text"] = text[skip:]


def _joined(so_far: JsonObject, further: JsonObject) -> JsonObject:
    """Two events about the end of one answer as one."""
    both = {name: {**an_object(so_far.get(name)), **_known(further.get(name))} for name in ("delta", "usage")}
    return {**so_far, **further, **both}


def _known(value: JsonValue) -> JsonObject:
    return {name: one for name, one in an_object(value).items() if one is not None}


def _events(events: Iterable[JsonObject]) -> bytes:
    return b"".join(map(_event, events))


def _event(event: JsonObject) -> bytes:
    """An event under the name of its type, by which clients know it. A name with a line end could forge fields."""
    name = str(event["type"])
    if not name.isprintable():
        return b""
    return b"event: %b\ndata: %b\n\n" % (name.encode(errors="replace"), dumps(event))
