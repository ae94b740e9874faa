"""Answers of other wires as blocks: whole ones and streams, which add up to the same."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Envelope, ToolCallDelta, Usage
from gateway.core.deltas import has_content, joined, plain_text
from gateway.core.errors import InternalFault
from gateway.core.provider_failures import Evidence, InvalidAnswer, StreamBroken
from gateway.core.request import ChatRequest, Media, Source
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages import OWN_SIGNATURE
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.anthropic_messages.inbound.blocks import MAX_WAITING, Blocks, BlockWriter
from gateway.wires.base import Encoder, Naming
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
    return [_signed(block) for block in validate.message_of(raw)["content"]]


def _signed(block: Any) -> Any:
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


@pytest.mark.parametrize("row", ROWS)
def test_deltas_become_blocks(row: str) -> None:
    deltas, content, reason = ROWS[row]
    raw = streamed(*deltas, request=THINKING)
    assert blocks_of(raw) == content
    assert validate.message_of(raw)["stop_reason"] == reason


@pytest.mark.parametrize("row", [row for row in ROWS if row != "text beside an open call"])
def test_a_whole_answer_is_its_stream(row: str) -> None:
    deltas, content, reason = ROWS[row]
    message = whole(*deltas, request=THINKING)
    assert message["stop_reason"] == reason
    assert [_signed(block) for block in message["content"]] == content


def test_a_message_has_what_clients_read() -> None:
    message = whole(said("Hi"), STOP, usage=Usage(100, 20, cached=30, reasoning=15, cache_write=10))
    assert message == {
        "id": "msg_chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "alias",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 60,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 30,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 15},
        },
    }


def test_where_nobody_counted_there_are_zeros() -> None:
    usage = whole(said("Hi"), STOP)["usage"]
    assert set(usage.values()) == {0}


def test_a_stop_sequence_is_told_where_the_provider_names_it() -> None:
    message = whole(said("Hi"), said(finish="stop", stop_sequence="END"))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_a_refusal_is_explained() -> None:
    message = whole(said(refusal="I may not."), said(finish="stop"))
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": "I may not."}


@pytest.mark.parametrize(
    ("thinking", "shown"),
    [
        (None, False),
        ({"type": "disabled"}, False),
        ({"type": "adaptive", "display": "omitted"}, False),
        ({"type": "adaptive", "display": "summarized"}, True),
        ({"type": "enabled", "budget_tokens": 1024}, True),
    ],
)
def test_reasoning_is_shown_to_those_who_ask_for_it(thinking: Any, shown: bool) -> None:
    request = asked(thinking=thinking)
    kinds = [block["type"] for block in whole(said("Hi", reasoning="Hm."), STOP, request=request)["content"]]
    assert kinds == (["thinking", "text"] if shown else ["text"])
    assert [block["type"] for block in blocks_of(streamed(said("Hi", reasoning="Hm."), STOP, request=request))] == kinds


def test_the_usage_of_a_stream_comes_at_its_end() -> None:
    encoder = CALLERS.encoder(PLAIN, NAMING)
    raw = encoder.encode(chunk(said("Hi"), usage=Usage(5, 0)))
    raw += encoder.encode(chunk(STOP)) + encoder.encode(chunk(usage=Usage(7, 3))) + encoder.end()
    start, *_, last, _ = [event for _, event in validate.events_of(raw)]
    assert (start["message"]["usage"]["input_tokens"], start["message"]["id"]) == (5, "msg_chatcmpl-1")
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (7, 3)


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", '"a"', "nonsense"])
def test_arguments_that_are_no_object_are_no_answer_and_a_stream_passes_them_on(arguments: str) -> None:
    broken = piece(0, arguments, begins=True, ended=True)
    with pytest.raises(InvalidAnswer):
        whole(broken, STOP)
    encoder = CALLERS.encoder(PLAIN, NAMING)
    events = validate.events_of(encoder.encode(chunk(broken)) + encoder.end())
    parts = [event["delta"]["partial_json"] for _, event in events if event["type"] == "content_block_delta"]
    assert "".join(parts) == arguments


@pytest.mark.parametrize("id", ["", "call:0", "한", "a" * 65, "a b"])
def test_ids_that_this_wire_does_not_have_are_replaced_always_alike(id: str) -> None:
    ids = {blocks_of(streamed(piece(0, "{}", begins=True, ended=True, id=id), STOP))[0]["id"] for _ in range(2)}
    (own,) = ids
    assert own.startswith("toolu_")


def test_calls_of_one_id_get_two() -> None:
    calls = [piece(index, "{}", begins=True, ended=True, id="call_0") for index in (0, 1)]
    first, second = blocks_of(streamed(*calls, STOP))
    assert first["id"] == "call_0" != second["id"]


def test_what_waits_for_a_call_is_bounded() -> None:
    writer = BlockWriter(Blocks(), shows_reasoning=True)
    list(writer.write(piece(0, begins=True)))
    half = "x" * (MAX_WAITING // 2)
    list(writer.write(said(half)))
    with pytest.raises(InvalidAnswer):
        list(writer.write(said(half + "xx")))


# Signs of life, and ends that are none -------------------------------------------------------------------------------


def begun() -> tuple[Encoder, bytes]:
    encoder = CALLERS.encoder(PLAIN, NAMING)
    return encoder, encoder.encode(chunk(said("Hel")))


def test_a_heartbeat_is_a_comment_before_the_answer_and_a_ping_within_it() -> None:
    assert CALLERS.encoder(PLAIN, NAMING).heartbeat() == b": keep-alive\n\n"
    encoder, raw = begun()
    raw += encoder.heartbeat() + encoder.encode(chunk(said("lo"))) + encoder.end()
    assert b'event: ping\ndata: {"type": "ping"}\n\n' in raw
    assert validate.of_stream(raw) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StreamBroken("It broke."), "api_error"),
        (StreamBroken("It broke.", evidence=Evidence(status=529)), "overloaded_error"),
        (StreamBroken("It broke.", evidence=Evidence(status=429)), "overloaded_error"),
        (InternalFault("It broke."), "api_error"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_and_nothing_that_looks_like_an_end(error: Any, kind: str) -> None:
    encoder, raw = begun()
    raw += encoder.encode(chunk(STOP)) + encoder.error(error)
    assert validate.of_stream(raw, complete=False) == []
    assert validate.events_of(raw)[-1][1] == {"type": "error", "error": {"type": kind, "message": "It broke."}}
    assert validate.of_stream(CALLERS.error_event(error), complete=False) == []


# Any answer ----------------------------------------------------------------------------------------------------------

words = st.text("ab \n", max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> list[ChoiceDelta]:
    """Any answer by the rules of the neutral form: pieces of calls interleave, and each call ends once."""
    deltas: list[ChoiceDelta] = []
    texts: dict[int, str] = {}
    running: set[int] = set()
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.sampled_from(["said", "begin", "add", "end"])):
            case "begin":
                texts[len(texts)] = draw(st.sampled_from(["{}", '{"a": 1}', ""]))
                index = len(texts) - 1
                running.add(index)
                deltas.append(piece(index, begins=True))
            case "add" if running:
                index = draw(st.sampled_from(sorted(running)))
                cut = draw(st.integers(0, len(texts[index])))
                deltas.append(piece(index, texts[index][:cut]))
                texts[index] = texts[index][cut:]
            case "end" if running:
                index = draw(st.sampled_from(sorted(running)))
                running.remove(index)
                deltas.append(piece(index, texts[index], ended=True))
            case _:
                extra: JsonObject = draw(st.sampled_from([{}, {}, {"v": {"s": "x"}}]))
                deltas.append(said(draw(words), reasoning=draw(words), refusal=draw(words), reasoning_extra=extra))
    deltas += [piece(index, texts[index], ended=True) for index in sorted(running)]
    return [*deltas, said(finish=draw(st.sampled_from(["stop", "length", "content_filter"])))]


@given(answers(), st.booleans())
def test_any_answer_is_a_sound_stream_that_says_all_of_it(deltas: list[ChoiceDelta], thinks: bool) -> None:
    raw = streamed(*deltas, request=THINKING if thinks else PLAIN)
    blocks = validate.message_of(raw)["content"]
    assert [block["id"] for block in blocks if block["type"] == "tool_use"] == _called(deltas)
    assert _together(blocks, "thinking") == ("".join(delta.reasoning for delta in deltas) if thinks else "")
    spoken = "".join(delta.text + delta.refusal for delta in deltas)
    assert _together(blocks, "text") == spoken


@given(answers())
def test_any_whole_answer_is_sound(deltas: list[ChoiceDelta]) -> None:
    message = whole(*deltas, request=THINKING)
    assert [block["id"] for block in message["content"] if block["type"] == "tool_use"] == _called(deltas)


def _called(deltas: Sequence[ChoiceDelta]) -> list[str]:
    begun: Iterator[ToolCallDelta] = (call for delta in deltas for call in delta.calls if call.id)
    return [call.id for call in begun]


def _together(blocks: Sequence[Any], kind: str) -> str:
    return "".join(block.get(kind, "") for block in blocks)
