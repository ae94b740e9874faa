"""The passthrough writes what decoder and encoder write, for any stream and wherever it is cut."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk
from gateway.core.rendered import Rendered
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.anthropic_messages.passthrough import EventPassthrough
from gateway.wires.base import Decoder, Encoder, Naming, Passthrough
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.validators import anthropic_answers as validate

CALLERS = AnthropicMessagesCallers()
REQUEST = CALLERS.parse_request(b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}')


def event(kind: str, *, blanks: bool = False, **fields: Any) -> bytes:
    separators = (", ", ": ") if blanks else (",", ":")
    data = json.dumps({"type": kind, **fields}, separators=separators, ensure_ascii=blanks)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def start() -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "theirs", "content": [], "usage": usage}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None})


def end(reason: str = "end_turn") -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 3}) + event("message_stop")


def adds(index: int, kind: str, text: str, *, blanks: bool = False) -> bytes:
    return event("content_block_delta", blanks=blanks, index=index, delta={"type": f"{kind}_delta", kind: text})


class Without:
    """The encoder without its passthrough, of which it counts the bytes that would pass."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def passthrough(self, decoder: Decoder) -> Passthrough | None:
        return None

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        return self._encoder.encode(chunk, skip)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)


def written(reads: Sequence[bytes], *, passes: bool) -> tuple[bytes, str]:
    """What the caller gets of a stream that comes in these reads, and the text that another target would go on from."""
    encoder = CALLERS.encoder(REQUEST, Naming("alias", usage=True))
    decoder = AnthropicMessagesProvider(ReasoningMemory()).decoder(1, Rendered(b""))
    machine = AnswerMachine(decoder, encoder if passes else Without(encoder), Stall(20, 120), resumable=True)
    out, text = b"", ""
    for data in reads:
        if machine.over:
            break
        out += machine.received(data)
        text = machine.text_so_far or text
    return out, text


words = st.text('ab"\\\n é한\U0001f600', max_size=5)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """The events of an answer: texts, thinking and calls, with and without blanks, and other events between."""
    out = start()
    for index in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["text", "text", "thinking", "tool_use"]))
        if kind == "tool_use":
            block: Any = {"type": kind, "id": f"toolu_{index}", "name": "t", "input": {}}
            out += event("content_block_start", index=index, content_block=block)
            delta = {"type": "input_json_delta", "partial_json": "{}"}
            out += event("content_block_delta", index=index, delta=delta)
        else:
            more = {"signature": ""} if kind == "thinking" else {}
            out += event("content_block_start", index=index, content_block={"type": kind, kind: "", **more})
            for text in draw(st.lists(words, max_size=4)):
                out += draw(st.sampled_from([b"", event("ping"), b": comment\n\n"]))
                out += adds(index, kind, text, blanks=draw(st.booleans()))
        out += event("content_block_stop", index=index)
    return out + draw(st.sampled_from([end(), end("max_tokens"), b"", event("error", error={"message": "It broke."})]))


@given(streams(), st.lists(st.integers(0, 2_000), max_size=6))
def test_it_makes_no_difference_where_a_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reads = [stream[at:until] for at, until in pairwise(places)] + [b""]
    with_it, text = written(reads, passes=True)
    without_it, same_text = written(reads, passes=False)
    assert validate.events_of(with_it) == validate.events_of(without_it)
    assert text == same_text


def test_texts_pass_byte_for_byte_in_batches() -> None:
    block = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    texts = adds(0, "text", "Hel", blanks=True) + adds(0, "text", 'l"o\n한')
    padded = texts.replace(b"}}\n\n", b"}    }\n\n")
    out, text = written([start() + block, texts, padded], passes=True)
    assert out.endswith(block + texts + padded)
    assert text == 'Hell"o\n한' * 2


class Block:
    """An encoder whose block 0 is open."""

    passing_block = ("text", 0)


@pytest.mark.parametrize(
    "other",
    [
        adds(1, "text", "another block"),
        adds(0, "thinking", "another kind"),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x", "invented": 1}),
        event("ping"),
        adds(0, "text", "x").replace(b"\n", b"\r\n"),
        adds(0, "text", "x")[:-1],
        adds(0, "text", "x").replace(b'"x"', rb'"\x"'),
        adds(0, "text", "x").replace(b'"x"', b'"\xff"'),
    ],
)
def test_what_is_another_event_goes_to_the_decoder_with_all_behind_it(other: bytes) -> None:
    passing, same = adds(0, "text", "a"), adds(0, "text", "b")
    passes = EventPassthrough(Block())
    assert passes.take(same) == (b"", "", same), "what the decoder holds is not known yet"
    assert passes.take(passing + other + same) == (passing, "a", other + same)
    assert passes.take(same) == (same, "b", b"")
    assert passes.take(same[:9]) == (b"", "", same[:9])
    assert passes.take(same[9:]) == (b"", "", same[9:])
    assert passes.take(same) == (same, "b", b"")
