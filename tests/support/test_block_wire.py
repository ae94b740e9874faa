"""The invented wire's own machine: whatever the pieces, its blocks are what was said, a stream like a whole answer."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta, Envelope, ToolCallDelta, Usage
from gateway.core.deltas import joined
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.source import RequestContext, Source
from gateway.core.sse import SseDecoder
from gateway.wires.base import Naming
from tests.support.block_wire import BlockCallers
from tests.support.block_wire.blocks import without_text
from tests.support.block_wire.caller import SHOWN, Heard, question

WIRE = BlockCallers(lambda text: text)
NAMING = Naming("best", usage=True)
REQUEST = WIRE.parse_request(json.dumps(question()).encode(), RequestContext(SHOWN))
ENVELOPE = Envelope("1", 1, "m")
SOURCE = Source("another", {})
texts = st.text(min_size=1, max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> list[ChoiceDelta]:
    """Deltas as the contract has them: calls are numbered as they begin, their pieces interleave, and all end."""
    said: list[ChoiceDelta] = []
    left: dict[int, list[str]] = {}
    calls = 0
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.sampled_from(["text", "reasoning", "call", "piece"])):
            case "text":
                said.append(ChoiceDelta(0, text=draw(texts)))
            case "reasoning":
                said.append(ChoiceDelta(0, reasoning=draw(texts)))
            case "call":
                begins = ToolCallDelta(calls, f"id-{calls}", f"tool-{calls}")
                said.append(ChoiceDelta(0, calls=(begins,)))
                left[calls] = ['{"n":', str(calls), "}"]
                calls += 1
            case _ if left:
                said += _next_piece(draw(st.sampled_from(sorted(left))), left)
    for index in draw(st.permutations(sorted(left))):
        while index in left:
            said += _next_piece(index, left)
    return [*said, ChoiceDelta(0, finish="tool_calls" if calls else "stop")]


def _next_piece(index: int, left: dict[int, list[str]]) -> Sequence[ChoiceDelta]:
    arguments = left[index].pop(0)
    if not left[index]:
        del left[index]
    return [ChoiceDelta(0, calls=(ToolCallDelta(index, arguments=arguments, ended=index not in left),))]


def stream_of(chunks: Sequence[tuple[ChoiceDelta, ...]]) -> Heard:
    encoder = WIRE.encoder(REQUEST, NAMING)
    out = b"".join(
        encoder.encode(ChatChunk(True, Usage(7, 3), SOURCE, None, ENVELOPE, deltas)) + encoder.heartbeat()
        for deltas in chunks
    )
    heard = Heard()
    for event in SseDecoder().feed(out + encoder.end()):
        heard.take(event)
    return heard


@given(answers())
def test_every_word_and_every_call_is_written_once_and_in_order(deltas: list[ChoiceDelta]) -> None:
    blocks = stream_of([(delta,) for delta in deltas]).said
    for kind, said in (("words", [one.text for one in deltas]), ("thought", [one.reasoning for one in deltas])):
        assert "".join(block["words"] for block in blocks if block["is"] == kind) == "".join(said)
    calls = [(block["errand"], block["tool"], block["input"]) for block in blocks if block["is"] == "errand"]
    assert calls == [(f"id-{at}", f"tool-{at}", {"n": at}) for at in range(len(calls))]
    assert len(calls) == sum(bool(piece.name) for delta in deltas for piece in delta.calls)


@given(answers())
def test_the_stream_is_the_same_however_its_deltas_are_put_in_chunks(deltas: list[ChoiceDelta]) -> None:
    one_by_one = stream_of([(delta,) for delta in deltas])
    assert stream_of([tuple(deltas)]).as_whole == one_by_one.as_whole


@given(st.lists(st.builds(ChoiceDelta, st.just(0), text=texts) | st.builds(ChoiceDelta, st.just(0), reasoning=texts)))
def test_a_whole_answer_without_calls_is_what_its_stream_adds_up_to(said: list[ChoiceDelta]) -> None:
    deltas = [*said, ChoiceDelta(0, finish="stop")]
    response = ChatResponse(Usage(7, 3), SOURCE, ENVELOPE, joined(deltas))
    assert json.loads(WIRE.render_response(response, REQUEST, NAMING)) == stream_of([(one,) for one in deltas]).as_whole


@given(st.lists(texts), st.data())
def test_what_the_caller_has_is_cut_from_the_front_of_all_deltas(said: list[str], data: st.DataObject) -> None:
    whole = "".join(said)
    length = data.draw(st.integers(0, len(whole)))
    rest = without_text(tuple(ChoiceDelta(0, text=text) for text in said), length)
    assert "".join(delta.text for delta in rest) == whole[length:]


def test_a_chunk_that_cannot_be_written_takes_no_number() -> None:
    encoder = BlockCallers(lambda text: text, most_held=2).encoder(REQUEST, NAMING)
    begun = ToolCallDelta(0, "id-0", "tool")
    first = encoder.encode(ChatChunk(True, None, SOURCE, None, ENVELOPE, (ChoiceDelta(0, calls=(begun,)),)))
    with pytest.raises(InvalidAnswer):
        encoder.encode(ChatChunk(True, None, SOURCE, None, ENVELOPE, (ChoiceDelta(0, text="too long"),)))
    heard = Heard()
    for event in SseDecoder().feed(first + encoder.error(InvalidAnswer("No."))):
        heard.take(event)
    assert heard.names == ["begin", "open", "doom"]
