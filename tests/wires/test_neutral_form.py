"""The rules of the neutral form, held for every wire that reads or writes it."""

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.core.answer import ChatChunk, ChatResponse
from gateway.core.deltas import assemble, joined
from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure, UnsupportedByTarget
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, Message, Prompt, Text, Tool
from gateway.core.source import Source
from gateway.core.sse import encode
from gateway.core.strict_json import JsonObject, dumps, loads
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.base import Naming, OutboundWire
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.chats import ASKED
from tests.support.examples import examples
from tests.support.neutral import AnswerPlan, answer_plans, check_calls, prompts, words

NOW = 1_700_000_000
SCHEMAS = Path(__file__).parents[1] / "schemas"
GOLDEN = Path(__file__).parents[1] / "golden" / "openai" / "answers"
NEUTRAL = Rendered(b"", neutral=True)
OPENAI = Dialect("strict", custom_tools=True, fields=frozenset({"max_completion_tokens", "reasoning_effort", "strict"}))
cuts = st.lists(st.integers(1, 200), max_size=20)
PATCH = Tool("odd patch", kind="custom")


def stream_of(plan: AnswerPlan) -> bytes:
    return b"".join(encode(dumps(event)) for event in plan.events()) + encode(b"[DONE]")


def pieces_of(data: bytes, lengths: Iterable[int]) -> Iterable[bytes]:
    start = 0
    for length in lengths:
        yield data[start : start + length]
        start += length
    yield data[start:]


def heard(data: bytes, lengths: Iterable[int] = (), asked: Rendered = NEUTRAL) -> list[ChatChunk]:
    """The chunks of a stream that comes in pieces of these lengths."""
    decoder = OpenAIChatProvider().decoder(NOW, asked)
    chunks = [chunk for piece in pieces_of(data, lengths) if piece for chunk in decoder.feed(piece)]
    chunks += decoder.close()
    if decoder.fault:
        raise decoder.fault
    return chunks


def whole(plan: AnswerPlan, asked: Rendered = NEUTRAL) -> ChatResponse:
    return OpenAIChatProvider().parse_response(dumps(plan.whole()), NOW, asked)


def foreign(value: ChatResponse) -> ChatResponse:
    """The same answer as if another wire had brought it, so that only its neutral form can be written."""
    return replace(value, source=Source("another", {}))


# Answers ---------------------------------------------------------------------------------------------------------


@settings(max_examples=examples(400))
@given(answer_plans, cuts)
def test_calls_come_in_pieces_and_a_finish_comes_last(plan: AnswerPlan, lengths: list[int]) -> None:
    chunks = heard(stream_of(plan), lengths)
    check_calls(chunks)
    check_calls([ChatChunk(True, None, Source("x", {}), deltas=whole(plan).deltas)])
    found = joined(delta for chunk in chunks for delta in chunk.deltas)
    assert ["".join(call.pieces) for call in plan.calls] == [call.arguments for delta in found for call in delta.calls]


@settings(max_examples=examples(400))
@given(answer_plans, cuts)
def test_the_deltas_of_a_stream_add_up_to_the_whole_answer(plan: AnswerPlan, lengths: list[int]) -> None:
    summed = assemble(heard(stream_of(plan), lengths), Source("openai_chat", {}))
    once = whole(plan)
    assert summed.deltas == once.deltas
    assert (summed.usage, summed.envelope) == (once.usage, once.envelope)


@given(answer_plans, st.integers(0, 4_000))
def test_a_stream_that_breaks_has_no_finish(plan: AnswerPlan, cut: int) -> None:
    data = stream_of(plan)
    finish = data.index(b'"finish_reason":"')
    decoder = OpenAIChatProvider().decoder(NOW, NEUTRAL)
    chunks = [*decoder.feed(data[: min(cut, finish)]), *decoder.close()]
    assert all(delta.finish is None for chunk in chunks for delta in chunk.deltas)
    assert not decoder.done


@settings(max_examples=examples(400))
@given(answer_plans)
def test_a_whole_answer_of_openai_is_the_same_through_the_neutral_form(plan: AnswerPlan) -> None:
    naming, callers = Naming(None, usage=True), OpenAIChatCallers()
    assert json.loads(callers.render_response(foreign(whole(plan)), ASKED, naming)) == json.loads(
        callers.render_response(whole(plan, Rendered(b"")), ASKED, naming)
    )


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
@given(answer_plans.filter(lambda plan: not any(call.custom for call in plan.calls)), cuts)
def test_a_stream_of_openai_adds_up_to_the_same_through_the_neutral_form(plan: AnswerPlan, lengths: list[int]) -> None:
    """The real client's own accumulator does the sums; it knows no custom tools."""
    passed, through = (added_up(plan, lengths, neutral=neutral) for neutral in (False, True))
    assert passed == through


def added_up(plan: AnswerPlan, lengths: list[int], *, neutral: bool) -> JsonObject:
    encoder = OpenAIChatCallers().encoder(ASKED, Naming(None, usage=True))
    chunks = heard(stream_of(plan), lengths, NEUTRAL if neutral else Rendered(b""))
    if neutral:
        chunks = [replace(chunk, source=Source("another", {})) for chunk in chunks]
    out = b"".join(map(encoder.encode, chunks)) + encoder.end()
    state = ChatCompletionStreamState()
    for line in out.decode().split("\n\n"):
        if line.startswith("data: {"):
            state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(line.removeprefix("data: "))))
    found: JsonObject = json.loads(state.current_completion_snapshot.model_dump_json(exclude_unset=True))
    return cast(JsonObject, without_empty(found))


def without_empty(value: object) -> object:
    """Without what is null or empty: a stream has no other way to say that a field is not there."""
    if isinstance(value, dict):
        return {name: without_empty(inner) for name, inner in value.items() if inner not in (None, "", [])}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


def with_bytes(value: object) -> object:
    """With the bytes of each token, which follow from its text where the answer leaves them out."""
    if isinstance(value, dict):
        filled = {name: with_bytes(inner) for name, inner in value.items()}
        return {**filled, "bytes": list(str(filled["token"]).encode())} if filled.get("bytes", 0) is None else filled
    return [with_bytes(inner) for inner in value] if isinstance(value, list) else value


LOST = ("service_tier", "system_fingerprint")
"""What no other wire has, and no answer through the neutral form."""
VENDORS_OWN = {"audio", "function_call", "reasoning_and_unknown"}
"""Answers with fields of a vendor's, or of the API's past."""


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem not in VENDORS_OWN))
def test_an_answer_as_openai_sends_it_is_the_same_through_the_neutral_form(name: str) -> None:
    body, naming = (GOLDEN / f"{name}.json").read_bytes(), Naming(None, usage=True)
    callers, provider = OpenAIChatCallers(), OpenAIChatProvider()
    passed = json.loads(callers.render_response(provider.parse_response(body, NOW, Rendered(b"")), ASKED, naming))
    through = json.loads(callers.render_response(foreign(provider.parse_response(body, NOW, NEUTRAL)), ASKED, naming))
    for field in LOST:
        passed.pop(field, None)
    passed["choices"].sort(key=lambda choice: choice["index"])  # a client finds a choice by its index
    counts = passed.get("usage")
    for details in ("prompt_tokens_details", "completion_tokens_details") if counts else ():
        known = (through["usage"] or {}).get(details, {})
        counts[details] = {key: value for key, value in counts.get(details, known).items() if key in known}
    assert without_empty(through) == without_empty(with_bytes(passed))


@given(words)
def test_a_custom_tool_that_was_sent_as_a_function_comes_back_as_it_is(text: str) -> None:
    sent = {"odd_patch": PATCH}
    plan: JsonObject = {"id": "call_1", "type": "function"}
    arguments = json.dumps({"input": text})
    wrapped: JsonObject = {**plan, "function": {"name": "odd_patch", "arguments": arguments}}
    message: JsonObject = {"role": "assistant", "content": None, "tool_calls": [wrapped]}
    body: JsonObject = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    asked = Rendered(b"", tools=sent, neutral=True)
    answer = OpenAIChatProvider().parse_response(dumps(body), NOW, asked)
    (call,) = answer.deltas[0].calls
    assert (call.name, call.kind, call.arguments) == ("odd patch", "custom", text)
    events: list[JsonObject] = [{**wrapped, "index": 0, "function": {"name": "odd_patch", "arguments": ""}}]
    events += [{"index": 0, "function": {"arguments": letter}} for letter in arguments]
    chunks = heard(b"".join(map(event_of, events)) + event_of(None), asked=asked)
    assert joined(delta for chunk in chunks for delta in chunk.deltas)[0].calls == (call,)


def event_of(fragment: JsonObject | None) -> bytes:
    delta: JsonObject = {} if fragment is None else {"tool_calls": [fragment]}
    finish = "tool_calls" if fragment is None else None
    return encode(dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))


def test_a_call_without_a_name_is_no_answer() -> None:
    call: JsonObject = {"index": 0, "id": "call_1", "function": {"arguments": "{}"}}
    with pytest.raises(InvalidAnswer, match="without naming"):
        heard(event_of(call) + event_of(None))


def test_a_name_that_comes_late_begins_the_call() -> None:
    pieces: list[JsonObject] = [
        {"index": 0, "id": "call_1", "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"name": "get", "arguments": ":1}"}},
    ]
    chunks = heard(b"".join(map(event_of, pieces)) + event_of(None))
    check_calls(chunks)
    (call,) = joined(delta for chunk in chunks for delta in chunk.deltas)[0].calls
    assert (call.name, call.arguments) == ("get", '{"a":1}')


def test_a_call_ends_as_soon_as_it_is_whole_and_something_else_begins() -> None:
    pieces: list[JsonObject] = [
        {"index": 0, "id": "call_1", "function": {"name": "get", "arguments": '{"a":1}'}},
        {"index": 1, "id": "call_2", "function": {"name": "get", "arguments": "{"}},
    ]
    chunks = heard(b"".join(map(event_of, pieces)))
    first = [piece for chunk in chunks[:2] for delta in chunk.deltas for piece in delta.calls]
    assert [(piece.index, piece.ended) for piece in first] == [(0, False), (0, True), (1, False)]


# Requests --------------------------------------------------------------------------------------------------------


CLAUDE = "MessageCreateParamsNonStreaming"


@cache
def validator(schema: str, name: str) -> jsonschema.Draft202012Validator:
    defs = json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8"))["$defs"]
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": defs})


def request_of(prompt: Prompt) -> ChatRequest:
    return ChatRequest("alias", False, True, Source("another", {}), lambda: prompt)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(prompts)
def test_every_prompt_becomes_a_valid_request_or_a_refusal(prompt: Prompt) -> None:
    targets: list[tuple[OutboundWire, str, jsonschema.Draft202012Validator]] = [
        (OpenAIChatProvider(OPENAI), "gpt-5", validator("openai", "CreateChatCompletionRequest")),
        (Gemini(ReasoningMemory()), "gemini-3-pro-preview", validator("gemini", "GenerateContentRequest")),
        (Gemini(ReasoningMemory()), "gemini-2.5-flash", validator("gemini", "GenerateContentRequest")),
        (AnthropicMessagesProvider(ReasoningMemory()), "claude-opus-5-5", validator("anthropic", CLAUDE)),
        (AnthropicMessagesProvider(ReasoningMemory()), "claude-sonnet-4-5", validator("anthropic", CLAUDE)),
    ]
    for wire, model, valid in targets:
        try:
            rendered = wire.render_request(request_of(prompt), model, Ask())
        except (UnsupportedByTarget, InvalidRequest):
            continue
        assert rendered.neutral
        valid.validate(json.loads(rendered.body))


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(prompts)
def test_a_prompt_is_the_same_after_a_way_through_this_wire(prompt: Prompt) -> None:
    try:
        body = OpenAIChatProvider(OPENAI).render_request(request_of(prompt), "gpt-5", Ask()).body
    except (UnsupportedByTarget, InvalidRequest):
        return
    once = OpenAIChatCallers().parse_request(body).prompt()
    again = OpenAIChatProvider(OPENAI).render_request(request_of(once), "gpt-5", Ask()).body
    assert loads(again) == loads(body)
    assert spoken(once.messages) == spoken(prompt.messages)
    assert once.unmapped == ()


def spoken(messages: Iterable[Message]) -> list[tuple[str, str]]:
    """Who says what, without results (which gain words where they failed) and without who says nothing."""
    found: list[tuple[str, str]] = []
    for message in messages:
        texts = "".join(part.text for part in message.parts if isinstance(part, Text)).replace("\n\n", "")
        if texts and message.role != "tool" and "Attached to the result" not in texts:
            found.append((message.role, texts.replace("\n", "")))
    return found


def test_what_comes_in_this_wire_and_leaves_in_it_is_read_in_no_other_form() -> None:
    """Counted: no prompt is read and no delta is made."""
    read: list[str] = []
    chat = OpenAIChatCallers().parse_request(dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}))
    chat = replace(chat, prompt=lambda: read.append("prompt") or Prompt(()))  # type: ignore[func-returns-value]
    rendered = OpenAIChatProvider().render_request(chat, "theirs", Ask())
    assert not read and not rendered.neutral
    plan = AnswerPlan((), ("Hi",), (), (), (), "stop")
    assert whole(plan, rendered).deltas == ()
    assert all(chunk.deltas == () for chunk in heard(stream_of(plan), asked=rendered))


@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_deltas_or_a_failure(data: bytes) -> None:
    with suppress(ProviderFailure):
        check_calls(heard(data))
