"""Answers of other wires as blocks: whole ones and streams, which add up to the same."""

from typing import Any

import pytest

from gateway.core.answer import Usage
from gateway.core.errors import InternalFault
from gateway.core.provider_failures import Evidence, InvalidAnswer, StreamBroken
from gateway.wires.anthropic_messages.inbound.blocks import MAX_WAITING, Blocks, BlockWriter
from gateway.wires.base import Encoder
from tests.validators import anthropic_answers as validate
from tests.wires.anthropic_messages.answers import (
    CALLERS,
    NAMING,
    PLAIN,
    ROWS,
    STOP,
    THINKING,
    asked,
    blocks_of,
    chunk,
    piece,
    said,
    signed,
    streamed,
    whole,
)


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
    assert [signed(block) for block in message["content"]] == content


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
