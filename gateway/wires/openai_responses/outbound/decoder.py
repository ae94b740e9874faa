"""The decoder of a streamed answer: a provider's server-sent events to chunks, an event a chunk.

For a caller of this wire an event passes as it is, and only what resuming and failover need is read of it. For any
other caller it is read into neutral form. The last event ends the stream; nothing after it is read.
Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.answer import ChatChunk, Envelope
from gateway.core.deltas import has_content, plain_text
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge
from gateway.core.strict_json import JsonFault, JsonObject, loads
from gateway.wires.openai_responses import WIRE
from gateway.wires.openai_responses.event_reader import FAILED, TERMINAL, EventReader, read_usage
from gateway.wires.openai_responses.outbound.errors import parse_event
from gateway.wires.openai_responses.outbound.kept_reasoning import ReasoningKeeper
from gateway.wires.openai_responses.outbound.own_content import OwnContent
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, count, text

_BEGIN: Final = "response.created"


class EventDecoder:
    """Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps reasoning that belongs to tool calls.
    """

    def __init__(self, now: int, asked: Rendered, memory: ReasoningMemory) -> None:
        self._neutral = asked.neutral
        self._reader = EventReader(asked.tools)
        self._own = OwnContent()
        self._keeper = ReasoningKeeper(memory)
        self._events = SseDecoder()
        self._envelope = Envelope("", now, "")
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        return self.done

    def feed(self, data: bytes) -> list[ChatChunk]:
        try:
            return self._read(self._events.feed(data))
        except SseTooLarge as fault:
            raise InvalidAnswer(f"The provider's stream has an event that is too large: {fault}") from None

    def close(self) -> list[ChatChunk]:
        return self._read(self._events.close())

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data and event.data.strip() != DONE and (chunk := self._chunk(event)):
                chunks.append(chunk)
        return chunks

    def _chunk(self, event: Event) -> ChatChunk | None:
        """The chunk of one event; None where it has none, or is an error."""
        try:
            body = loads(event.data)
        except JsonFault:
            body = None
        if not isinstance(body, dict):
            self.skipped += 1  # one bad event is no reason to lose the stream
            return None
        kind = text(body.get("type")) or event.event
        if kind in FAILED or (not kind and body.get("error")):
            self.fault = parse_event(body)
            return None
        if not kind:
            self.skipped += 1
            return None
        body.setdefault("type", kind)
        self.done = kind in TERMINAL
        response = an_object(body.get("response"))
        if kind == _BEGIN:
            self._envelope = Envelope(
                text(response.get("id")),
                count(response.get("created_at")) or self._envelope.created,
                text(response.get("model")),
            )
        usage = read_usage(response) if self.done else None
        if not self._neutral:
            content, plain = self._own.of(kind, body)
            return ChatChunk(content, usage, Source(WIRE, body), plain)
        return self._translated(body, usage is not None, response)

    def _translated(self, body: JsonObject, counted: bool, response: JsonObject) -> ChatChunk | None:
        deltas = tuple(self._reader.read(body))
        if self._reader.too_many:
            self.fault = InvalidAnswer("The provider's stream has more items than any answer has.")
            return None
        self._keeper.take(deltas)
        usage = read_usage(response) if counted else None
        return ChatChunk(has_content(deltas), usage, Source(WIRE, body), plain_text(deltas), self._envelope, deltas)
