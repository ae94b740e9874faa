"""Answers of other wires for an OpenAI client, from neutral form, whole and streamed, judged by the real client."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.core.answer import (
    ChatChunk,
    ChatResponse,
    ChoiceDelta,
    Citation,
    Envelope,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from gateway.core.deltas import assemble
from gateway.core.provider_failures import StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.request import Media
from gateway.core.source import Source
from gateway.core.sse import DONE, SseDecoder, encode
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.base import Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from tests.support.chats import ASKED

SCHEMAS = json.loads((Path(__file__).parents[2] / "schemas" / "openai.json").read_text("utf-8"))["$defs"]
WHOLE, CHUNK = (
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS})
    for name in ("CreateChatCompletionResponse", "CreateChatCompletionStreamResponse")
)
NATIVE = Source("gemini", {"candidates": []})
ENVELOPE = Envelope("r-1", 1_700_000_000, "theirs")
GENERATED = r"chatcmpl-[0-9a-f]{24}"


def shown(
    *said: ChoiceDelta, usage: Usage | None = None, envelope: Envelope | None = ENVELOPE, model: str | None = "alias"
) -> JsonObject:
    """The whole answer as the client gets it."""
    answer = ChatResponse(usage, NATIVE, envelope, said)
    found: JsonObject = json.loads(OpenAIChatCallers().render_response(answer, ASKED, Naming(model, usage=True)))
    judge_whole(found)
    return found


def judge_whole(body: JsonObject) -> None:
    ChatCompletion.model_validate(body)
    WHOLE.validate(body)


def choices_of(body: JsonObject) -> list[JsonObject]:
    assert isinstance(body["choices"], list)
    return [choice for choice in body["choices"] if isinstance(choice, dict)]


def message(said: ChoiceDelta) -> JsonObject:
    (choice,) = choices_of(shown(said))
    told = choice["message"]
    assert isinstance(told, dict)
    return told


def piece(*said: ChoiceDelta, usage: Usage | None = None, envelope: Envelope = ENVELOPE) -> ChatChunk:
    return ChatChunk(has_content=bool(said), usage=usage, source=NATIVE, envelope=envelope, deltas=said)


def streamed(*pieces: ChatChunk, usage: bool = True, model: str | None = "alias") -> list[JsonObject]:
    """The chunks as the client gets them, without [DONE]."""
    encoder = OpenAIChatCallers().encoder(ASKED, Naming(model, usage))
    stream = b"".join(encoder.encode(chunk) for chunk in pieces) + encoder.end()
    *events, done = SseDecoder().feed(stream)
    assert done.data == DONE and not any(event.event for event in events)
    bodies: list[JsonObject] = [json.loads(event.data) for event in events]
    for body in bodies:
        judge_chunk(body)
    return bodies


def judge_chunk(body: JsonObject) -> None:
    if '"custom"' not in json.dumps(body):  # OpenAI's types for streams do not know these
        ChatCompletionChunk.model_validate(body)
        CHUNK.validate(body)


def deltas(*pieces: ChatChunk) -> list[tuple[JsonValue, JsonValue, JsonValue]]:
    """Index, delta and finish of each chunk that has a choice."""
    found: list[tuple[JsonValue, JsonValue, JsonValue]] = []
    for body in streamed(*pieces, usage=False):
        (choice,) = choices_of(body)
        found.append((choice["index"], choice["delta"], choice["finish_reason"]))
    return found


# Whole answers ---------------------------------------------------------------------------------------------------


def test_a_plain_answer_has_all_that_clients_look_for() -> None:
    assert shown(
        ChoiceDelta(0, "Hello", finish="stop", native_finish="STOP"), usage=Usage(9, 5, cached=2, reasoning=3)
    ) == {
        "id": "chatcmpl-r-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "alias",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
                "native_finish_reason": "STOP",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }


SIGNED: JsonObject = {"google": {"thought_signature": "c2ln"}}
GET = ToolCallDelta(0, "call_a", "get", '{"a":1}', ended=True)
SECOND, THIRD = replace(GET, index=1), replace(GET, index=2)
GET_SHOWN: JsonObject = {"id": "call_a", "type": "function", "function": {"name": "get", "arguments": '{"a":1}'}}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ChoiceDelta(0, "Hi", finish="length"), {"content": "Hi"}),
        (ChoiceDelta(0, finish="length"), {"content": ""}),
        (ChoiceDelta(0, finish="stop"), {"content": ""}),
        (ChoiceDelta(0, finish="content_filter"), {"content": ""}),
        (ChoiceDelta(0, refusal="No.", finish="content_filter"), {"content": None, "refusal": "No."}),
        (ChoiceDelta(0, "Well,", refusal="No."), {"content": "Well,", "refusal": "No."}),
        (ChoiceDelta(0, "Hi", reasoning="Hm."), {"content": "Hi", "reasoning_content": "Hm."}),
        (ChoiceDelta(0, calls=(GET,)), {"content": None, "tool_calls": [GET_SHOWN]}),
        (ChoiceDelta(0, "Hi", calls=(GET,)), {"content": "Hi", "tool_calls": [GET_SHOWN]}),
        (
            ChoiceDelta(0, calls=(replace(GET, extra=SIGNED), SECOND)),
            {"content": None, "tool_calls": [{**GET_SHOWN, "extra_content": SIGNED}, GET_SHOWN]},
        ),
        (
            ChoiceDelta(0, calls=(ToolCallDelta(0, "call_a", "get", ended=True),)),
            {
                "content": None,
                "tool_calls": [{"id": "call_a", "type": "function", "function": {"name": "get", "arguments": "{}"}}],
            },
        ),
        (
            ChoiceDelta(0, calls=(ToolCallDelta(0, "call_a", "patch", kind="custom", ended=True),)),
            {
                "content": None,
                "tool_calls": [{"id": "call_a", "type": "custom", "custom": {"name": "patch", "input": ""}}],
            },
        ),
        (
            ChoiceDelta(0, images=(Media("image", "image/png", "AA=="), Media("image", uri="https://a/b.png"))),
            {
                "content": "",
                "images": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0},
                    {"type": "image_url", "image_url": {"url": "https://a/b.png"}, "index": 1},
                ],
            },
        ),
        (
            ChoiceDelta(0, "Hi", citations=(Citation("https://a", "A", 0, 2),)),
            {
                "content": "Hi",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 2},
                    }
                ],
            },
        ),
        (ChoiceDelta(0, "Hi", extra=SIGNED), {"content": "Hi", "extra_content": SIGNED}),
    ],
)
def test_a_choice_is_said_so(said: ChoiceDelta, told: JsonObject) -> None:
    assert message(said) == {"role": "assistant", "refusal": None, **told}


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        (ChoiceDelta(0, "Hi"), "stop"),
        (ChoiceDelta(0, calls=(GET,)), "tool_calls"),
        (ChoiceDelta(0, calls=(GET,), finish="stop"), "stop"),
        (ChoiceDelta(0, finish="content_filter"), "content_filter"),
    ],
)
def test_a_choice_always_has_a_finish(said: ChoiceDelta, finish: str) -> None:
    assert ChatCompletion.model_validate(shown(said)).choices[0].finish_reason == finish
    *_, (_, delta, last) = deltas(piece(said))
    assert (delta, last) == ({}, finish)


def test_the_probabilities_of_tokens_are_told_with_their_bytes() -> None:
    tokens = (TokenLogprob("é", -0.5, (TokenLogprob("é", -0.5), TokenLogprob("e", float("-inf")))),)
    expected = {
        "content": [
            {
                "token": "é",
                "logprob": -0.5,
                "bytes": [0xC3, 0xA9],
                "top_logprobs": [
                    {"token": "é", "logprob": -0.5, "bytes": [0xC3, 0xA9]},
                    {"token": "e", "logprob": -9999.0, "bytes": [0x65]},
                ],
            }
        ],
        "refusal": None,
    }
    said = ChoiceDelta(0, "é", logprobs=tokens, finish="stop")
    assert choices_of(shown(said))[0]["logprobs"] == expected
    assert [choices_of(body)[0]["logprobs"] for body in streamed(piece(said))] == [None, expected, None]


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("r-1", "chatcmpl-r-1"),
        ("chatcmpl-1", "chatcmpl-1"),
        ("a b/ü\n", "chatcmpl-a-b---"),
        ("x" * 100, "chatcmpl-" + "x" * 64),
        ("", GENERATED),
    ],
)
def test_the_id_is_one_that_clients_know(id: str, expected: str) -> None:
    envelope = replace(ENVELOPE, id=id)
    assert re.fullmatch(expected, str(shown(ChoiceDelta(0, "Hi"), envelope=envelope)["id"]))
    (found,) = {
        str(body["id"]) for body in streamed(piece(ChoiceDelta(0, "a"), envelope=envelope), piece(ChoiceDelta(0, "b")))
    }
    assert re.fullmatch(expected, found)


def test_the_model_is_the_one_asked_for_or_the_providers_own() -> None:
    assert (
        shown(ChoiceDelta(0, "Hi"))["model"] == "alias" and shown(ChoiceDelta(0, "Hi"), model=None)["model"] == "theirs"
    )
    assert {body["model"] for body in streamed(piece(ChoiceDelta(0, "Hi")), model=None)} == {"theirs"}


def test_an_answer_that_says_nothing_is_still_a_choice() -> None:
    body = shown(envelope=None)
    assert re.fullmatch(GENERATED, str(body["id"])) and "usage" not in body
    assert ChatCompletion.model_validate(body).choices[0].message.content == ""


# Streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_begins_with_its_role_and_ends_with_finish_usage_and_done() -> None:
    bodies = streamed(
        piece(ChoiceDelta(0, "Hel"), usage=Usage(9, 1)),
        piece(ChoiceDelta(0, "lo", finish="stop", native_finish="STOP"), usage=Usage(9, 2)),
        piece(usage=Usage(9, 3)),
    )
    assert {(body["id"], body["object"], body["created"], body["model"]) for body in bodies} == {
        ("chatcmpl-r-1", "chat.completion.chunk", 1_700_000_000, "alias")
    }
    quiet: JsonObject = {"index": 0, "logprobs": None, "finish_reason": None}
    assert [body["choices"] for body in bodies] == [
        [{**quiet, "delta": {"role": "assistant", "content": ""}}],
        [{**quiet, "delta": {"content": "Hel"}}],
        [{**quiet, "delta": {"content": "lo"}}],
        [{**quiet, "delta": {}, "finish_reason": "stop", "native_finish_reason": "STOP"}],
        [],
    ]
    assert [body.get("usage") for body in bodies[:-1]] == [None] * 4
    told = bodies[-1]["usage"]
    assert isinstance(told, dict) and (told["prompt_tokens"], told["total_tokens"]) == (9, 12)


def test_usage_is_told_only_where_it_is_wanted_and_known() -> None:
    assert all(body["choices"] for body in streamed(piece(ChoiceDelta(0, "Hi"), usage=Usage(9, 2)), usage=False))
    assert all(body["choices"] for body in streamed(piece(ChoiceDelta(0, "Hi")), usage=True))


def test_a_chunk_says_one_thing() -> None:
    assert deltas(piece(ChoiceDelta(0, "Hi", "Hm.", "No.", (GET,), extra=SIGNED, finish="tool_calls"))) == [
        (0, {"role": "assistant", "content": ""}, None),
        (0, {"reasoning_content": "Hm."}, None),
        (0, {"content": "Hi"}, None),
        (0, {"refusal": "No."}, None),
        (0, {"tool_calls": [{"index": 0, **GET_SHOWN}]}, None),
        (0, {"extra_content": SIGNED}, None),
        (0, {}, "tool_calls"),
    ]


def test_calls_and_images_are_counted_over_the_stream_and_by_choice() -> None:
    image = Media("image", "image/png", "AA==")
    said = deltas(
        piece(ChoiceDelta(0, calls=(GET, SECOND)), ChoiceDelta(1, calls=(GET,))),
        piece(ChoiceDelta(0, calls=(THIRD,), images=(image, image))),
    )
    counted = re.findall(r"\((\d), \{'tool_calls': \[\{'index': (\d)", str(said))
    assert counted == [("0", "0"), ("0", "1"), ("1", "0"), ("0", "2")]
    assert re.findall(r"'index': (\d)\}\]\}, None\)", str(said)) == ["0", "1"]


def test_a_finish_that_is_repeated_and_spoken_over_is_said_once_and_last() -> None:
    assert deltas(
        piece(ChoiceDelta(0, "a", finish="stop")), piece(ChoiceDelta(0, "b", finish="stop")), piece(ChoiceDelta(1, "c"))
    ) == [
        (0, {"role": "assistant", "content": ""}, None),
        (0, {"content": "a"}, None),
        (0, {"content": "b"}, None),
        (1, {"role": "assistant", "content": ""}, None),
        (1, {"content": "c"}, None),
        (0, {}, "stop"),
        (1, {}, "stop"),
    ]


def test_a_stream_that_breaks_has_an_error_and_nothing_that_looks_like_an_end() -> None:
    encoder = OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=True))
    stream = encoder.encode(piece(ChoiceDelta(0, "a", finish="stop"))) + encoder.error(StreamBroken("It broke."))
    assert b'"finish_reason":"' not in stream and DONE not in stream
    assert json.loads(SseDecoder().feed(stream)[-1].data)["error"]["message"] == "It broke."


def test_a_piece_that_says_nothing_is_not_shown() -> None:
    encoder = OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=True))
    assert encoder.encode(piece(usage=Usage(9, 0))) == b""


def test_a_stream_of_its_own_wire_is_relayed_untouched() -> None:
    body: JsonObject = {"model": "alias", "choices": [{"delta": {"content": "a"}}], "usage": None}
    encoder = OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=True))
    own = ChatChunk(has_content=True, usage=Usage(9, 2), source=Source("openai_chat", dict(body)))
    assert encoder.encode(own) + encoder.end() == encode(dumps(body)) + encode(DONE)


# Properties ------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
extras = st.dictionaries(st.sampled_from(["google", "other"]), st.dictionaries(texts, texts, max_size=1), max_size=2)
ids = st.integers(0, 99).map("call_{}".format)
tool_calls = st.builds(
    ToolCallDelta,
    st.just(0),
    ids,
    st.sampled_from(["get", "put"]),
    st.sampled_from(["{}", '{"a":[1,"é"]}']),
    ended=st.just(True),
    extra=extras,
)
images = st.builds(
    Media, st.just("image"), st.just("image/png"), st.binary(min_size=1, max_size=4).map(lambda data: data.hex())
)
citations = st.builds(Citation, st.just("https://a/b"), texts, st.integers(0, 9), st.integers(0, 9))
tokens = st.builds(TokenLogprob, texts, st.floats(-50, 0), st.just(()))
saids = st.builds(
    ChoiceDelta,
    index=st.integers(0, 1),
    text=texts,
    reasoning=texts,
    refusal=texts,
    calls=st.lists(tool_calls, max_size=2).map(tuple),
    images=st.lists(images, max_size=2).map(tuple),
    citations=st.lists(citations, max_size=2).map(tuple),
    logprobs=st.lists(tokens, max_size=2).map(tuple),
    finish=st.sampled_from([None, None, "stop", "length", "tool_calls", "content_filter"]),
    native_finish=st.sampled_from([None, "STOP"]),
    extra=extras,
)
usages = st.one_of(
    st.none(), st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
)
pieces = st.builds(lambda said, usage: piece(*said, usage=usage), st.lists(saids, max_size=2), usages)


def numbered(chunks: list[ChatChunk]) -> list[ChatChunk]:
    """The chunks with the calls of each choice numbered in their order."""
    calls = defaultdict[int, Iterator[int]](count)

    def renumbered(said: ChoiceDelta) -> ChoiceDelta:
        return replace(said, calls=tuple(replace(call, index=next(calls[said.index])) for call in said.calls))

    return [replace(chunk, deltas=tuple(renumbered(said) for said in chunk.deltas)) for chunk in chunks]


def comparable(body: JsonObject) -> JsonObject:
    """Without what a stream cannot say, that content is null, and what the client adds or does not add up."""
    choices = json.loads(json.dumps(body["choices"]))
    for choice in choices:
        choice.pop("native_finish_reason", None)
        told = choice["message"]
        told["content"] = told["content"] or ""
        for call in (*(told.get("tool_calls") or ()), *(told.get("annotations") or ())):
            call.pop("index", None)
            call.get("function", {}).pop("parsed_arguments", None)
        for name in [name for name, value in told.items() if value is None]:
            del told[name]
    return {"choices": choices, "usage": body.get("usage")}


@given(saids, st.lists(pieces, max_size=4))
def test_what_a_stream_adds_up_to_is_the_whole_answer(first: ChoiceDelta, further: list[ChatChunk]) -> None:
    """The real client's own accumulator does the sum; it wants the first choice first."""
    found = numbered([piece(replace(first, index=0)), *further])
    state = ChatCompletionStreamState()
    for body in streamed(*found):
        state.handle_chunk(ChatCompletionChunk.model_validate(body))
    whole = assemble(found, NATIVE)
    expected = shown(*whole.deltas, usage=whole.usage)
    summed = json.loads(state.current_completion_snapshot.model_dump_json(exclude_unset=True))
    for choice in summed["choices"]:
        choice.setdefault("logprobs", None)
        choice["message"].pop("parsed", None)
    assert comparable(summed) == comparable(expected)
    assert summed["id"] == expected["id"] and summed["created"] == expected["created"]


@given(st.lists(pieces, max_size=5), st.booleans())
def test_any_stream_has_one_role_first_and_one_finish_last_for_each_choice(found: list[ChatChunk], usage: bool) -> None:
    found = numbered(found)
    bodies = streamed(*found, usage=usage)
    wanted = usage and any(chunk.usage for chunk in found)
    assert [bool(body.get("usage")) for body in bodies] == [False] * (len(bodies) - wanted) + [True] * wanted
    choices = [choice for body in bodies for choice in choices_of(body)]
    for index in {said.index for chunk in found for said in chunk.deltas}:
        own = [choice for choice in choices if choice["index"] == index]
        assert own[0]["delta"] == {"role": "assistant", "content": ""} and own[-1]["delta"] == {}
        assert [choice["finish_reason"] is not None for choice in own] == [False] * (len(own) - 1) + [True]


# Google's own compatible endpoint --------------------------------------------------------------------------------


def called(finish: str | None, *, tool: bool = True) -> bytes:
    told: JsonObject = {"role": "assistant", "content": None if tool else "Hi"}
    if tool:
        told["tool_calls"] = [GET_SHOWN]
    return dumps({"choices": [{"index": 0, "message": told, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("finish", "tool", "as_told", "mended"),
    [
        ("stop", True, "stop", "tool_calls"),
        ("STOP", True, "stop", "tool_calls"),
        ("stop", False, "stop", "stop"),
        ("length", True, "length", "length"),
        ("content_filter", True, "content_filter", "content_filter"),
        ("tool_calls", True, "tool_calls", "tool_calls"),
        (None, True, "tool_calls", "tool_calls"),
    ],
)
def test_a_stop_after_a_tool_call_is_believed_or_not(finish: str | None, tool: bool, as_told: str, mended: str) -> None:
    for wire, expected in (
        (OpenAIChatProvider(), as_told),
        (OpenAIChatProvider(Dialect(tool_calls_finish=True)), mended),
    ):
        body = wire.parse_response(called(finish, tool=tool), 1, Rendered(b"")).source.body
        assert ChatCompletion.model_validate(body).choices[0].finish_reason == expected


@pytest.mark.parametrize("apart", [False, True])
def test_a_stop_after_a_tool_call_in_a_stream_is_believed_or_not(apart: bool) -> None:
    delta: JsonObject = {"role": "assistant", "tool_calls": [{"index": 0, **GET_SHOWN}]}
    ends: list[JsonObject] = [{"index": 0, "delta": delta, "finish_reason": None if apart else "stop"}]
    if apart:
        ends.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    stream = b"".join(encode(dumps({"choices": [choice]})) for choice in ends)
    for wire, expected in (
        (OpenAIChatProvider(), "stop"),
        (OpenAIChatProvider(Dialect(tool_calls_finish=True)), "tool_calls"),
    ):
        *_, last = wire.decoder(1, Rendered(b"")).feed(stream)
        assert ChatCompletionChunk.model_validate(last.source.body).choices[0].finish_reason == expected
