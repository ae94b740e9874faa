"""Token counts: every vendor's are brought to one form, whole and streamed, and passed on as they came."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import PER_DOLLAR, Usage
from gateway.core.passed import PassedRequest
from gateway.core.rendered import Rendered
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires import openai_usage
from gateway.wires.anthropic_messages.outbound import decoder as messages_decoder
from gateway.wires.anthropic_messages.outbound import response as messages
from gateway.wires.base import Decoder
from gateway.wires.gemini import decoder as gemini_decoder
from gateway.wires.gemini import response as gemini
from gateway.wires.openai_chat.outbound import response as chat
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder
from gateway.wires.openai_responses.outbound import decoder as responses_decoder
from gateway.wires.openai_responses.outbound import response as responses
from gateway.wires.passed import answer as passed
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.counted_answers import ANSWERS, CountedAnswer

NOW = 1_800_000_000
OWN, NEUTRAL = Rendered(b""), Rendered(b"", neutral=True)
each_answer = pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.vendor}-{row.wire}-{row.model}")
each_way = pytest.mark.parametrize("asked", [OWN, NEUTRAL], ids=["passed", "translated"])


def chat_body(row: CountedAnswer) -> JsonObject:
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    return _chat(row, "chat.completion", [choice], row.counts)


def chat_events(row: CountedAnswer) -> list[JsonObject]:
    said: JsonObject = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    end: JsonObject = {"index": 0, "delta": {}, "finish_reason": "stop"}
    kind = "chat.completion.chunk"
    return [_chat(row, kind, [said], None), _chat(row, kind, [end], None), _chat(row, kind, [], row.counts)]


def _chat(row: CountedAnswer, kind: str, choices: list[Any], counts: JsonObject | None) -> JsonObject:
    head: JsonObject = {"id": "x", "object": kind, "created": NOW, "model": row.model, "choices": choices}
    return {**head, "usage": counts, **({"service_tier": row.tier} if row.tier else {})}


def response_body(row: CountedAnswer) -> JsonObject:
    item: JsonObject = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": NOW,
        "status": "completed",
        "model": row.model,
        "output": [item],
        "usage": row.counts,
        "service_tier": row.tier,
    }


def response_events(row: CountedAnswer) -> list[JsonObject]:
    whole = response_body(row)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "service_tier": "auto"}
    return [{"type": "response.created", "response": begun}, {"type": "response.completed", "response": whole}]


def message_body(row: CountedAnswer) -> JsonObject:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": row.model,
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {**(row.begin or {}), **row.counts},
    }


def message_events(row: CountedAnswer) -> list[JsonObject]:
    text: JsonObject = {"type": "text", "text": ""}
    return [
        {"type": "message_start", "message": {**message_body(row), "content": [], "usage": row.begin}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": row.counts},
        {"type": "message_stop"},
    ]


def gemini_body(row: CountedAnswer) -> JsonObject:
    said: JsonObject = {"index": 0, "content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    return {"candidates": [said], "usageMetadata": row.counts, "modelVersion": row.model}


BODIES: Mapping[str, Callable[[CountedAnswer], JsonObject]] = {
    "openai_chat": chat_body,
    "openai_responses": response_body,
    "anthropic_messages": message_body,
    "gemini": gemini_body,
}
EVENTS: Mapping[str, Callable[[CountedAnswer], list[JsonObject]]] = {
    "openai_chat": chat_events,
    "openai_responses": response_events,
    "anthropic_messages": message_events,
    "gemini": lambda row: [gemini_body(row)],
}


def read_whole(row: CountedAnswer, asked: Rendered) -> Usage | None:
    body, memory = dumps(BODIES[row.wire](row)), ReasoningMemory()
    match row.wire:
        case "openai_chat":
            return chat.parse(body, NOW, asked).usage
        case "openai_responses":
            return responses.parse(body, NOW, asked, memory).usage
        case "gemini":
            return gemini.parse(body, NOW, asked, memory).usage
        case _:
            return messages.parse(body, NOW, asked, memory).usage


def decoder(row: CountedAnswer, asked: Rendered) -> Decoder:
    memory = ReasoningMemory()
    match row.wire:
        case "openai_chat":
            return ChunkDecoder(NOW, asked)
        case "openai_responses":
            return responses_decoder.EventDecoder(NOW, asked, memory)
        case "gemini":
            return gemini_decoder.EventDecoder(NOW, asked, memory)
        case _:
            return messages_decoder.EventDecoder(NOW, asked, memory)


def read_stream(row: CountedAnswer, asked: Rendered) -> Usage | None:
    machine = decoder(row, asked)
    chunks = [chunk for event in EVENTS[row.wire](row) for chunk in machine.feed(b"data: " + dumps(event) + b"\n\n")]
    assert machine.fault is None
    return last(chunk.usage for chunk in [*chunks, *machine.close()])


def last(found: Iterable[Usage | None]) -> Usage | None:
    return [usage for usage in found if usage][-1]


@each_answer
@each_way
def test_a_whole_answer_counts(row: CountedAnswer, asked: Rendered) -> None:
    assert read_whole(row, asked) == row.usage


@each_answer
@each_way
def test_a_stream_counts_the_same(row: CountedAnswer, asked: Rendered) -> None:
    assert read_stream(row, asked) == row.usage


@each_answer
def test_the_parts_are_among_the_sums(row: CountedAnswer) -> None:
    usage = row.usage
    assert usage.cached + usage.cache_write <= usage.prompt
    assert usage.cache_write_1h <= usage.cache_write
    assert usage.reasoning <= usage.completion


def test_the_rows_are_of_the_vendors_that_count_differently() -> None:
    assert {row.vendor for row in ANSWERS} == {"openai", "anthropic", "gemini", "deepseek", "xai", "openrouter"}
    assert all("http" in row.source and "(2026" in row.source for row in ANSWERS)


def test_a_completion_and_an_embedding_have_their_details_too() -> None:
    counts: JsonObject = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}
    assert passed.read_usage(counts | {"cost": 0.25}) == Usage(9, 4, cached=8, reported_cost=PER_DOLLAR // 4)
    body = dumps({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3, "total_tokens": 3, "cost": 1e-6}})
    asked = PassedRequest("embeddings", "m", b"", {"input": "a"})
    assert passed.read(body, asked).usage == Usage(3, 0, reported_cost=1_000_000)


def test_fast_mode_is_a_tier() -> None:
    (row,) = (row for row in ANSWERS if row.vendor == "anthropic")
    body = message_body(row)
    body["usage"] = {**row.counts, **(row.begin or {}), "speed": "fast"}
    usage = messages.parse(dumps(body), NOW, OWN, ReasoningMemory()).usage
    assert usage and usage.service_tier == "fast"


@pytest.mark.parametrize("cost", [-0.1, True, "0.1", None, 1e300, {"total_cost": 1}])
def test_what_is_no_cost_is_not_believed(cost: Any) -> None:
    counts: JsonObject = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": cost}
    assert openai_usage.read_usage(counts, openai_usage.CHAT).reported_cost is None


numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.text()
details = st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens"]), numbers)
any_counts = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": numbers,
        "completion_tokens": numbers,
        "total_tokens": numbers,
        "prompt_tokens_details": details | numbers,
        "completion_tokens_details": details | numbers,
        "prompt_cache_hit_tokens": numbers,
        "prompt_cache_miss_tokens": numbers,
        "cost": numbers,
        "cost_in_usd_ticks": numbers,
        "is_byok": numbers,
        "cost_details": st.dictionaries(st.just("upstream_inference_cost"), numbers),
    },
)


@given(any_counts)
def test_whatever_a_server_counts_parts_stay_parts(counts: Any) -> None:
    usage = openai_usage.read_usage(counts, openai_usage.CHAT)
    assert 0 <= usage.cached + usage.cache_write <= usage.prompt
    assert 0 <= usage.reasoning <= usage.completion
    assert usage.reported_cost is None or usage.reported_cost >= 0
