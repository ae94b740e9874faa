"""Anthropic's answers, whole and streamed: what they say, and properties that hold for any of them."""

import itertools
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Citation, Envelope, ToolCallDelta, Usage
from gateway.core.deltas import assemble
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure, RateLimited, Unavailable
from gateway.core.rendered import Rendered
from gateway.core.request import Tool
from gateway.core.source import Source
from gateway.core.strict_json import dumps
from gateway.wires.anthropic_messages.outbound.decoder import EventDecoder
from gateway.wires.anthropic_messages.outbound.response import parse
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import (
    SIGNATURE,
    call,
    error,
    events,
    message,
    redacted,
    sse,
    text,
    thinking,
)
from tests.support.anthropic_server import validator
from tests.support.examples import examples
from tests.support.neutral import check_calls

NOW = 1_800_000_000
TOOLS = {"get_weather": Tool("get/weather"), "patch": Tool("patch", kind="custom")}
NEUTRAL = Rendered(b"", tools=TOOLS, neutral=True)
OWN = Rendered(b"")
CITED = {
    "type": "web_search_result_location",
    "cited_text": "Hi",
    "encrypted_index": "x",
    "title": "A page",
    "url": "https://a.example/",
}
SERVED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}


def decoder(asked: Rendered = NEUTRAL, memory: ReasoningMemory | None = None) -> EventDecoder:
    return EventDecoder(NOW, asked, memory or ReasoningMemory())


def heard(data: bytes, asked: Rendered = NEUTRAL, cuts: Iterable[int] = ()) -> list[ChatChunk]:
    """The chunks of a stream whose bytes are cut at these places. Raises its fault."""
    machine = decoder(asked)
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    chunks = [chunk for start, end in itertools.pairwise(places) for chunk in machine.feed(data[start:end])]
    chunks += machine.close()
    if machine.fault:
        raise machine.fault
    return chunks


def whole(answer: Any, asked: Rendered = NEUTRAL, memory: ReasoningMemory | None = None) -> ChatResponse:
    return parse(dumps(answer), NOW, asked, memory or ReasoningMemory())


def said(*blocks: Any, **more: Any) -> tuple[ChoiceDelta, ...]:
    """The deltas of an answer, which are the same whole and streamed."""
    answer = message(*blocks, **more)
    streamed = assemble(heard(sse(events(answer))), Source("x", {}))
    once = whole(answer)
    assert streamed.deltas == once.deltas
    assert (streamed.usage, streamed.envelope) == (once.usage, once.envelope)
    return once.deltas


# What an answer says -----------------------------------------------------------------------------------------------


def test_a_text() -> None:
    assert said(text("Hello "), text("there.")) == (
        ChoiceDelta(0, text="Hello there.", finish="stop", native_finish="end_turn"),
    )


def test_the_envelope_and_the_counts() -> None:
    answer = whole(message(text("Hi")))
    assert answer.envelope == Envelope("msg_01", NOW, "claude-opus-5-5")
    assert answer.usage == Usage(prompt=7, completion=5, cached=2, cache_write=1)


def test_the_counts_of_a_streams_end_replace_those_of_its_beginning() -> None:
    sent = events(message(text("Hi")))
    sent[-2]["usage"] = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}, "input_tokens": None}
    assert [chunk.usage for chunk in heard(sse(sent)) if chunk.usage] == [
        Usage(prompt=7, completion=1, cached=2, cache_write=1),
        Usage(prompt=7, completion=9, cached=2, cache_write=1, reasoning=6),
    ]


def test_thinking_is_reasoning_with_its_signature() -> None:
    first, last = said(thinking("Hm."), thinking("So.", "c2Vjb25k"), text("42"))
    assert first == ChoiceDelta(0, reasoning="Hm.", reasoning_extra={"anthropic": {"signature": SIGNATURE}})
    assert (last.reasoning, last.text) == ("So.", "42")
    assert last.reasoning_extra == {"anthropic": {"signature": "c2Vjb25k"}}
    assert last.extra == {"anthropic": {"thinking": [thinking("Hm."), thinking("So.", "c2Vjb25k")]}}


def test_redacted_and_omitted_thinking_keep_their_data() -> None:
    first, last = said(redacted(), thinking(""), text("42"))
    assert (first.reasoning, first.reasoning_extra) == ("", {"anthropic": {"redacted": "b3BhcXVl"}})
    assert (last.reasoning, last.text) == ("", "42")
    assert last.extra == {"anthropic": {"thinking": [redacted(), thinking("")]}}


def test_thinking_that_does_not_lead_is_shown_and_does_not_travel() -> None:
    deltas = said(thinking("Hm."), text("One."), thinking("So.", "c2Vjb25k"), text("Two."))
    assert [(delta.reasoning, delta.text) for delta in deltas] == [("Hm.", "One."), ("So.", "Two.")]
    assert all(not delta.extra for delta in deltas)


def test_thinking_without_a_signature_is_only_shown() -> None:
    (only,) = said(thinking("Hm.", ""), text("42"))
    assert (only.reasoning, only.text, only.reasoning_extra, only.extra) == ("Hm.", "42", {}, {})


def test_the_memory_has_the_thinking_by_the_ids_of_the_calls() -> None:
    memory = ReasoningMemory()
    whole(message(thinking("Hm."), call("a", {}, "toolu_1"), call("b", {}, "toolu_2"), stop="tool_use"), memory=memory)
    for id in ("toolu_1", "toolu_2"):
        assert memory.find(id) == {"anthropic": {"thinking": [thinking("Hm.")]}}


def test_calls_have_the_callers_names_and_stand_where_they_were_made() -> None:
    before, after = said(
        text("First."), call("get_weather", {"city": "Paris"}), text("Then."), call("x", {}, "toolu_2"), stop="tool_use"
    )
    assert before == ChoiceDelta(
        0, text="First.", calls=(ToolCallDelta(0, "toolu_01A", "get/weather", '{"city":"Paris"}', ended=True),)
    )
    assert (after.text, after.finish) == ("Then.", "tool_calls")
    assert after.calls == (ToolCallDelta(1, "toolu_2", "x", "", ended=True),)


def test_a_custom_tool_gets_its_text_back() -> None:
    (only,) = said(call("patch", {"input": 'a "text"\n'}), stop="tool_use")
    assert only.calls == (ToolCallDelta(0, "toolu_01A", "patch", 'a "text"\n', kind="custom", ended=True),)


def test_a_call_without_an_id_gets_one() -> None:
    deltas = whole(message(call("x", {"a": 1}, ""), stop="tool_use")).deltas
    assert deltas[0].calls[0].id.startswith("call_")


def test_web_citations_are_of_their_block() -> None:
    (only,) = said(text("Well: "), text("Hi there", citations=[CITED, CITED]))
    assert only.citations == (Citation("https://a.example/", "A page", 6, 14),)


def test_what_the_vendor_runs_is_left_out() -> None:
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    (only,) = said(text("Let me see. "), SERVED, result, text("Found."))
    assert (only.text, only.calls) == ("Let me see. Found.", ())


def test_a_refusal_has_its_explanation() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "That is dangerous."}
    (only,) = said(stop="refusal", stop_details=details)
    assert (only.refusal, only.finish, only.native_finish) == ("That is dangerous.", "content_filter", "refusal")
    (without,) = said(stop="refusal")
    assert without.refusal and without.finish == "content_filter"


@pytest.mark.parametrize(
    ("word", "finish", "called"),
    [
        ("end_turn", "stop", "tool_calls"),
        ("stop_sequence", "stop", "tool_calls"),
        ("pause_turn", "stop", "tool_calls"),
        ("tool_use", "stop", "tool_calls"),
        ("max_tokens", "length", "length"),
        ("model_context_window_exceeded", "length", "length"),
        ("refusal", "content_filter", "content_filter"),
        ("a_word_of_tomorrow", "stop", "tool_calls"),
    ],
)
def test_why_an_answer_ended(word: str, finish: str, called: str) -> None:
    spoken = said(text("Hi"), stop=word)[-1]
    assert (spoken.finish, spoken.native_finish) == (finish, word)
    assert said(call("x", {}), stop=word)[-1].finish == called


def test_the_stop_sequence_is_named() -> None:
    (only,) = said(text("Hi"), stop="stop_sequence", stop_sequence="END")
    assert only.stop_sequence == "END"


# What is no answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["error", "ABORTED", "cancelled", "network_error", "insufficient_system_resource"])
def test_an_answer_that_its_server_broke_off_is_a_failure(word: str) -> None:
    for answer in (message(text("Hi"), stop=word), message(stop=word)):
        with pytest.raises(InvalidAnswer, match=word):
            whole(answer)
        with pytest.raises(InvalidAnswer, match=word):
            heard(sse(events(answer)))


@pytest.mark.parametrize("blocks", [[], [text("")], [thinking("")]])
def test_an_answer_of_nothing_is_a_failure(blocks: list[Any]) -> None:
    with pytest.raises(InvalidAnswer, match="nothing"):
        whole(message(*blocks))
    with pytest.raises(InvalidAnswer, match="nothing"):
        heard(sse(events(message(*blocks))))


@pytest.mark.parametrize("word", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_a_stop_that_is_an_answer_by_itself_has_content(word: str) -> None:
    for asked in (NEUTRAL, OWN):
        assert any(chunk.has_content for chunk in heard(sse(events(message(stop=word))), asked))


@pytest.mark.parametrize("word", [None, "", "null"])
def test_an_answer_without_a_stop_reason_is_not_complete(word: str | None) -> None:
    with pytest.raises(InvalidAnswer, match="without a reason"):
        whole(message(text("Hi"), stop=word))
    machine = decoder()
    machine.feed(sse(events(message(text("Hi"), stop=word))))
    assert isinstance(machine.fault, InvalidAnswer) and not machine.complete


def test_a_stream_without_its_stop_is_not_complete() -> None:
    sent = events(message(text("Hi")))
    for data in (sse(sent[:-1]), sse(sent[:-1]) + b"data: [DONE]\n\n"):
        machine = decoder()
        chunks = [*machine.feed(data), *machine.close()]
        assert not (machine.complete or machine.done or machine.fault)
        assert all(delta.finish is None for chunk in chunks for delta in chunk.deltas)


def test_a_done_after_the_stop_changes_nothing() -> None:
    assert heard(sse(events(message(text("Hi")))) + b"data: [DONE]\n\n")[-1].deltas[0].finish == "stop"


def test_arguments_that_are_not_finished_are_no_call() -> None:
    sent = [each for each in events(message(call("x", {"city": "Paris"}), stop="tool_use")) if each["type"] != "ping"]
    cut = [*sent[:4], *sent[-2:]]  # neither all pieces nor the end of the block
    with pytest.raises(InvalidAnswer, match="broke its answer off"):
        heard(sse(cut))
    cut[-2]["delta"]["stop_reason"] = "max_tokens"
    calls = [piece for chunk in heard(sse(cut)) for delta in chunk.deltas for piece in delta.calls]
    assert calls[-1].ended and heard(sse(cut))[-1].deltas[-1].finish == "length"


def test_a_call_without_a_name_is_no_answer() -> None:
    for asked in (NEUTRAL, OWN):
        with pytest.raises(InvalidAnswer, match="without naming"):
            heard(sse(events(message(call("", {}), stop="tool_use"))), asked)


def test_broken_arguments_pass_as_the_model_wrote_them() -> None:
    sent = events(message(call("x", {"a": 1}), stop="tool_use"))
    sent[4]["delta"]["partial_json"] = '{"a": oops'
    pieces = [piece for chunk in heard(sse(sent)) for delta in chunk.deltas for piece in delta.calls]
    assert "".join(piece.arguments for piece in pieces).startswith('{"a": oops')


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"<html>", InvalidAnswer),
        (b"[]", InvalidAnswer),
        (b'{"id": "msg_1"}', InvalidAnswer),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}', Unavailable),
        (b'{"error": {"message": "no"}}', InvalidAnswer),
    ],
)
def test_a_body_that_is_no_answer(body: bytes, failure: type[ProviderFailure]) -> None:
    with pytest.raises(failure):
        parse(body, NOW, NEUTRAL, ReasoningMemory())


@pytest.mark.parametrize("at", [0, 3, 5])
@pytest.mark.parametrize(("kind", "failure"), [("overloaded_error", Unavailable), ("rate_limit_error", RateLimited)])
def test_an_error_event_is_a_failure_wherever_it_stands(at: int, kind: str, failure: type[ProviderFailure]) -> None:
    for asked in (NEUTRAL, OWN):
        with pytest.raises(failure):
            heard(sse([*events(message(text("Hello there")))[:at], error(kind)]), asked)


def test_an_event_that_is_not_json_is_skipped_only_where_it_holds_nothing() -> None:
    data = sse(events(message(text("Hi"))))
    machine = decoder()
    machine.feed(b'event: ping\ndata: {"type": "pi\n\n' + data)
    assert (machine.skipped, machine.done) == (1, True)
    with pytest.raises(InvalidAnswer, match="cannot be read"):
        heard(data.replace(b'"text_delta", "text": "Hi"', b'"text_delta", "text": "Hi'))


def test_there_is_a_bound_to_the_blocks_of_an_answer() -> None:
    start = {"type": "content_block_start", "index": 0, "content_block": text("")}
    machine = decoder()
    machine.feed(sse([start]) * 10_001)
    assert isinstance(machine.fault, InvalidAnswer)


# Servers that leave things out -------------------------------------------------------------------------------------


def test_names_of_events_and_indexes_may_be_missing() -> None:
    sent = events(message(thinking("Hm."), text("Hi"), call("x", {"a": 1}), stop="tool_use"))
    bare = [{name: value for name, value in each.items() if name != "index"} for each in sent]
    data = b"".join(b"data: " + dumps(each) + b"\r\n\r\n" for each in bare)
    assert (
        assemble(heard(data), Source("x", {})).deltas
        == whole(message(thinking("Hm."), text("Hi"), call("x", {"a": 1}), stop="tool_use")).deltas
    )
    typed = b"".join(
        f"event: {each['type']}\n".encode()
        + b"data: "
        + dumps({k: v for k, v in each.items() if k != "type"})
        + b"\n\n"
        for each in sent
    )
    assert [chunk.source.body["type"] for chunk in heard(typed)] == [each["type"] for each in sent]


def test_starts_and_ends_of_blocks_may_be_missing() -> None:
    sent = events(message(text("Hi there")))
    for without in ("content_block_start", "content_block_stop"):
        left = [each for each in sent if each["type"] != without]
        assert assemble(heard(sse(left)), Source("x", {})).deltas[0].text == "Hi there"


def test_arguments_that_come_whole_with_the_start_of_a_call() -> None:
    sent = events(message(call("x", {}), stop="tool_use"))
    start = next(each for each in sent if each["type"] == "content_block_start")
    start["content_block"]["input"] = {"a": 1}
    (only,) = assemble(heard(sse(sent)), Source("x", {})).deltas
    assert only.calls[0].arguments == '{"a":1}'


# A caller of this wire ---------------------------------------------------------------------------------------------


def test_events_pass_as_they_came_and_no_delta_is_made() -> None:
    sent = events(message(thinking("Hm."), text("Hello", citations=[CITED]), call("get_weather", {"a": 1}), SERVED))
    chunks = heard(sse(sent), OWN)
    assert [chunk.source.body for chunk in chunks] == sent
    assert all(chunk.deltas == () and chunk.envelope is None for chunk in chunks)
    answer = whole(message(text("Hi")), OWN)
    assert (answer.deltas, answer.envelope, answer.source.body) == ((), None, message(text("Hi")))


def test_for_a_caller_of_this_wire_nothing_is_remembered() -> None:
    memory = ReasoningMemory()
    answer = message(thinking("Hm."), call("x", {}), stop="tool_use")
    whole(answer, OWN, memory)
    machine = decoder(OWN, memory)
    machine.feed(sse(events(answer)))
    assert machine.done and memory.find("toolu_01A") == {}


PLAIN: list[tuple[list[Any], list[str | None]]] = [
    ([text("Hello")], ["", "", "", "Hell", "o", "", "", ""]),
    ([thinking("Hm.")], ["", "", "", "", "", "", "", ""]),
    ([call("x", {})], ["", "", None, "", None, "", ""]),
    ([SERVED], ["", "", None, "", "", ""]),
]


@pytest.mark.parametrize(("blocks", "plain"), PLAIN)
def test_what_failover_reads_is_the_same_for_every_caller(blocks: list[Any], plain: list[str | None]) -> None:
    data = sse(events(message(*blocks)))
    own, other = heard(data, OWN), heard(data, NEUTRAL)
    assert [chunk.plain for chunk in own] == plain
    for one, two in zip(own, other, strict=True):
        assert (one.has_content, one.plain, one.usage) == (two.has_content, two.plain, two.usage)


def test_neither_the_start_nor_a_ping_is_content() -> None:
    chunks = heard(sse(events(message(text("Hi")))))
    assert [chunk.has_content for chunk in chunks] == [False, False, False, True, False, False, False]


# Properties --------------------------------------------------------------------------------------------------------

words = st.text(st.sampled_from("ab é\n한😀"), min_size=1, max_size=6)
blocks = st.one_of(
    st.builds(text, words),
    st.builds(thinking, words, st.sampled_from(["c2ln", ""])),
    st.builds(redacted),
    st.builds(
        call,
        st.sampled_from(["get_weather", "other"]),
        st.dictionaries(words, st.one_of(words, st.integers(0, 9)), max_size=2),
        st.sampled_from(["toolu_1", "toolu_2"]),
    ),
    st.builds(call, st.just("patch"), st.builds(dict, input=words)),
    st.just(SERVED),
)
stops = st.sampled_from(["end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "pause_turn"])
answers = st.builds(lambda blocks, stop: message(*blocks, stop=stop), st.lists(blocks, max_size=5), stops).filter(
    lambda answer: bool(answer["content"])
)


@settings(max_examples=examples(300))
@given(answers, st.integers(1, 9), st.lists(st.integers(0, 3_000), max_size=8))
def test_the_deltas_of_a_stream_add_up_to_the_whole_answer(answer: Any, size: int, cuts: list[int]) -> None:
    try:
        once = whole(answer)
    except InvalidAnswer:
        with pytest.raises(InvalidAnswer):
            heard(sse(events(answer, size)), cuts=cuts)
        return
    chunks = heard(sse(events(answer, size)), cuts=cuts)
    check_calls(chunks)
    check_calls([ChatChunk(True, None, Source("x", {}), deltas=once.deltas)])
    summed = assemble(chunks, Source("x", {}))
    assert summed.deltas == once.deltas
    assert (summed.usage, summed.envelope) == (once.usage, once.envelope)


@given(answers, st.integers(0, 5_000))
def test_a_stream_that_breaks_has_no_finish(answer: Any, cut: int) -> None:
    data = sse(events(answer))
    machine = decoder()
    chunks = [*machine.feed(data[: min(cut, data.index(b"event: message_stop"))]), *machine.close()]
    assert all(delta.finish is None for chunk in chunks for delta in chunk.deltas)
    assert not (machine.done or machine.complete)


@given(answers)
def test_the_answers_of_these_tests_are_as_anthropic_defines_them(answer: Any) -> None:
    validator("Message").validate(answer)
    for event in events(answer):
        if event["type"] != "ping":
            validator("RawMessageStreamEvent").validate(event)


@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_chunks_or_a_failure(data: bytes) -> None:
    with suppress(ProviderFailure):
        check_calls(heard(data))
    with suppress(ProviderFailure):
        parse(data, NOW, NEUTRAL, ReasoningMemory())


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 2), words),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)
KEYS = ["type", "index", "delta", "content_block", "message", "usage", "error", "stop_reason", "text", "name", "input"]
odd_events = st.dictionaries(
    st.sampled_from(KEYS), st.one_of(json_values, st.dictionaries(st.sampled_from(KEYS), json_values))
)


@given(st.lists(odd_events, max_size=4))
def test_no_event_of_any_shape_brings_anything_but_chunks_or_a_failure(sent: list[Any]) -> None:
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in sent)
    with suppress(ProviderFailure):
        check_calls(heard(data))
    with suppress(ProviderFailure):
        parse(json.dumps({"content": sent, "stop_reason": "end_turn"}).encode(), NOW, NEUTRAL, ReasoningMemory())
