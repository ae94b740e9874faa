"""The decoder of a streamed Gemini answer: server-sent events to chunks.

Google sends such events with `alt=sse`. Its lines end with CRLF, and only the end of the body ends the stream. Some
servers between add OpenAI's `[DONE]`, which then means the same.
"""

from collections.abc import Iterable

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, ERROR, Event, SseDecoder
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires import provider_events
from gateway.wires.gemini.answer_reader import AnswerReader
from gateway.wires.gemini.errors import parse_in_stream
from gateway.wires.gemini.half_texts import HalfTexts
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.second_reading import LOST_WORDS, read_again


class EventDecoder(AnswerReader):
    """An AnswerReader for bytes. Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps the data that tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: ReasoningMemory) -> None:
        super().__init__(now, asked, memory)
        self._events = SseDecoder(keep_strays=True)
        self._halves = HalfTexts()

    def feed(self, data: bytes) -> list[ChatChunk]:
        return self._read(provider_events.feed(self._events, data))

    def close(self) -> list[ChatChunk]:
        return [*self._read(self._events.close(), at_end=True), *self.end()]

    def _read(self, events: Iterable[Event], *, at_end: bool = False) -> list[ChatChunk]:
        """The chunks of events. `at_end`: they may have been cut off with the body."""
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                chunks += self.end()
                continue
            try:
                body = loads(event.data)
            except JsonFault:
                chunks += self._read_again(event, at_end=at_end)
                continue
            chunks += self._event(self._halves.joined_in(body) if self._halves else body, event.event)
        return chunks

    def _event(self, body: JsonValue, kind: str) -> list[ChatChunk]:
        if kind == ERROR:
            self.fault = parse_in_stream(body)
            return []
        return self.read(body)

    def _read_again(self, event: Event, *, at_end: bool) -> list[ChatChunk]:
        """The chunks of an event that is no strict JSON."""
        if not event.data and event.event != ERROR:
            return []
        found = read_again(event)
        if found.kind == "error" and not at_end:
            self.fault = parse_in_stream(found.error)
        elif found.kind == "lost" and not at_end:
            self.fault = InvalidAnswer(LOST_WORDS)
        elif found.kind == "json":
            self.mended += 1
            chunks = [
                chunk for body in found.values for chunk in self._event(self._halves.joined_in(body), event.event)
            ]
            return [*chunks, *(self.end() if found.done else ())]
        else:
            self.skipped += 1
        return []
