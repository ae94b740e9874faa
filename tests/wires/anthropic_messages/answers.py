"""Answers of other wires in neutral form, and what becomes of them for a Messages caller."""

import json
from collections.abc import Sequence
from typing import Any

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Envelope, ToolCallDelta, Usage
from gateway.core.deltas import has_content, joined, plain_text
from gateway.core.request import ChatRequest, Media
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages import OWN_SIGNATURE
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import Naming
from tests.validators import anthropic_answers as validate

CALLERS = AnthropicMessagesCallers()
NAMING = Naming("alias", usage=True)
ENVELOPE = Envelope("chatcmpl-1", 1_800_000_000, "gpt-x")
ELSEWHERE = "invented_wire"


def asked(**fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "Hi"}]
    return CALLERS.parse_request(json.dumps({"model": "m", "max_tokens": 9, "messages": messages, **fields}).encode())


PLAIN = asked()
THINKING = asked(thinking={"type": "adaptive"})


def said(text: str = "", **more: Any) -> ChoiceDelta:
    return ChoiceDelta(0, text, **more)


def piece(index: int, arguments: str = "", *, begins: bool = False, ended: bool = False, **more: Any) -> ChoiceDelta:
    names = {"id": f"call_{index}", "name": f"tool_{index}"} if begins else {}
    return ChoiceDelta(0, calls=(ToolCallDelta(index, arguments=arguments, ended=ended, **{**names, **more}),))


def chunk(*deltas: ChoiceDelta, usage: Usage | None = None) -> ChatChunk:
    return ChatChunk(has_content(deltas), usage, Source(ELSEWHERE, {}), plain_text(deltas), ENVELOPE, deltas)


def whole(*deltas: ChoiceDelta, request: ChatRequest = PLAIN, usage: Usage | None = None) -> Any:
    response = ChatResponse(usage, Source(ELSEWHERE, {}), ENVELOPE, joined(deltas))
    message = json.loads(CALLERS.render_response(response, request, NAMING))
    assert validate.of_message(message) == []
    return message


def streamed(*deltas: ChoiceDelta, request: ChatRequest = PLAIN) -> bytes:
    encoder = CALLERS.encoder(request, NAMING)
    raw = b"".join(encoder.encode(chunk(delta)) for delta in deltas) + encoder.end()
    assert validate.of_stream(raw) == []
    return raw


def blocks_of(raw: bytes) -> list[Any]:
    """The blocks of a stream; signatures that are ours as SIGNED."""
    return [signed(block) for block in validate.message_of(raw)["content"]]


def signed(block: Any) -> Any:
    if "signature" not in block:
        return block
    assert block["signature"].startswith(OWN_SIGNATURE)
    return {**block, "signature": "SIGNED"}


def text(words: str) -> JsonObject:
    return {"type": "text", "text": words}


def thought(words: str) -> JsonObject:
    return {"type": "thinking", "thinking": words, "signature": "SIGNED"}


def tool_use(index: int, **arguments: Any) -> JsonObject:
    return {"type": "tool_use", "id": f"call_{index}", "name": f"tool_{index}", "input": arguments}


STOP, CALLED = said(finish="stop"), said(finish="tool_calls")
ROWS: dict[str, tuple[Sequence[ChoiceDelta], list[Any], str]] = {
    "text": ([said("Hel"), said("lo"), STOP], [text("Hello")], "end_turn"),
    "nothing": ([STOP], [], "end_turn"),
    "cut off": ([said("Hello"), said(finish="length")], [text("Hello")], "max_tokens"),
    "thinking first": (
        [said(reasoning="Hm"), said(reasoning="."), said("Hi"), STOP],
        [thought("Hm."), text("Hi")],
        "end_turn",
    ),
    "thinking again": (
        [said("a", reasoning="1"), said("b", reasoning="2"), STOP],
        [thought("1"), text("a"), thought("2"), text("b")],
        "end_turn",
    ),
    "two thoughts": (
        [said(reasoning="1", reasoning_extra={"v": {"s": 1}}), said(reasoning="2"), said("a"), STOP],
        [thought("1"), thought("2"), text("a")],
        "end_turn",
    ),
    "a call": (
        [
            said("I look."),
            piece(0, begins=True),
            piece(0, '{"a"'),
            piece(0, ":1}", ended=True),
            CALLED,
        ],
        [text("I look."), tool_use(0, a=1)],
        "tool_use",
    ),
    "a call without arguments": (
        [piece(0, begins=True), piece(0, ended=True), STOP],
        [tool_use(0)],
        "tool_use",
    ),
    "interleaved calls": (
        [
            piece(0, '{"a":', begins=True),
            piece(1, '{"b":', begins=True),
            piece(2, "{}", begins=True, ended=True),
            piece(0, "1}"),
            piece(1, "2}", ended=True),
            piece(0, ended=True),
            CALLED,
        ],
        [tool_use(0, a=1), tool_use(1, b=2), tool_use(2)],
        "tool_use",
    ),
    "text beside an open call": (
        [
            piece(0, '{"a":', begins=True),
            said("Wait", reasoning="Hm."),
            piece(1, "{}", begins=True),
            said("!"),
            piece(0, "1}", ended=True),
            piece(1, ended=True),
            CALLED,
        ],
        [tool_use(0, a=1), tool_use(1), thought("Hm."), text("Wait!")],
        "tool_use",
    ),
    "text after a call": (
        [said("a"), piece(0, "{}", begins=True, ended=True), said("b"), STOP],
        [text("a"), tool_use(0), text("b")],
        "tool_use",
    ),
    "a custom tool's text": (
        [piece(0, "any ", begins=True, kind="custom"), piece(0, "text", kind="custom", ended=True), STOP],
        [tool_use(0, input="any text")],
        "tool_use",
    ),
    "a refusal": ([said(refusal="I may "), said(refusal="not."), STOP], [text("I may not.")], "refusal"),
    "a filtered text": ([said("Well"), said(finish="content_filter")], [text("Well")], "refusal"),
    "a picture": (
        [said("Here: "), said(images=(Media("image", uri="https://a.example/b.png"),)), STOP],
        [text("Here: ![image](https://a.example/b.png)")],
        "end_turn",
    ),
    "a second choice": (
        [said("a"), ChoiceDelta(1, "b"), STOP, ChoiceDelta(1, finish="length")],
        [text("a")],
        "end_turn",
    ),
    "a finish and more": ([said("a", finish="stop"), said("b"), said(finish="length")], [text("ab")], "max_tokens"),
}
