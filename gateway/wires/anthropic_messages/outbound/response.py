"""Reads a whole answer: the events of the stream that it would have been."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.deltas import assemble
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonObject, loads
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.outbound.answer_reader import AnswerReader
from gateway.wires.anthropic_messages.outbound.errors import holds_error, parse_in_stream
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import objects


def parse(body: bytes, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    """Read a whole answer to `asked` that arrived at `now`, in seconds since the epoch.

    Raises:
        InvalidAnswer: the body is no answer: not JSON, without content, or broken off by the model.
        ProviderFailure: the body holds an error.
    """
    try:
        found = loads(body)
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider's answer is not JSON: {fault}") from None
    if holds_error(found):
        raise parse_in_stream(found)
    if not isinstance(found, dict) or not isinstance(found.get("content"), list):
        raise InvalidAnswer("The provider's answer has no content.")
    reader = AnswerReader(now, asked, memory)
    chunks = [chunk for event in _events(found) for chunk in reader.read(event)]
    if reader.fault:
        raise reader.fault
    whole = assemble(chunks, Source(WIRE, found))
    return whole if asked.neutral else replace(whole, envelope=None)


def _events(message: JsonObject) -> Iterator[JsonObject]:
    yield {"type": "message_start", "message": {**message, "content": []}}
    for index, block in enumerate(objects(message.get("content"))):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    names = ("stop_reason", "stop_sequence", "stop_details")
    yield {"type": "message_delta", "delta": {name: message.get(name) for name in names}, "usage": message.get("usage")}
    yield {"type": "message_stop"}
