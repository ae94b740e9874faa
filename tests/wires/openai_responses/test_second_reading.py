"""Events of a Responses stream that are no strict JSON: read again, an error, a hole in the answer, or nothing."""

import json

import pytest

from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.sse import encode
from gateway.wires.openai_responses.outbound.decoder import EventDecoder
from gateway.wires.reasoning_memory import ReasoningMemory

BEGUN = encode(json.dumps({"type": "response.created", "response": {"id": "r", "model": "m"}}).encode())


def decoder() -> EventDecoder:
    return EventDecoder(1, Rendered(b"", neutral=True), ReasoningMemory())


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hi","x":NaN}',
        b'{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hi"}}',
    ],
)
def test_what_can_be_read_leniently_is_read(data: bytes) -> None:
    machine = decoder()
    chunks = machine.feed(BEGUN + encode(data))
    assert "".join(delta.text for chunk in chunks for delta in chunk.deltas) == "Hi"
    assert (machine.mended, machine.skipped, machine.fault) == (1, 0, None)


def test_words_that_cannot_be_read_break_the_stream() -> None:
    machine = decoder()
    machine.feed(BEGUN + encode(b'{"type":"response.output_text.delta","delta":"H'))
    assert isinstance(machine.fault, InvalidAnswer)


def test_an_error_in_words_is_the_failure() -> None:
    machine = decoder()
    machine.feed(BEGUN + b"upstream connect error or disconnect/reset before headers\n\n")
    assert machine.fault is not None and "upstream connect error" in machine.fault.message


def test_what_says_nothing_is_skipped() -> None:
    machine = decoder()
    assert machine.feed(encode(b'{"type":"response.in_prog')) == []
    assert machine.skipped == 1 and machine.fault is None
