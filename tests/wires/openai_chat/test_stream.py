"""Streams of OpenAI-compatible servers, as transcripts: what a server sends, and what the caller gets.

A transcript is a file in golden/openai/streams. Its head says what it is about, and one of its lines may be
`usage: asked`. Then come the server's events, each after `<`, and after `---` the caller's, each after `>`. `+` stands
for the envelope of a correct chunk (id, object, created, model), so that only what differs has to be read. In place of
an event a server may send `end` (its body ends), `silence` or `break` (its connection breaks); an event that ends in
a backslash lacks its blank line. Ids that the gateway makes up are shown as GENERATED.
"""

import difflib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.core.provider_failures import InvalidAnswer, StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.sse import DEFAULT_MAX_EVENT, DONE, Event, SseDecoder, encode
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.base import Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.tool_call_repairs import ToolCalls
from tests.support.cases import each_case
from tests.support.chats import ASKED
from tests.support.examples import some_of

GOLDEN = Path(__file__).parents[2] / "golden" / "openai" / "streams"
SENT = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"theirs",'
SHOWN = SENT.replace("theirs", "alias")
NOW = 1_800_000_000
UNKNOWN_TO_THE_CLIENT = {"tools_custom"}
WORDS = ("end", "silence", "break")
LINE_ENDS = (b"\n", b"\r\n", b"\r")
NOISES = (b"", b": keep-alive\n\n", b"id: 7\nretry: 10\n\n\n")


@dataclass(frozen=True)
class Transcript:
    usage: bool
    sent: tuple[str, ...]
    shown: tuple[str, ...]


def read(path: Path) -> Transcript:
    head, _, rest = path.read_text("utf-8").partition("\n\n")
    sent, _, shown = rest.partition("---\n")
    return Transcript(
        usage="usage: asked" in head.splitlines(),
        sent=tuple(line.removeprefix("<").strip() for line in sent.splitlines()),
        shown=tuple(line.removeprefix(">").strip() for line in shown.splitlines()),
    )


TRANSCRIPTS = {path.stem: read(path) for path in sorted(GOLDEN.glob("*.txt"))}
each_transcript = each_case("name", TRANSCRIPTS)


def machine(*, usage: bool, model: str | None = "alias", forced: bool = False) -> AnswerMachine:
    return AnswerMachine(
        OpenAIChatProvider().decoder(NOW, Rendered(b"", forced_tool=forced)),
        OpenAIChatCallers().encoder(ASKED, Naming(model, usage)),
        Stall(20.0, 120.0),
    )


def sent_bytes(line: str, noise: bytes) -> bytes:
    """An event's bytes, with `noise` after it."""
    after = b"" if line.endswith("\\") else b"\n\n" + noise
    line = line.removesuffix("\\")
    if line.startswith("+"):
        line = "{" + SENT + line[1:].strip().removeprefix("{")
    elif line.startswith(("event:", ":")):
        return line.replace("\\n", "\n").encode() + after
    return b"data: " + line.encode() + after


def play(transcript: Transcript, *, cut: int = 0, line_end: bytes = b"\n", noise: bytes = b"") -> bytes:
    """Everything the caller gets. `cut`: the bytes come in pieces of this size; 0: event by event."""
    answer = machine(usage=transcript.usage)
    out = b""
    for line in transcript.sent:
        if answer.over:
            break
        if line == "end":
            out += answer.received(b"")
        elif line == "silence":
            out += answer.timed_out()
        elif line == "break":
            out += answer.failed(StreamBroken("The connection broke."))
        if line in WORDS:
            continue
        data = sent_bytes(line, noise).replace(b"\n", line_end)
        for start in range(0, len(data), cut or len(data)):
            if not answer.over:
                out += answer.received(data[start : start + (cut or len(data))])
    return out


def show(events: list[Event]) -> list[str]:
    """The caller's events as the lines of a transcript."""
    lines = []
    for event in events:
        text = re.sub(r"\b(call_|chatcmpl-)[0-9a-f]{24}\b", r"\1GENERATED", event.data.decode())
        lines.append("+ {" + text[1:].removeprefix(SHOWN) if text.startswith("{" + SHOWN) else text)
    return lines


def events_of(stream: bytes) -> list[Event]:
    decoder = SseDecoder()
    events = decoder.feed(stream)
    assert decoder.close() == [], "the stream ends in the middle of an event"
    return events


def stream_ids(events: list[Event]) -> set[str]:
    """The ids of tool calls that were sent."""
    return set(re.findall(r'"id":"([^"]*)"', b"\n".join(event.data for event in events).decode()))


def differences(expected: tuple[str, ...], found: list[str]) -> str:
    """For people: what should have been sent (-) and what was (+)."""
    lines = difflib.unified_diff(expected, found, "the caller should get", "the caller gets", lineterm="", n=50)
    return "\n".join(["", *lines])


@each_transcript
def test_a_server_sends_this_and_the_caller_gets_that(name: str) -> None:
    transcript = TRANSCRIPTS[name]
    shown = show(events_of(play(transcript)))
    assert shown == list(transcript.shown), differences(transcript.shown, shown)


@each_transcript
@each_case("line_end", LINE_ENDS)
def test_neither_cuts_nor_line_ends_nor_comments_change_what_the_caller_gets(name: str, line_end: bytes) -> None:
    transcript = TRANSCRIPTS[name]
    number = sorted(TRANSCRIPTS).index(name) + LINE_ENDS.index(line_end)
    for cut, noise in some_of(list(itertools.product([1, 2, 7, 64], NOISES)), number, every=3):
        shown = show(events_of(play(transcript, cut=cut, line_end=line_end, noise=noise)))
        assert shown == list(transcript.shown), (cut, noise, differences(transcript.shown, shown))


@each_case("name", sorted(TRANSCRIPTS.keys() - UNKNOWN_TO_THE_CLIENT))
def test_what_the_caller_gets_satisfies_the_real_client(name: str) -> None:
    """Each chunk validates, and the client's own accumulator makes a whole answer of them."""
    transcript = TRANSCRIPTS[name]
    state = ChatCompletionStreamState()
    events = events_of(play(transcript))
    failed = any(b'"error"' in event.data[:12] for event in events)
    for event in events:
        assert not event.event
        if event.data == DONE or event.data.startswith(b'{"error"'):
            assert event is events[-1], "something follows the end"
            continue
        chunk = ChatCompletionChunk.model_validate(json.loads(event.data))
        assert chunk.model == "alias"
        state.handle_chunk(chunk)
    assert failed or events[-1].data == DONE, "neither an error nor an end"
    if failed:
        return
    assert state.current_completion_snapshot.choices
    for choice in state.current_completion_snapshot.choices:
        assert choice.finish_reason in ("stop", "length", "tool_calls", "content_filter", "function_call")
        assert choice.message.role == "assistant"
        for call in choice.message.tool_calls or ():
            if call.type == "function":
                assert call.id in stream_ids(events), "the client has joined ids"
                assert call.function.name in ("get", "put", "get_weather"), "the client has joined names"
                assert isinstance(json.loads(call.function.arguments), dict)


# Properties ------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
SPOKEN = (
    "id",
    "object",
    "created",
    "model",
    "choices",
    "usage",
    "error",
    "index",
    "delta",
    "finish_reason",
    "role",
    "content",
)
SPOKEN_CALLS = ("tool_calls", "function", "name", "arguments", "type")
unknown = st.dictionaries(texts.filter(lambda name: name not in SPOKEN + SPOKEN_CALLS), values, max_size=2)
counts = st.integers(0, 2**53)
usages = st.builds(
    lambda prompt, completion, extra: {
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **extra
    },
    counts, counts, unknown,
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> list[JsonObject]:
    """The deltas of some correct tool calls, in OpenAI's way: id, type and name first, then pieces of arguments."""
    deltas: list[JsonObject] = []
    for index in range(draw(st.integers(1, 3))):
        head: JsonObject = {"name": draw(st.sampled_from(["get", "put"])), "arguments": ""}
        first: JsonObject = {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": head,
            **draw(unknown),
        }
        deltas.append({"tool_calls": [first]})
        text = json.dumps({"n": draw(texts)}, ensure_ascii=False)
        edges = [0, *sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=2))), len(text)]
        pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    return deltas


@st.composite
def correct_streams(draw: st.DrawFn) -> list[JsonObject]:
    """The chunks of a stream as OpenAI sends it, with fields that nobody knows yet."""
    envelope: JsonObject = {
        "id": "chatcmpl-x",
        "object": "chat.completion.chunk",
        "created": draw(st.integers(1, 2**40)),
    }
    envelope |= {"model": "theirs", **draw(unknown)}
    says = st.fixed_dictionaries(
        {"content": st.one_of(st.none(), texts)}, optional={"refusal": st.one_of(st.none(), texts)}
    )
    choices: list[JsonObject] = []
    for index in draw(st.sampled_from([[0], [0, 1], [1, 0]])):
        deltas: list[JsonObject] = [{"role": "assistant", **draw(unknown)}]
        deltas += draw(st.one_of(st.lists(says, max_size=3), calls()))
        choices += [{"index": index, "delta": delta, "finish_reason": None, **draw(unknown)} for delta in deltas]
        finishes = ["stop", "length", "tool_calls", "content_filter", "function_call"]
        says_something = any(delta.get("content") or delta.get("refusal") or "tool_calls" in delta for delta in deltas)
        finish = draw(st.sampled_from(finishes if says_something else ["length"]))  # nothing at all is no answer
        choices.append({"index": index, "delta": {}, "finish_reason": finish, "logprobs": None})
    if draw(st.booleans()):
        choices.sort(key=lambda choice: choice["finish_reason"] is not None)
    chunks: list[JsonObject] = [{**envelope, "choices": [choice]} for choice in choices]
    if draw(st.booleans()):
        chunks.insert(0, {**envelope, "choices": [], "prompt_filter_results": []})
    if draw(st.booleans()):
        chunks = [*({**chunk, "usage": None} for chunk in chunks), {**envelope, "choices": [], "usage": draw(usages)}]
    return chunks


def stream_of(chunks: list[JsonObject]) -> bytes:
    return b"".join(encode(dumps(chunk)) for chunk in chunks) + encode(DONE)


@given(correct_streams(), st.booleans())
def test_a_correct_stream_leaves_exactly_as_it_came_but_for_its_model(chunks: list[JsonObject], named: bool) -> None:
    answer = machine(usage=True, model="alias" if named else None, forced=True)
    out = answer.received(stream_of(chunks))
    assert answer.over and answer.error is None and answer.skipped == 0
    assert out == stream_of([{**chunk, "model": "alias" if named else "theirs"} for chunk in chunks])


@given(correct_streams())
def test_a_caller_that_did_not_ask_for_usage_sees_all_but_the_usage(chunks: list[JsonObject]) -> None:
    out = machine(usage=False, forced=True).received(stream_of(chunks))
    without = [
        {name: value for name, value in chunk.items() if name != "usage"} for chunk in chunks if not chunk.get("usage")
    ]
    assert out == stream_of([{**chunk, "model": "alias"} for chunk in without])


@given(correct_streams(), st.lists(st.integers(0, 2**20), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_bytes(chunks: list[JsonObject], places: list[int]) -> None:
    stream = stream_of(chunks)
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    answer = machine(usage=True)
    out = b""
    for start, end in itertools.pairwise(edges):
        if end > start:
            out += answer.received(stream[start:end])
    assert out == machine(usage=True).received(stream)


@st.composite
def wild(draw: st.DrawFn) -> JsonValue:
    """JSON that uses a chunk's words for anything."""
    anything = values
    function = st.dictionaries(st.sampled_from(SPOKEN_CALLS), anything)
    call = st.dictionaries(st.sampled_from(("index", "id", *SPOKEN_CALLS)), st.one_of(anything, function))
    delta = st.dictionaries(st.sampled_from(SPOKEN + SPOKEN_CALLS), st.one_of(anything, st.lists(call, max_size=3)))
    choice = st.dictionaries(st.sampled_from(SPOKEN), st.one_of(anything, delta))
    usage = st.dictionaries(st.sampled_from(("prompt_tokens", "completion_tokens", "total_tokens")), anything)
    body = st.dictionaries(st.sampled_from(SPOKEN), st.one_of(anything, st.lists(choice, max_size=3), usage))
    drawn: JsonValue = draw(st.one_of(body, anything))
    return drawn


@given(st.lists(st.one_of(wild().map(dumps), st.binary(max_size=20)), max_size=6), st.booleans())
def test_whatever_a_server_sends_the_caller_gets_events_of_strict_json_and_one_end(
    events: list[bytes], ends: bool
) -> None:
    answer = machine(usage=True)
    out = b""
    for data in [*(encode(event) for event in events), b"" if ends else encode(DONE)]:
        if not answer.over:
            out += answer.received(data)
    assert answer.over
    *said, last = events_of(out)
    bodies = [json.loads(event.data) for event in said]
    assert all(isinstance(body, dict) and isinstance(body["choices"], list) for body in bodies)
    assert all(body["object"] == "chat.completion.chunk" and body["model"] == "alias" for body in bodies)
    assert len({body["id"] for body in bodies}) <= 1 and len({body["created"] for body in bodies}) <= 1
    assert (last.data == DONE) == (answer.error is None)


# What a transcript cannot show -----------------------------------------------------------------------------------


def chunk(delta: JsonObject, finish: str | None = None, **more: JsonValue) -> bytes:
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    return encode(dumps({"id": "chatcmpl-1", "created": 1, "model": "theirs", "choices": [choice], **more}))


def test_unreadable_events_are_counted() -> None:
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    first = decoder.feed(chunk({"role": "assistant", "content": "a"}))
    assert decoder.feed(b"data: {broken\n\ndata: 7\n\ndata: {}\n\n" + encode(b'{"choices": [1]}')) == []
    assert len(first) == 1 and decoder.skipped == 4 and decoder.fault is None


@pytest.mark.parametrize(
    ("delta", "finish", "says"),
    [
        ({"role": "assistant"}, None, False),
        ({"role": "assistant", "content": ""}, None, False),
        ({"role": "assistant", "content": None, "refusal": None, "tool_calls": []}, None, False),
        ({"content_filter_results": {"hate": {"filtered": False}}}, None, False),
        ({"content": "a"}, None, True),
        ({"reasoning_content": "hm"}, None, True),
        ({"refusal": "no"}, None, True),
        ({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "get", "arguments": ""}}]}, None, True),
        ({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": ""}}]}, None, False),
        ({}, "stop", False),
        ({}, "length", True),
        ({}, "content_filter", True),
    ],
)
def test_a_chunk_is_content_when_it_says_something(delta: JsonObject, finish: str | None, says: bool) -> None:
    assert [
        found.has_content for found in OpenAIChatProvider().decoder(NOW, Rendered(b"")).feed(chunk(delta, finish))
    ] == [says]


def test_a_stream_of_usage_and_roles_alone_has_said_nothing() -> None:
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    counts: JsonObject = {"prompt_tokens": 1, "completion_tokens": 0}
    found = decoder.feed(chunk({"role": "assistant"}) + chunk({}, usage=counts) + encode(b'{"choices": []}'))
    assert len(found) == 3 and not any(one.has_content for one in found)
    assert not decoder.complete and not decoder.done


def test_the_last_counts_are_the_streams_usage() -> None:
    answer = machine(usage=False)
    for completion in (1, 2, 3):
        answer.received(chunk({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": completion}))
    answer.received(chunk({}, "stop"))
    answer.received(chunk({"content": ""}, usage=None))
    assert answer.usage is not None and (answer.usage.prompt, answer.usage.completion) == (9, 3)


def test_a_stream_is_complete_when_every_choice_has_its_finish() -> None:
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    two = [{"index": index, "delta": {"content": "a"}, "finish_reason": None} for index in (0, 1)]
    decoder.feed(encode(json.dumps({"choices": two}).encode()))
    decoder.feed(chunk({}, "stop"))
    assert not decoder.complete
    decoder.feed(encode(json.dumps({"choices": [{**two[1], "finish_reason": "stop"}]}).encode()))
    assert decoder.complete and not decoder.done


def test_a_finish_that_is_spoken_over_is_no_finish() -> None:
    """Some servers send a finish on every chunk; were it believed, a stream cut after a word would count as whole."""
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    decoder.feed(chunk({"content": "a"}, "stop"))
    assert decoder.complete
    decoder.feed(chunk({"content": "b"}, "stop"))
    assert not decoder.complete


def test_nothing_is_read_after_the_end() -> None:
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    assert decoder.feed(encode(DONE) + chunk({"content": "late"})) == []
    assert decoder.feed(chunk({"content": "later"})) == [] and decoder.close() == []
    assert decoder.done


def test_an_event_over_the_limit_is_a_broken_answer() -> None:
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b""))
    with pytest.raises(InvalidAnswer, match="too large"):
        decoder.feed(b"data: " + b"a" * (DEFAULT_MAX_EVENT + 1))


def test_a_stream_that_names_no_model_gets_one_even_when_the_providers_own_is_shown() -> None:
    answer = machine(usage=False, model=None)
    named = answer.received(chunk({"content": "a"}))
    unnamed = answer.received(encode(b'{"choices": [{"index": 0, "delta": {"content": "b"}}]}'))
    assert [json.loads(event.data)["model"] for event in events_of(named + unnamed)] == ["theirs", "theirs"]
    nameless = machine(usage=False, model=None).received(encode(b'{"model": null, "choices": []}'))
    assert json.loads(events_of(nameless)[0].data)["model"] == ""


# Calls without an index --------------------------------------------------------------------------------------------


@given(st.dictionaries(texts, values, max_size=3), st.lists(st.integers(0, 2**20), max_size=8), st.booleans())
def test_a_function_that_is_named_again_is_another_call_once_its_arguments_are_complete(
    arguments: JsonObject, places: list[int], spaced: bool
) -> None:
    """However they were cut, brackets and quotes in their texts included; a server may name it with every piece."""
    text = json.dumps(arguments, indent=1 if spaced else None, ensure_ascii=False) + " " * spaced
    cuts = sorted({place % len(text) for place in places} - {0})
    pieces = [text[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(text)])]
    if "" in map(str.strip, pieces):
        pieces = [text]  # what is nothing but blanks may belong to either
    calls = ToolCalls()
    found: list[JsonObject] = [{"function": {"name": "f", "arguments": piece}} for piece in pieces * 2]
    for fragment in found:
        calls.repair([fragment])
    assert [fragment["index"] for fragment in found] == [0] * len(pieces) + [1] * len(pieces)
