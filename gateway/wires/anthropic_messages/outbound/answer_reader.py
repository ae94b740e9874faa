"""The state machine that reads an answer: the events of a stream in, neutral chunks out.

A whole answer is read as the events of its stream, so one reader serves both, with the same result. Where the caller
speaks this wire too, the events pass unchanged and no deltas are made; all else is the same, because failover and
resuming depend on it.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from typing import Final

from msgspec import Struct

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, Usage
from gateway.core.deltas import has_content, plain_text
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.outbound import own_reasoning
from gateway.wires.anthropic_messages.outbound.content_blocks import (
    SILENT,
    Block,
    CallBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
)
from gateway.wires.anthropic_messages.outbound.errors import holds_error, parse_in_stream
from gateway.wires.anthropic_messages.outbound.finish import failure, finish, is_reason
from gateway.wires.anthropic_messages.outbound.usage import UsageReader
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, text

MAX_BLOCKS: Final = 10_000
"""Blocks of one answer. It bounds the state that the reader keeps; a long answer with citations has some hundred."""
_THINKING: Final = ("thinking", "redacted_thinking")
_KINDS_OF_DELTAS: Final = {"text_delta": "text", "thinking_delta": "thinking"}
"""The kinds of blocks that a delta can begin, at servers that leave out their start."""


class _Event(Struct, frozen=True):
    """What one event says.

    Attributes:
        deltas: in neutral form.
        own: whether it begins a block that only this wire can express.
        answers: whether it has a stop reason that is an answer by itself.
        usage: the token counts so far; None where it has none.
    """

    deltas: tuple[ChoiceDelta, ...] = ()
    own: bool = False
    answers: bool = False
    usage: Usage | None = None


class AnswerReader:
    """Reads one answer. Its attributes are those of Decoder in gateway.wires.base.

    Args:
        now: the start of the answer, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps the reasoning that tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: ReasoningMemory) -> None:
        self._asked = asked
        self._memory = memory
        self._envelope = Envelope("", now, "")
        self._usage = UsageReader()
        self._open: dict[int, Block] = {}
        self._latest = 0
        self._blocks = 0
        self._length = 0
        self._spoke = False
        self._calls: list[CallBlock] = []
        self._signed: list[JsonObject] = []
        self._thinking_only = True
        self._thinking_leads = True
        self._stop: JsonObject = {}
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        return self.done

    def read(self, event: JsonValue) -> list[ChatChunk]:
        """The chunk of one event; none after the answer has ended, or where the event is an error."""
        if self.done or self.fault:
            return []
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(kind, str) or kind == "error":
            return self._no_event(event)
        if kind == "content_block_delta" and not self._asked.neutral and (chunk := self._passing(event)):
            return [chunk]
        found = self._event(kind, event)
        if self.fault:
            return []
        speaks = found.own or has_content(found.deltas)
        self._spoke |= speaks
        self._length += sum(len(delta.text) for delta in found.deltas)
        plain = None if found.own else plain_text(found.deltas)
        source = Source(WIRE, event)
        if self._asked.neutral:
            return [ChatChunk(speaks or found.answers, found.usage, source, plain, self._envelope, found.deltas)]
        return [ChatChunk(speaks or found.answers, found.usage, source, plain)]

    def _no_event(self, value: JsonValue) -> list[ChatChunk]:
        if holds_error(value):
            self.fault = parse_in_stream(value)
        else:
            self.skipped += 1
        return []

    def _passing(self, event: JsonObject) -> ChatChunk | None:
        """The chunk of nearly every event of a stream that passes unchanged: it adds text or thinking."""
        delta = event.get("delta")
        kind = delta.get("type") if isinstance(delta, dict) else None
        if not isinstance(delta, dict) or kind not in _KINDS_OF_DELTAS:
            return None
        words = delta.get(_KINDS_OF_DELTAS[kind])
        if not isinstance(words, str):
            return None
        self._spoke |= bool(words)
        return ChatChunk(bool(words), None, Source(WIRE, event), words if kind == "text_delta" else "")

    def _event(self, kind: str, event: JsonObject) -> _Event:
        match kind:
            case "content_block_delta":
                return self._piece(event)
            case "content_block_start":
                return self._begin_block(event)
            case "content_block_stop":
                return _Event(self._end_block(self._place(event)))
            case "message_start":
                return self._begin(an_object(event.get("message")))
            case "message_delta":
                return self._message_delta(event)
            case "message_stop":
                return _Event(self._end())
            case _:
                return _Event()  # a ping, or an event of tomorrow

    def _begin(self, message: JsonObject) -> _Event:
        self._envelope = Envelope(text(message.get("id")), self._envelope.created, text(message.get("model")))
        return _Event(usage=self._usage.read(message.get("usage")))

    def _place(self, event: JsonObject) -> int:
        """The index of the block that the event belongs to; without one, it is the latest block."""
        index = event.get("index")
        return index if type(index) is int else self._latest

    def _begin_block(self, event: JsonObject) -> _Event:
        self._blocks += 1
        if self._blocks > MAX_BLOCKS:
            self.fault = InvalidAnswer("The provider's answer has more content blocks than any answer has.")
            return _Event()
        place, fields = self._place(event), an_object(event.get("content_block"))
        before = self._end_block(place)  # a server may leave out the end of a block
        block = self._open_block(place, text(fields.get("type")))
        if isinstance(block, CallBlock) and not text(fields.get("name")):
            self.fault = InvalidAnswer("The provider's answer calls a tool without naming it.")
            return _Event()
        return _Event((*before, *_spoken(block.start(fields))), own=type(block) is Block)

    def _open_block(self, place: int, kind: str) -> Block:
        self._latest = place
        if kind not in _THINKING:
            self._thinking_only = False
        self._thinking_leads &= kind not in _THINKING or self._thinking_only
        block = self._open[place] = self._block(kind)
        return block

    def _block(self, kind: str) -> Block:
        match kind:
            case "text":
                return TextBlock(self._length)
            case "thinking":
                return ThinkingBlock(self._signed)
            case "redacted_thinking":
                return RedactedBlock(self._signed)
            case "tool_use":
                self._calls.append(call := CallBlock(len(self._calls), self._asked.tools))
                return call
            case _:
                return Block()

    def _piece(self, event: JsonObject) -> _Event:
        place, delta = self._place(event), an_object(event.get("delta"))
        block = self._open.get(place)
        if block is None:
            kind = _KINDS_OF_DELTAS.get(text(delta.get("type")))
            if kind is None:
                return _Event()
            block = self._open_block(place, kind)
        return _Event(_spoken(block.piece(delta)))

    def _end_block(self, place: int) -> tuple[ChoiceDelta, ...]:
        block = self._open.pop(place, None)
        return _spoken(block.end()) if block else ()

    def _message_delta(self, event: JsonObject) -> _Event:
        usage = self._usage.read(event.get("usage"))
        self._stop = {**self._stop, **{name: one for name, one in an_object(event.get("delta")).items() if one}}
        word = text(self._stop.get("stop_reason"))
        if not is_reason(word):
            return _Event(usage=usage)
        self.fault = failure(word, arguments_open=any(block.is_unfinished for block in self._open.values()))
        return _Event(answers=finish(word, called=bool(self._calls)) != "stop", usage=usage)

    def _end(self) -> tuple[ChoiceDelta, ...]:
        """What is left to say at the end: blocks that were not ended, the refusal and the finish."""
        word = text(self._stop.get("stop_reason"))
        if not is_reason(word):
            self.fault = InvalidAnswer("The provider ended its answer without a reason.")
            return ()
        how = finish(word, called=bool(self._calls))
        if how == "stop" and not self._spoke:
            self.fault = InvalidAnswer("The provider answered with nothing.")  # agents would repeat it for ever
            return ()
        self.done = True
        rest = [delta for place in sorted(self._open) for delta in self._end_block(place)]
        explanation = text(an_object(self._stop.get("stop_details")).get("explanation"))
        if how == "content_filter" and not self._spoke:
            explanation = explanation or f"The provider refused to answer: {word}."
        said = [ChoiceDelta(0, refusal=explanation)] if how == "content_filter" and explanation else []
        matched = text(self._stop.get("stop_sequence")) or None
        last = ChoiceDelta(0, finish=how, native_finish=word, extra=self._reasoning(), stop_sequence=matched)
        return (*rest, *said, last)

    def _reasoning(self) -> JsonObject:
        """The signed thinking, as it travels with the message of another wire. Where it does not stand at the front it
        stays away, because its place would be lost."""
        if not (self._asked.neutral and self._signed and self._thinking_leads):
            return {}
        extra = own_reasoning.as_extra(self._signed)
        for call in self._calls:
            self._memory.keep(call.id, extra)
        return extra


def _spoken(delta: ChoiceDelta) -> tuple[ChoiceDelta, ...]:
    return () if delta is SILENT else (delta,)
