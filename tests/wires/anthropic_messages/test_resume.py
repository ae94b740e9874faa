"""A broken stream that a second one continues, of this wire or of another: one message, one open text block."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, Usage
from gateway.core.deltas import has_content, plain_text
from gateway.core.source import Source
from gateway.core.text_end import anchor
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import Naming
from tests.validators import anthropic_answers as validate

CALLERS = AnthropicMessagesCallers()
MESSAGES = [{"role": "user", "content": "Hi"}]
ASKED = {"model": "alias", "max_tokens": 9, "messages": MESSAGES, "thinking": {"type": "adaptive"}, "stream": True}
REQUEST = CALLERS.parse_request(json.dumps(ASKED).encode())
SPENT = Usage(10, 5, cached=4)


def neutral(*deltas: ChoiceDelta, usage: Usage | None = None) -> ChatChunk:
    envelope = Envelope("x-1", 1, "gpt-x")
    return ChatChunk(has_content(deltas), usage, Source("invented_wire", {}), plain_text(deltas), envelope, deltas)


def own(event: Any, plain: str | None = "", usage: Usage | None = None) -> ChatChunk:
    return ChatChunk(bool(plain), usage, Source(WIRE, event), plain)


def start(model: str = "claude-real") -> ChatChunk:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    more = {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
    return own({"type": "message_start", "message": {**message, **more}}, usage=Usage(10, 1))


def opens(index: int, block: Any) -> ChatChunk:
    return own({"type": "content_block_start", "index": index, "content_block": block})


def adds(index: int, kind: str, name: str, words: str) -> ChatChunk:
    event = {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: words}}
    return own(event, words if name == "text" else "")


def closes(index: int) -> ChatChunk:
    return own({"type": "content_block_stop", "index": index})


def text_block(index: int, *words: str) -> list[ChatChunk]:
    return [opens(index, {"type": "text", "text": ""}), *(adds(index, "text_delta", "text", each) for each in words)]


def thinking_block(index: int, words: str) -> list[ChatChunk]:
    begun = opens(index, {"type": "thinking", "thinking": "", "signature": ""})
    return [
        begun,
        adds(index, "thinking_delta", "thinking", words),
        adds(index, "signature_delta", "signature", "sig"),
        closes(index),
    ]


def ends() -> list[ChatChunk]:
    usage = Usage(20, 7)
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    counts = {"output_tokens": usage.completion}
    last = own({"type": "message_delta", "delta": delta, "usage": counts}, usage=usage)
    return [last, own({"type": "message_stop"})]


def copied(chunks: Sequence[ChatChunk]) -> list[ChatChunk]:
    """The same chunks for one test: an encoder may change the events that it gets."""
    return [replace(chunk, source=Source(chunk.source.wire, deepcopy(chunk.source.body))) for chunk in chunks]


def written(first: Sequence[ChatChunk], second: Sequence[ChatChunk], skip: int = 0) -> bytes:
    """What the caller gets: the second stream's first text is without the characters that the caller has."""
    encoder = CALLERS.encoder(REQUEST, Naming("alias", usage=True))
    first, second = map(copied, (first, second))
    raw = encoder.answered_by("a/one", None) + b"".join(encoder.encode(chunk) for chunk in first)
    raw += encoder.answered_by("b/two", SPENT)
    for chunk in second:
        raw += encoder.encode(chunk, skip if chunk.plain else 0)
        skip = 0 if chunk.plain else skip
    raw += encoder.end()
    assert validate.of_stream(raw) == []
    assert b": resumed on b/two\n\n" in raw
    return raw


FIRST = {
    "this wire": [start(), *thinking_block(0, "Hm."), *text_block(1, "Hel")],
    "another wire": [neutral(ChoiceDelta(0, reasoning="Hm.")), neutral(ChoiceDelta(0, "Hel"))],
}
SECOND = {
    "this wire": [start("claude-other"), *thinking_block(0, "Other."), *text_block(1, "Hello"), closes(1), *ends()],
    "this wire, its beginning repeated": [adds(1, "text_delta", "text", "Hello"), closes(1), *ends()],
    "another wire": [
        neutral(ChoiceDelta(0, reasoning="Other."), usage=Usage(1, 1)),
        neutral(ChoiceDelta(0, "Hello")),
        neutral(ChoiceDelta(0, finish="stop"), usage=Usage(20, 7)),
    ],
}


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("first", FIRST)
def test_the_open_text_goes_on(first: str, second: str) -> None:
    message = validate.message_of(written(FIRST[first], SECOND[second], skip=3))
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][0]["thinking"] == "Hm.", "another model's second thoughts are left out"
    assert message["content"][1]["text"] == "Hello"
    assert message["model"] == "alias"
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (26, 4, 12)


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize(
    "first",
    [
        [start(), *thinking_block(0, "Hm.")[:2]],
        [neutral(ChoiceDelta(0, reasoning="Hm."))],
    ],
    ids=["this wire", "another wire"],
)
def test_reasoning_that_broke_off_is_closed_and_begun_anew(first: list[ChatChunk], second: str) -> None:
    message = validate.message_of(written(first, SECOND[second]))
    thoughts = [block["thinking"] for block in message["content"] if block["type"] == "thinking"]
    assert thoughts in (["Hm.", "Other."], ["Hm."])
    assert message["content"][-1] == {"type": "text", "text": "Hello"}


def test_a_call_after_the_resumed_text_gets_a_block_of_its_own() -> None:
    call = opens(1, {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}})
    arguments = adds(1, "input_json_delta", "partial_json", "{}")
    second = [start(), *text_block(0, "Hello"), closes(0), call, arguments, closes(1)]
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    last = own({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}})
    message = validate.message_of(written(FIRST["this wire"], [*second, last], skip=3))
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]


def test_the_request_to_continue_has_the_text_so_far_and_keeps_all_else() -> None:
    so_far = "The quick brown fox jumps over the lazy dog, and then it "
    resumed = CALLERS.resume_request(REQUEST, so_far)
    body: Any = resumed.source.body
    *before, answer, wish = body["messages"]
    assert before == MESSAGES
    assert answer == {"role": "assistant", "content": so_far}
    assert f"<begin>{anchor(so_far)}</begin>" in wish["content"]
    assert {**resumed.source.body, "messages": MESSAGES} == ASKED
    assert [message.role for message in resumed.prompt().messages] == ["user", "assistant", "user"]
    assert REQUEST.source.body == ASKED
