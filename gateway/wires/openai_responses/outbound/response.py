"""Reads a whole answer: a response object, or the stream that was asked for in its place.

A whole answer passes to a caller of this wire as it came.
"""

from gateway.core.answer import ChatResponse, Envelope
from gateway.core.deltas import assemble, joined
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonObject, loads
from gateway.wires.openai_responses import WIRE
from gateway.wires.openai_responses.event_reader import EventReader, read_usage
from gateway.wires.openai_responses.outbound.decoder import EventDecoder
from gateway.wires.openai_responses.outbound.errors import holds_error, parse_event
from gateway.wires.openai_responses.outbound.kept_reasoning import ReasoningKeeper
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import count, text


def parse(body: bytes, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    """Read a whole answer to `asked` that arrived at `now`, in seconds since the epoch.

    Raises:
        InvalidAnswer: the body is no answer, or says nothing.
        ProviderFailure: the body holds an error, or a response that failed.
    """
    if not body.lstrip().startswith((b"{", b"[")):
        return _of_stream(body, now, asked, memory)
    try:
        found = loads(body)
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider's answer is not JSON: {fault}") from None
    if not isinstance(found, dict) or holds_error(found) or found.get("status") in ("failed", "cancelled"):
        raise parse_event({"response": found} if isinstance(found, dict) and "output" in found else {"error": found})
    if not isinstance(output := found.get("output"), list) or not output:
        raise InvalidAnswer("The provider's answer has no output.")
    if not asked.neutral:
        return ChatResponse(read_usage(found), Source(WIRE, found))
    return _neutral(found, now, asked, memory)


def _neutral(found: JsonObject, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    deltas = joined(EventReader(asked.tools).read({"type": "response.completed", "response": found}))
    ReasoningKeeper(memory).take(deltas)
    envelope = Envelope(text(found.get("id")), count(found.get("created_at")) or now, text(found.get("model")))
    return ChatResponse(read_usage(found), Source(WIRE, found), envelope, deltas)


def _of_stream(body: bytes, now: int, asked: Rendered, memory: ReasoningMemory) -> ChatResponse:
    decoder = EventDecoder(now, asked, memory)
    chunks = [*decoder.feed(body), *decoder.close()]
    if decoder.fault:
        raise decoder.fault
    if not decoder.done or not any(chunk.has_content for chunk in chunks):
        raise InvalidAnswer("The provider ended its answer before it was complete.")
    return assemble(chunks, chunks[-1].source)
