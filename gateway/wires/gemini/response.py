"""Reads a whole Gemini answer: one event, or the array of events that Google sends for a stream without `alt=sse`."""

from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.deltas import assemble
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import Event
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.core.surrogates import whole_value
from gateway.wires.gemini.answer_reader import WIRE, AnswerReader
from gateway.wires.gemini.errors import parse_in_stream
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.second_reading import read_again
from gateway.wires.untrusted_fields import objects


def parse(body: bytes, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    """Read a whole answer to `asked` that arrived at `now`, in seconds since the epoch.

    Raises:
        InvalidAnswer: the body is no answer: not JSON, without candidates or content, or broken off by the model.
        ProviderFailure: the body holds an error.
    """
    events, mended = _read(body)
    reader = AnswerReader(now, asked, memory)
    reader.mended = mended
    chunks = [chunk for event in events for chunk in reader.read(event)]
    chunks += reader.end(whole=True)
    if reader.fault:
        raise reader.fault
    if not reader.done:
        raise InvalidAnswer("The provider's answer has no candidates.")
    answer = assemble(chunks, Source(WIRE, (objects(events) or [{}])[-1]))
    return replace(answer, mended=reader.mended) if reader.mended else answer


def _read(body: bytes) -> tuple[list[JsonValue], int]:
    """The events of a body, and 1 where it had to be read leniently, else 0.

    Raises:
        ProviderFailure: it is no JSON.
    """
    try:
        found = loads(body)
    except JsonFault as fault:
        again, reason = read_again(Event(body)), str(fault)
        if again.kind == "error" and again.error:
            raise parse_in_stream(again.error) from None
        if again.kind != "json":
            raise InvalidAnswer(f"The provider's answer is not JSON: {reason}") from None
        found = whole_value(again.values[0])
        return (found if isinstance(found, list) else [found]), 1
    return (found if isinstance(found, list) else [found]), 0
