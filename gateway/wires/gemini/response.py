"""Reads a whole Gemini answer: one event, or the array of events that Google sends for a stream without `alt=sse`."""

from gateway.core.answer import ChatResponse
from gateway.core.deltas import assemble
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires.gemini.answer_reader import WIRE, AnswerReader
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import objects


def parse(body: bytes, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    """Read a whole answer to `asked` that arrived at `now`, in seconds since the epoch.

    Raises:
        InvalidAnswer: the body is no answer: not JSON, without candidates or content, or broken off by the model.
        ProviderFailure: the body holds an error.
    """
    try:
        found = loads(body)
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider's answer is not JSON: {fault}") from None
    reader = AnswerReader(now, asked, memory)
    events: list[JsonValue] = found if isinstance(found, list) else [found]
    chunks = [chunk for event in events for chunk in reader.read(event)]
    chunks += reader.end(whole=True)
    if reader.fault:
        raise reader.fault
    if not reader.done:
        raise InvalidAnswer("The provider's answer has no candidates.")
    return assemble(chunks, Source(WIRE, (objects(events) or [{}])[-1]))
