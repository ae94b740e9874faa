"""Reads the content blocks of an answer as deltas. Each kind of block has a small state of its own.

A stream brings a block as a start, pieces and an end. A whole answer's block is a start that holds everything, and an
end, so both give the same deltas, joined.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from collections.abc import Mapping
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChoiceDelta, Citation, ToolCallDelta
from gateway.core.request import Tool
from gateway.core.strict_json import JsonFault, JsonObject, dumps, loads
from gateway.wires.anthropic_messages import VENDOR
from gateway.wires.anthropic_messages.outbound.own_reasoning import (
    REDACTED,
    SIGNATURE,
    is_foreign,
    redacted_block,
    thinking_block,
)
from gateway.wires.custom_tools import unwrapped
from gateway.wires.untrusted_fields import an_object, objects, text

MAX_CITATIONS: Final = 1_000
"""Citations of one block; an answer has a few dozen."""
SILENT: Final = ChoiceDelta(0)
"""What says nothing."""


class Block:
    """A block that says nothing to callers of other wires: a tool that the vendor runs, or a kind of tomorrow."""

    def start(self, fields: JsonObject) -> ChoiceDelta:
        """What the block says as it begins. `fields`: the block, which a whole answer gives complete."""
        return SILENT

    def piece(self, delta: JsonObject) -> ChoiceDelta:
        """What one more piece of it says."""
        return SILENT

    def end(self) -> ChoiceDelta:
        """What its end says."""
        return SILENT

    @property
    def is_unfinished(self) -> bool:
        """Whether it holds the beginning of something that must be complete to mean anything."""
        return False


class TextBlock(Block):
    """A text, with citations of web pages.

    Args:
        begins: the number of characters that the answer has before it.
    """

    def __init__(self, begins: int) -> None:
        self._begins = begins
        self._length = 0
        self._pages: list[tuple[str, str]] = []

    def start(self, fields: JsonObject) -> ChoiceDelta:
        for citation in objects(fields.get("citations")):
            self._cite(citation)
        return self._say(text(fields.get("text")))

    def piece(self, delta: JsonObject) -> ChoiceDelta:
        if delta.get("type") == "citations_delta":
            self._cite(an_object(delta.get("citation")))
            return SILENT
        return self._say(text(delta.get("text")))

    def end(self) -> ChoiceDelta:
        start, end = self._begins, self._begins + self._length
        pages = dict.fromkeys(self._pages)
        cited = tuple(Citation(url, title, start, end) for url, title in pages)
        return ChoiceDelta(0, citations=cited) if cited else SILENT

    def _say(self, words: str) -> ChoiceDelta:
        self._length += len(words)
        return ChoiceDelta(0, text=words) if words else SILENT

    def _cite(self, citation: JsonObject) -> None:
        url = text(citation.get("url"))
        if url and len(self._pages) < MAX_CITATIONS:
            self._pages.append((url, text(citation.get("title"))))


class ThinkingBlock(Block):
    """Thinking. Its text may be omitted; its signature comes at its end.

    Args:
        signed: is given the block as it goes back to Anthropic.
    """

    def __init__(self, signed: list[JsonObject]) -> None:
        self._signed = signed
        self._words: list[str] = []
        self._signature = ""

    def start(self, fields: JsonObject) -> ChoiceDelta:
        self._signature = text(fields.get("signature"))
        return self._say(text(fields.get("thinking")))

    def piece(self, delta: JsonObject) -> ChoiceDelta:
        self._signature += text(delta.get("signature"))
        return self._say(text(delta.get("thinking")))

    def end(self) -> ChoiceDelta:
        block = thinking_block("".join(self._words), self._signature)
        if is_foreign(block):
            return SILENT
        self._signed.append(block)
        return ChoiceDelta(0, reasoning_extra={VENDOR: {SIGNATURE: self._signature}})

    def _say(self, words: str) -> ChoiceDelta:
        if not words:
            return SILENT
        self._words.append(words)
        return ChoiceDelta(0, reasoning=words)


class RedactedBlock(Block):
    """Thinking that only Anthropic can read.

    Args:
        signed: is given the block as it goes back to Anthropic.
    """

    def __init__(self, signed: list[JsonObject]) -> None:
        self._signed = signed
        self._data = ""

    def start(self, fields: JsonObject) -> ChoiceDelta:
        self._data = text(fields.get("data"))
        return SILENT

    def end(self) -> ChoiceDelta:
        if not self._data:
            return SILENT
        self._signed.append(redacted_block(self._data))
        return ChoiceDelta(0, reasoning_extra={VENDOR: {REDACTED: self._data}})


class CallBlock(Block):
    """A call of a tool.

    Args:
        index: of the call.
        tools: the tools that the model may call, by the names that were sent.
    """

    def __init__(self, index: int, tools: Mapping[str, Tool]) -> None:
        self._index = index
        self._tools = tools
        self._tool = Tool("")
        self._given: JsonObject = {}
        self._arguments: list[str] = []
        self.id = ""

    def start(self, fields: JsonObject) -> ChoiceDelta:
        sent = text(fields.get("name"))
        self._tool = self._tools.get(sent) or Tool(sent)
        self._given = an_object(fields.get("input"))
        self.id = text(fields.get("id")) or f"call_{token_hex(12)}"
        return self._delta(ToolCallDelta(self._index, self.id, self._tool.name, kind=self._tool.kind))

    def piece(self, delta: JsonObject) -> ChoiceDelta:
        words = text(delta.get("partial_json"))
        if not words:
            return SILENT
        self._arguments.append(words)
        if self._tool.kind == "custom":  # the text inside is whole only at the end
            return SILENT
        return self._delta(ToolCallDelta(self._index, arguments=words))

    def end(self) -> ChoiceDelta:
        written = "".join(self._arguments)
        rest = ""
        if not written and self._given:
            written = rest = dumps(self._given).decode()
        if self._tool.kind == "custom":
            rest = unwrapped(written)
        return self._delta(ToolCallDelta(self._index, arguments=rest, kind=self._tool.kind, ended=True))

    @property
    def is_unfinished(self) -> bool:
        """Whether its arguments have begun and are no JSON object yet."""
        if not self._arguments:
            return False
        try:
            return not isinstance(loads("".join(self._arguments).encode("utf-8", "surrogatepass")), dict)
        except JsonFault:
            return True

    def _delta(self, piece: ToolCallDelta) -> ChoiceDelta:
        return ChoiceDelta(0, calls=(piece,))
