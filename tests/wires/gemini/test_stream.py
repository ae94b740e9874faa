"""Streams of Gemini, as transcripts (tests/support/gemini_transcripts.py) and as properties of their reader."""

import copy
import difflib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, Envelope
from gateway.core.deltas import assemble
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.sse import DEFAULT_MAX_EVENT, encode
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.gemini.decoder import EventDecoder
from gateway.wires.gemini.finish import FAILED
from gateway.wires.gemini.response import parse
from gateway.wires.gemini.signatures import CallData
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.cases import each_case
from tests.support.gemini_transcripts import NOW, TOOLS, Transcript, decoder, fault, outcome, read_all, total

TRANSCRIPTS = read_all("streams")
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gemini.json").read_text("utf-8"))
PLAIN = Rendered(b"", tools=TOOLS)
each_transcript = each_case("name", TRANSCRIPTS)


def bytes_of(transcript: Transcript, line_end: bytes = b"\r\n", noise: bytes = b"") -> bytes:
    return b"".join(
        b"data: " + event.data + line_end * 2 + noise.replace(b"\n", line_end) for event in transcript.events
    )


def play(stream: bytes, asked: Rendered, cuts: Iterable[int] = ()) -> list[str]:
    """What a stream comes to, when its bytes are cut at these places."""
    machine = decoder(asked)
    chunks: list[ChatChunk] = []
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        chunks += machine.feed(stream[start:end])
    chunks += machine.close()
    return outcome(chunks, machine)


def whole(body: JsonValue, asked: Rendered) -> list[str]:
    """What a whole answer comes to."""
    try:
        return total(parse(dumps(body), NOW, asked, ReasoningMemory()))
    except ProviderFailure as failure:
        return [fault(failure)]


def differences(expected: Iterable[str], found: Iterable[str]) -> str:
    """For people: what it should come to (-) and what it does (+)."""
    return "\n".join(["", *difflib.unified_diff(list(expected), list(found), lineterm="", n=50)])


@each_transcript
def test_what_a_server_sends_adds_up_to_that(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    found = play(bytes_of(transcript), transcript.asked)
    assert found == list(transcript.sum), differences(transcript.sum, found)


@each_transcript
@each_case("line_end", [b"\n", b"\r\n", b"\r"])
def test_neither_cuts_nor_line_ends_nor_comments_change_the_sum(name: str, line_end: bytes) -> None:
    transcript = TRANSCRIPTS[name]
    for size, noise in itertools.product([1, 3, 64], [b"", b": keep-alive\n\nid: 7\n\n"]):
        stream = bytes_of(transcript, line_end, noise)
        found = play(stream, transcript.asked, range(size, len(stream), size))
        assert found == list(transcript.sum), (size, noise, differences(transcript.sum, found))


@each_transcript
def test_a_last_event_without_its_blank_line_counts(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    assert play(bytes_of(transcript).rstrip(), transcript.asked) == list(transcript.sum)


@each_transcript
def test_the_events_in_an_array_add_up_to_the_same(name: str) -> None:
    """As they come without alt=sse. What was cut off as a stream cannot be told there: half an array is no JSON."""
    transcript = TRANSCRIPTS[name]
    if transcript.sum[-1] != "unfinished":
        assert whole(transcript.bodies, transcript.asked) == list(transcript.sum)


def merged(events: Any) -> JsonObject:
    """The whole answer that a stream is the pieces of."""
    answer: dict[str, Any] = {}
    candidates: dict[int, dict[str, Any]] = {}
    for event in copy.deepcopy([event for event in events if isinstance(event, dict)]):
        for piece in event.pop("candidates", []):
            into = candidates.setdefault(piece.get("index", 0), {"content": {"parts": []}, "logprobsResult": {}})
            into["content"]["parts"] += piece.pop("content", {}).get("parts", [])
            for name, entries in piece.pop("logprobsResult", {}).items():
                into["logprobsResult"].setdefault(name, []).extend(entries)
            into |= piece
        answer |= event
    return {**answer, "candidates": list(candidates.values())} if candidates else answer


@each_case("name", sorted(TRANSCRIPTS.keys() - {"wrong_shapes", "blocked_midway", "error_in_an_array"}))
def test_a_whole_answer_is_the_sum_of_its_stream(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    if transcript.sum[-1] != "unfinished":
        assert whole(merged(transcript.bodies), transcript.asked) == list(transcript.sum)


@each_transcript
def test_a_transcript_has_events_as_google_defines_them(name: str) -> None:
    validator = jsonschema.Draft202012Validator({**SCHEMA, "$ref": "#/$defs/GenerateContentResponse"})
    for event in TRANSCRIPTS[name].events:
        if event.standard:
            validator.validate(json.loads(event.data))


# The finish ------------------------------------------------------------------------------------------------------


def event(*parts: JsonObject, finish: str | None = None, index: int = 0, **more: JsonValue) -> JsonObject:
    candidate: JsonObject = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **more}


def sse(*events: JsonValue) -> bytes:
    return b"".join(encode(dumps(one)) for one in events)


HELLO: JsonObject = {"text": "Hello"}
IMAGE: JsonObject = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}
CALL: JsonObject = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
FILTERED = [
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "MODEL_ARMOR", "ESCALATION",
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "empty", "spoken"),
    [
        ("STOP", None, "stop"),
        ("MAX_TOKENS", "length", "length"),
        ("max_tokens", "length", "length"),
        ("OTHER", "content_filter", None),
        ("CONTINUATION", None, "stop"),
        ("A_WORD_OF_TOMORROW", None, "stop"),
        *((reason, "content_filter", "content_filter") for reason in FILTERED),
    ],
)
def test_why_an_answer_ended(reason: str, empty: str | None, spoken: str | None) -> None:
    """`empty`: what the finish means where nothing was said. None is a failure."""

    def ended(*parts: JsonObject) -> str | None:
        machine = decoder(PLAIN)
        chunks = [*machine.feed(sse(event(*parts), event(finish=reason))), *machine.close()]
        if machine.fault:
            assert not chunks[-1].deltas[0].finish and isinstance(machine.fault, InvalidAnswer)
            return None
        assert chunks[-1].deltas[0].native_finish == reason
        assert any(chunk.has_content for chunk in chunks)
        return chunks[-1].deltas[0].finish

    assert (ended(), ended(HELLO), ended(CALL), ended(HELLO, CALL)) == (empty, spoken, "tool_calls", "tool_calls")


@pytest.mark.parametrize("reason", sorted(FAILED))
@pytest.mark.parametrize("parts", [[], [HELLO], [CALL]])
def test_a_model_that_went_wrong_is_a_failure(reason: str, parts: list[JsonObject]) -> None:
    machine = decoder(PLAIN)
    machine.feed(sse(*(event(part) for part in parts), event(finish=reason)))
    assert isinstance(machine.fault, InvalidAnswer) and reason in machine.fault.message
    assert machine.close() == [] and not machine.done


def test_the_failures_that_are_named_are_these() -> None:
    assert sorted(FAILED) == [
        "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    ]  # fmt: skip


def test_a_finish_is_held_until_the_body_ends() -> None:
    machine = decoder(PLAIN)
    [first, second] = machine.feed(sse(event(HELLO, finish="STOP"), event(CALL)))
    assert first.deltas[0].finish is None and second.deltas[0].finish is None and not machine.complete
    assert machine.feed(sse(event(finish="STOP")))[0].deltas[0].finish is None
    [last] = machine.close()
    assert last.deltas[0].finish == "tool_calls" and not last.has_content and machine.done


def test_a_stream_is_complete_when_every_choice_has_its_finish() -> None:
    machine = EventDecoder(NOW, Rendered(b"", choices=2), ReasoningMemory())
    machine.feed(sse(event(HELLO, finish="STOP")))
    assert not machine.complete
    machine.feed(sse(event(HELLO, index=1)))
    assert not machine.complete
    machine.feed(sse(event(index=1, finish="MAX_TOKENS")))
    assert machine.complete and not machine.done
    [last] = machine.close()
    assert [said.finish for said in last.deltas] == ["stop", "length"] and machine.done


def test_a_body_that_ends_with_fewer_choices_than_were_asked_is_whole() -> None:
    """Models that know no candidateCount answer once."""
    machine = EventDecoder(NOW, Rendered(b"", choices=2), ReasoningMemory())
    machine.feed(sse(event(HELLO, finish="STOP")))
    assert machine.close()[-1].deltas[0].finish == "stop" and machine.done


def test_a_finish_that_is_spoken_over_is_no_finish() -> None:
    """Were it believed, a connection that breaks after a word would leave a whole answer."""
    machine = decoder(PLAIN)
    machine.feed(sse(event(HELLO, finish="STOP")))
    assert machine.complete
    machine.feed(sse(event(HELLO, finish="STOP")))
    assert not machine.complete
    assert machine.close()[-1].deltas[0].finish == "stop" and machine.done  # but a body that ends says it


def test_a_stop_takes_no_other_finish_back() -> None:
    machine = decoder(PLAIN)
    machine.feed(sse(event(HELLO, finish="MAX_TOKENS"), event(finish="STOP"), event({"text": ""})))
    assert machine.close()[-1].deltas[0].finish == "length"


def test_a_stream_without_a_finish_is_not_done() -> None:
    machine = decoder(PLAIN)
    machine.feed(sse(event(HELLO)))
    assert machine.close() == [] == machine.close()
    assert not machine.done and not machine.complete and machine.fault is None


def test_a_body_of_nothing_is_not_done() -> None:
    machine = decoder(PLAIN)
    assert machine.close() == [] and not machine.done and machine.fault is None


def test_one_empty_choice_beside_another_is_no_failure() -> None:
    machine = EventDecoder(NOW, Rendered(b"", choices=2), ReasoningMemory())
    machine.feed(sse(event(HELLO, finish="STOP"), event(index=1, finish="STOP")))
    assert [said.finish for said in machine.close()[-1].deltas] == ["stop", "stop"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (event(), False),
        (event({"text": ""}), False),
        (event({"text": "", "thoughtSignature": "c2ln"}), False),
        (event(finish="STOP"), False),
        ({"usageMetadata": {"promptTokenCount": 1}}, False),
        ({"promptFeedback": {"safetyRatings": []}}, False),
        (event(HELLO), True),
        (event({"text": "Hm.", "thought": True}), True),
        (event(CALL), True),
        (event(IMAGE), True),
        (event(finish="MAX_TOKENS"), True),
        (event(finish="SAFETY"), True),
        ({"promptFeedback": {"blockReason": "OTHER"}}, True),
    ],
)
def test_an_event_is_content_when_it_says_something_or_ends_for_a_reason(sent: JsonObject, says: bool) -> None:
    assert any(chunk.has_content for chunk in decoder(PLAIN).feed(sse(sent))) is says


def test_a_blocked_prompt_ends_the_stream_at_once() -> None:
    machine = decoder(PLAIN)
    chunks = machine.feed(sse({"promptFeedback": {"blockReason": "BLOCKLIST"}}, event(HELLO)))
    assert machine.done and machine.complete and chunks[-1].deltas[0].finish == "content_filter"
    assert machine.feed(sse(event(HELLO))) == [] and machine.close() == []
    nothing = decoder(PLAIN)
    nothing.feed(sse({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}}))
    assert not nothing.done


# What a sum cannot show ------------------------------------------------------------------------------------------


def test_each_chunk_has_its_event_and_the_same_envelope() -> None:
    machine = decoder(PLAIN)
    named = event(HELLO, finish="STOP", responseId="r-1", modelVersion="gemini-3-pro")
    chunks = [*machine.feed(sse(named, event(responseId="r-2", modelVersion="other"))), *machine.close()]
    assert {chunk.envelope for chunk in chunks} == {Envelope("r-1", NOW, "gemini-3-pro")}
    assert (chunks[0].source.wire, chunks[0].source.body) == ("gemini", named)


def test_an_answer_without_a_name_has_none() -> None:
    assert decoder(PLAIN).feed(sse(event(HELLO)))[0].envelope == Envelope("", NOW, "")


def test_what_a_call_needs_back_is_remembered_by_its_new_id() -> None:
    memory = ReasoningMemory()
    machine = EventDecoder(NOW, PLAIN, memory)
    signed: JsonObject = {"functionCall": {"name": "fs_read", "id": "fc-1"}, "thoughtSignature": "c2ln/+=="}
    [chunk] = machine.feed(sse(event(signed, CALL)))
    first, second = chunk.deltas[0].calls
    assert memory.find(first.id) == CallData("c2ln/+==", "fc-1").extra and memory.find(second.id) == CallData().extra
    assert first.extra == {"google": {"thought_signature": "c2ln/+==", "function_call_id": "fc-1"}}
    assert first.id != second.id and len(first.id) <= 40 and second.extra == {}


def test_unreadable_events_are_counted_and_passed_over() -> None:
    machine = decoder(PLAIN)
    machine.feed(b"data: {broken\n\ndata: 7\n\ndata: {}\n\ndata:\n\n" + sse([], {"type": "ping"}, event(HELLO)))
    assert machine.skipped == 5 and machine.fault is None


def test_an_event_over_the_limit_is_a_broken_answer() -> None:
    with pytest.raises(InvalidAnswer, match="too large"):
        decoder(PLAIN).feed(b"data: " + b"a" * (DEFAULT_MAX_EVENT + 1))


def test_nothing_is_read_after_a_fault() -> None:
    machine = decoder(PLAIN)
    chunks = machine.feed(sse(event(HELLO), {"error": {"code": 500}}, event(HELLO)))
    assert len(chunks) == 1 and machine.fault is not None
    assert machine.feed(sse(event(HELLO))) == [] and machine.close() == [] and not machine.done


# Properties ------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, width=32), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
).filter(lambda value: value not in (float("inf"), float("-inf")))
arguments: st.SearchStrategy[JsonObject] = st.dictionaries(
    texts, st.one_of(texts, st.integers(-9, 9), st.booleans()), max_size=2
)
signatures = st.sampled_from(["", "c2ln", "c2lnLTI="])


@st.composite
def some_parts(draw: st.DrawFn) -> JsonObject:
    kind = draw(st.sampled_from(["text", "thought", "call", "image", "code", "output"]))
    signed: JsonObject = {"thoughtSignature": found} if (found := draw(signatures)) else {}
    if kind == "call":
        return {"functionCall": {"name": draw(st.sampled_from(sorted(TOOLS))), "args": draw(arguments)}, **signed}
    if kind == "image":
        return IMAGE
    if kind == "code":
        return {"executableCode": {"language": "PYTHON", "code": draw(texts)}}
    if kind == "output":
        return {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": draw(texts)}}
    return {"text": draw(texts), **({"thought": True} if kind == "thought" else signed)}


@st.composite
def correct_streams(draw: st.DrawFn) -> list[JsonValue]:
    """The events of a stream as Google sends them."""
    indexes = draw(st.sampled_from([[0], [0, 1], [1, 0]]))
    events: list[JsonValue] = []
    for index in indexes:
        events += [
            event(*parts, index=index) for parts in draw(st.lists(st.lists(some_parts(), max_size=3), max_size=4))
        ]
    for index in indexes:
        finish = draw(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER"]))
        counts: JsonObject = {"promptTokenCount": 9, "candidatesTokenCount": draw(st.integers(0, 99))}
        events.append(event(index=index, finish=finish, usageMetadata=counts, responseId="r-1", modelVersion="m"))
    return events


@given(correct_streams())
def test_any_whole_answer_is_the_sum_of_its_stream(events: list[JsonValue]) -> None:
    asked = Rendered(b"", choices=2, tools=TOOLS)
    assert whole(merged(events), asked) == whole(events, asked) == play(sse(*events), asked)


@given(correct_streams(), st.lists(st.integers(0, 2**20), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_sum(events: list[JsonValue], places: list[int]) -> None:
    stream = sse(*events).replace(b"\n", b"\r\n")
    assert play(stream, PLAIN, sorted(place % (len(stream) + 1) for place in places)) == play(stream, PLAIN)


WORDS = {
    "body": ("candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error", "blockReason"),
    "candidate": ("content", "finishReason", "finishMessage", "index", "logprobsResult", "groundingMetadata"),
    "part": (
        "text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData", "executableCode",
        "codeExecutionResult", "name", "args", "id", "data", "mimeType", "fileUri", "code", "language", "output",
    ),
    "rest": (
        "chosenCandidates", "topCandidates", "candidates", "token", "logProbability", "groundingChunks", "web", "uri",
        "groundingSupports", "segment", "groundingChunkIndices", "startIndex", "endIndex", "text", "details",
        "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "message", "code", "status", "retryDelay",
    ),
}  # fmt: skip


def wild() -> st.SearchStrategy[JsonValue]:
    """JSON that uses the words of an answer for anything."""
    said = st.one_of(values, st.sampled_from(["STOP", "SAFETY", "OTHER", "MALFORMED_RESPONSE", "é", "PYTHON"]))
    rest = st.recursive(
        said,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS["rest"]), inner)),
        max_leaves=8,
    )
    inner = st.dictionaries(st.sampled_from(WORDS["part"]), said)
    part = st.dictionaries(st.sampled_from(WORDS["part"]), st.one_of(said, inner))
    content = st.one_of(said, st.fixed_dictionaries({"parts": st.one_of(said, st.lists(st.one_of(part, said)))}))
    candidate = st.dictionaries(st.sampled_from(WORDS["candidate"]), st.one_of(rest, content))
    spoken = st.builds(lambda found, content: {**found, "content": content}, candidate, content)
    body = st.dictionaries(st.sampled_from(WORDS["body"]), rest)
    full = st.builds(
        lambda body, candidates: {**body, "candidates": candidates},
        body,
        st.one_of(rest, st.lists(st.one_of(candidate, spoken, said), max_size=3)),
    )
    return st.one_of(full, full, body, values)


@given(st.lists(st.one_of(wild().map(dumps), st.binary(max_size=20)), max_size=5))
def test_whatever_a_server_sends_comes_to_an_answer_a_fault_or_nothing(events: list[bytes]) -> None:
    machine = decoder(PLAIN)
    chunks = [chunk for data in events for chunk in machine.feed(encode(data))]
    chunks += machine.close()
    assert not (machine.done and machine.fault)
    assert len({chunk.envelope.created for chunk in chunks if chunk.envelope}) <= 1
    answer = assemble(chunks, chunks[0].source) if chunks else None
    assert not machine.done or (answer and answer.deltas and all(said.finish for said in answer.deltas))
    for chunk in chunks:
        for said in chunk.deltas:
            assert said.index >= 0 and all(call.name and call.id for call in said.calls)
        if chunk.usage:
            assert 0 <= chunk.usage.cached <= chunk.usage.prompt
            assert 0 <= chunk.usage.reasoning <= chunk.usage.completion


@given(st.one_of(wild(), st.lists(wild(), max_size=3)).map(dumps) | st.binary(max_size=20))
def test_whatever_comes_for_an_answer_is_one_or_a_failure(body: bytes) -> None:
    try:
        answer = parse(body, NOW, PLAIN, ReasoningMemory())
    except ProviderFailure as failure:
        assert failure.message
    else:
        assert answer.deltas and all(said.finish for said in answer.deltas)
