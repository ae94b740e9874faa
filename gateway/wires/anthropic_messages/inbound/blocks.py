"""Writes an answer as blocks, from neutral deltas.

Answers of this wire are blocks with indexes, of which one is open at a time. Neutral deltas have no such limit: the
pieces of two calls may interleave, and a model may speak on while its call is not complete. So what does not belong to
the open call waits for its end. A whole answer is written by the same machine as a stream.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChoiceDelta, ToolCallDelta
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.request import Media
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.anthropic_messages import OWN_SIGNATURE
from gateway.wires.custom_tools import INPUT

MAX_WAITING: Final = 16 << 20
"""Characters that wait for the end of a call. It bounds the memory of a stream, whatever its provider sends."""
_LEGAL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REFUSAL: Final = "refusal"
"""The kind of an open text block that holds a refusal, so that the answer's text does not go on in it."""


class Blocks:
    """The blocks that the caller has: how many, and which one is open.

    Attributes:
        open: the kind of the open block; "" where none is open.
        latest: the index of the block that began last; -1 where none has.
        has_text: whether a text has begun.
    """

    def __init__(self) -> None:
        self.open = ""
        self.has_text = False
        self.latest = -1

    def start(self, block: JsonObject, kind: str) -> JsonObject:
        """The event that opens a block."""
        self.open = kind
        self.has_text = self.has_text or kind == "text"
        self.latest += 1
        return {"type": "content_block_start", "index": self.latest, "content_block": block}

    def add(self, delta: JsonObject) -> JsonObject:
        """The event that adds to the open block."""
        return {"type": "content_block_delta", "index": self.latest, "delta": delta}

    def close(self) -> Iterator[JsonObject]:
        """The event that closes the open block, if one is open."""
        if self.open:
            self.open = ""
            yield {"type": "content_block_stop", "index": self.latest}

    def close_unsigned(self) -> Iterator[JsonObject]:
        """The events that close the open block. The reasoning of another vendor has no signature of Anthropic's, and
        clients want one that is not empty."""
        if self.open == "thinking":
            yield self.add({"type": "signature_delta", "signature": OWN_SIGNATURE + token_hex(16)})
        yield from self.close()

    def follow(self, event: JsonObject) -> None:
        """Note what an event does that passes as it came."""
        kind = event.get("type")
        if kind == "content_block_start":
            block = event.get("content_block")
            self.open = str(block.get("type")) if isinstance(block, dict) else "unknown"
            self.has_text = self.has_text or self.open == "text"
            self.latest += 1
        elif kind == "content_block_stop":
            self.open = ""


@dataclass(slots=True)
class _Call:
    """A call that waits for the end of another one, or a custom tool's that waits for its own."""

    begin: ToolCallDelta
    arguments: list[str] = field(default_factory=list)
    ended: bool = False


class BlockWriter:
    """Writes the deltas of one answer as events.

    Args:
        blocks: those that the caller has.
        shows_reasoning: whether the caller wants to see the reasoning.
    """

    def __init__(self, blocks: Blocks, *, shows_reasoning: bool) -> None:
        self._blocks = blocks
        self._shows_reasoning = shows_reasoning
        self._open_call: ToolCallDelta | None = None
        self._ids: set[str] = set()
        self._calls: dict[int, _Call] = {}
        self._begun: set[int] = set()
        self._said: list[ChoiceDelta] = []
        self._waiting = 0

    @property
    def called(self) -> bool:
        """Whether the answer has called a tool."""
        return bool(self._begun)

    def write(self, delta: ChoiceDelta) -> Iterable[JsonObject]:
        """The events for a delta. Raises InvalidAnswer where too much waits for the end of a call."""
        if delta.index:
            return ()  # this wire has one choice
        if self._blocks.open == "text" and not (delta.reasoning or delta.refusal or delta.calls or delta.images):
            return (self._blocks.add({"type": "text_delta", "text": delta.text}),) if delta.text else ()
        return self._write(delta)

    def _write(self, delta: ChoiceDelta) -> Iterator[JsonObject]:
        if self._open_call is None:
            yield from self._say(delta)
        elif delta.text or delta.reasoning or delta.refusal or delta.images:
            self._wait(len(delta.text) + len(delta.reasoning) + len(delta.refusal))
            self._said.append(delta)
        for piece in delta.calls:
            yield from self._piece(piece)

    def end(self) -> Iterator[JsonObject]:
        """The events that close the answer's last block."""
        if self._open_call is not None:
            yield from self._end_call()
        for call in self._calls.values():
            call.ended = True
        yield from self._after_call()
        yield from self._blocks.close_unsigned()

    def _say(self, delta: ChoiceDelta) -> Iterator[JsonObject]:
        """The events for all but the calls, in the order of a delta. Empty blocks are never opened."""
        if delta.reasoning and self._shows_reasoning:
            yield from self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            yield self._blocks.add({"type": "thinking_delta", "thinking": delta.reasoning})
        if delta.reasoning_extra and self._blocks.open == "thinking":
            yield from self._blocks.close_unsigned()
        if delta.text:
            yield from self._text("text", delta.text)
        if delta.refusal:
            yield from self._text(_REFUSAL, delta.refusal)
        for image in delta.images:
            yield from self._text("text", _as_text(image))

    def _text(self, kind: str, text: str) -> Iterator[JsonObject]:
        yield from self._open(kind, {"type": "text", "text": ""})
        yield self._blocks.add({"type": "text_delta", "text": text})

    def _open(self, kind: str, block: JsonObject) -> Iterator[JsonObject]:
        if self._blocks.open != kind:
            yield from self._blocks.close_unsigned()
            yield self._blocks.start(block, kind)

    def _piece(self, piece: ToolCallDelta) -> Iterator[JsonObject]:
        """The events for a piece of a call: of the open one at once, of all others when that one has ended."""
        current = self._open_call
        if current is not None and current.index == piece.index:
            if piece.arguments:
                yield self._arguments(piece.arguments)
            if piece.ended:
                yield from self._end_call()
                yield from self._after_call()
            return
        waiting = self._calls.get(piece.index)
        if waiting is None:
            if piece.index in self._begun:
                return  # nothing follows the end of a call
            self._begun.add(piece.index)
            waiting = self._calls[piece.index] = _Call(piece)
        self._wait(len(piece.arguments))
        waiting.arguments.append(piece.arguments)
        waiting.ended |= piece.ended
        if current is None:
            yield from self._after_call()

    def _after_call(self) -> Iterator[JsonObject]:
        """The events for what waits, now that no call is open: calls in the order of their index, then the rest."""
        for index in sorted(self._calls):
            call = self._calls[index]
            if call.begin.kind == "custom" and not call.ended:
                continue
            del self._calls[index]
            yield from self._begin_call(call)
            if not call.ended:
                return
            yield from self._end_call()
        said, self._said = self._said, []
        for delta in said:
            yield from self._say(delta)
        self._waiting = 0

    def _begin_call(self, call: _Call) -> Iterator[JsonObject]:
        begin, arguments = call.begin, "".join(call.arguments)
        yield from self._blocks.close_unsigned()
        block: JsonObject = {"type": "tool_use", "id": self._own_id(begin.id), "name": begin.name, "input": {}}
        yield self._blocks.start(block, "tool_use")
        self._open_call = begin
        if begin.kind == "custom":
            arguments = dumps({INPUT: arguments}).decode()
        if arguments:
            yield self._arguments(arguments)

    def _arguments(self, text: str) -> JsonObject:
        return self._blocks.add({"type": "input_json_delta", "partial_json": text})

    def _end_call(self) -> Iterator[JsonObject]:
        self._open_call = None
        yield from self._blocks.close_unsigned()

    def _own_id(self, id: str) -> str:
        """The id of a call as this wire allows it, and unlike those of the answer's other calls."""
        legal = id if _LEGAL_ID.fullmatch(id) else f"toolu_{sha256(id.encode(errors='replace')).hexdigest()[:24]}"
        own = legal if legal not in self._ids else f"{legal[:48]}_{token_hex(4)}"
        self._ids.add(own)
        return own

    def _wait(self, size: int) -> None:
        self._waiting += size
        if self._waiting > MAX_WAITING:
            raise InvalidAnswer("The provider's answer goes on for too long beside an unfinished tool call.")


def _as_text(made: Media) -> str:
    """An image, a sound or a file that the model made, for which answers of this wire have no block: its address, or a
    note that it is missing."""
    if made.uri:
        return f"{'!' if made.kind == 'image' else ''}[{made.kind}]({made.uri})"
    return f"[The model made something ({made.mime_type or made.kind}) that the Messages API has no block for.]"
