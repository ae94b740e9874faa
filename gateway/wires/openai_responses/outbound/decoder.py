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
from gateway.core.sse import DONE, ERROR, Event, SseDecoder
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.core.surrogates import whole_value
from gateway.wires import provider_events
from gateway.wires.openai_responses import WIRE
from gateway.wires.openai_responses.event_reader import FAILED, TERMINAL, EventReader, read_usage
from gateway.wires.openai_responses.outbound.errors import parse_event
from gateway.wires.openai_responses.outbound.kept_reasoning import ReasoningKeeper
from gateway.wires.openai_responses.outbound.own_content import OwnContent
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.second_reading import LOST_WORDS, read_again
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
        self._events = SseDecoder(keep_strays=True)
        self._envelope = Envelope("", now, "")
        self._is_plain = True  # so far the answer is text and reasoning only
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0
        self.mended = 0

    @property
    def complete(self) -> bool:
        return self.done

    def reclaim(self) -> bytes | None:
        """See SseDecoder. None also where its events do not pass: neutral form is asked for, or the stream is over."""
        return None if self._neutral or self.done or self.fault else self._events.reclaim(named=True)

    def notes_delta(self, kind: str, event: JsonObject) -> bool:
        """Note a delta that does not come through `feed`, and all that differ from it in their text only. Whether that
        can be: a delta after which the answer is not plain any longer must come, unless one has come before."""
        _, plain = self._own.of(kind, event)
        return plain is not None or not self._is_plain

    def feed(self, data: bytes) -> list[ChatChunk]:
        return self._read(provider_events.feed(self._events, data))

    def close(self) -> list[ChatChunk]:
        return self._read(self._events.close(), at_end=True)

    def _read(self, events: Iterable[Event], *, at_end: bool = False) -> list[ChatChunk]:
        """The chunks of events. `at_end`: they may have been cut off with the body."""
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if (event.data or event.event == ERROR) and event.data.strip() != DONE:
                bodies = self._bodies(event, at_end=at_end)
                chunks += [chunk for body in bodies if not self.fault and (chunk := self._chunk(body, event))]
        return chunks

    def _bodies(self, event: Event, *, at_end: bool) -> list[JsonValue]:
        """The JSON of an event, which is read again where it is not strict; none where it holds no words."""
        try:
            return [loads(event.data)]
        except JsonFault:
            found = read_again(event)
        if found.kind == "json":
            self.mended += 1
            return [whole_value(body) for body in found.values]
        if found.kind == "error" and not at_end:
            self.fault = parse_event({"error": found.error or "The provider reported an error in words."})
        elif found.kind == "lost" and not at_end:
            self.fault = InvalidAnswer(LOST_WORDS)
        else:
            self.skipped += 1
        return []

    def _chunk(self, body: JsonValue, event: Event) -> ChatChunk | None:
        """The chunk of one event; None where it has none, or is an error."""
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
            self._is_plain = self._is_plain and plain is not None
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
