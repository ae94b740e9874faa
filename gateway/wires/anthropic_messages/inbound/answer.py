"""Writes a whole answer for the caller, and the parts that whole answers and streams share.

An answer of this wire passes with another model name. An answer of another wire is written from its neutral form, and
nothing depends on which wire it was.
Source: https://platform.claude.com/docs/en/api/messages.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChatResponse, ChoiceDelta, Envelope, Finish, Usage
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, dumps, loads
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.inbound.blocks import Blocks, BlockWriter
from gateway.wires.base import Naming

PREFIX: Final = "msg_"
NOTHING: Final = Usage(0, 0)
_STOP_REASONS: Final[Mapping[Finish, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ID_SHOWN: Final = 64
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


def render(response: ChatResponse, naming: Naming, *, shows_reasoning: bool) -> bytes:
    """The answer's body for the caller. Raises InvalidAnswer: the arguments of a call are no JSON object."""
    if response.source.wire == WIRE:
        body = response.source.body
        return dumps(body if naming.model is None else {**body, "model": naming.model})
    writer = BlockWriter(Blocks(), shows_reasoning=shows_reasoning)
    ending = Ending()
    events: list[JsonObject] = []
    for delta in response.deltas:
        ending.note(delta)
        events += writer.write(delta)
    events += writer.end()
    body = message(response.envelope, naming, response.usage)
    return dumps({**body, "content": _content(events), **ending.fields(called=writer.called)})


def message(envelope: Envelope | None, naming: Naming, counted: Usage | None) -> JsonObject:
    """An answer without content, which begins a stream too."""
    known = envelope or Envelope("", 0, "")
    own = _UNSAFE.sub("-", known.id)[:_ID_SHOWN]
    return {
        "id": PREFIX + (own or token_hex(12)),
        "type": "message",
        "role": "assistant",
        "model": known.model if naming.model is None else naming.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(counted or NOTHING),
    }


def usage(counted: Usage) -> JsonObject:
    """Token counts. What was read from a cache and written to it is counted beside the rest of the input."""
    fields: JsonObject = {
        "input_tokens": max(0, counted.prompt - counted.cached - counted.cache_write),
        "cache_creation_input_tokens": counted.cache_write,
        "cache_read_input_tokens": counted.cached,
        "output_tokens": counted.completion,
    }
    if counted.reasoning:
        fields["output_tokens_details"] = {"thinking_tokens": min(counted.reasoning, counted.completion)}
    return fields


@dataclass(slots=True)
class Ending:
    """Why an answer ended, so far. Some servers speak on after a finish, so it is written at the very end."""

    finish: Finish | None = None
    stop_sequence: str | None = None
    refusal: list[str] = field(default_factory=list)

    def note(self, delta: ChoiceDelta) -> None:
        """Take what a delta says of the end."""
        if delta.index == 0:
            self.finish = delta.finish or self.finish
            self.stop_sequence = delta.stop_sequence or self.stop_sequence
            if delta.refusal:
                self.refusal.append(delta.refusal)

    def fields(self, *, called: bool) -> JsonObject:
        """`stop_reason` and what belongs to it. `called`: the answer has called a tool."""
        reason = self._reason(called=called)
        stopped_by = self.stop_sequence if reason == "stop_sequence" else None
        fields: JsonObject = {"stop_reason": reason, "stop_sequence": stopped_by}
        if reason == "refusal":
            why = "".join(self.refusal) or None
            fields["stop_details"] = {"type": "refusal", "category": None, "explanation": why}
        return fields

    def _reason(self, *, called: bool) -> str:
        if self.finish == "content_filter" or (self.refusal and not called):
            return "refusal"
        if called and self.finish != "length":
            return "tool_use"
        if self.finish == "tool_calls":
            return "end_turn"  # without a call, which clients would look for
        if self.finish == "stop" and self.stop_sequence is not None:
            return "stop_sequence"
        return _STOP_REASONS[self.finish or "stop"]


def _content(events: Iterable[JsonObject]) -> list[JsonValue]:
    """The blocks that events add up to."""
    content: list[JsonValue] = []
    texts: list[str] = []
    block: JsonObject = {}
    for event in events:
        match event["type"], event.get("content_block"), event.get("delta"):
            case "content_block_start", dict(begun), _:
                block, texts = begun, []
            case "content_block_delta", _, {"type": "signature_delta", "signature": signature}:
                block["signature"] = signature
            case "content_block_delta", _, dict(delta):
                texts += [text for name, text in delta.items() if name != "type" and isinstance(text, str)]
            case _:
                content.append(_whole(block, "".join(texts)))
    return content


def _whole(block: JsonObject, text: str) -> JsonObject:
    """A block with all that its events add to it."""
    kind = str(block["type"])
    if kind != "tool_use":
        return {**block, kind: text}
    if not text.strip():
        return block
    try:
        return {**block, "input": as_object(loads(text.encode("utf-8", "surrogatepass")))}
    except JsonFault:
        raise InvalidAnswer("The provider's answer calls a tool with arguments that are no JSON object.") from None
