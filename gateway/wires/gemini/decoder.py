"""The decoder of a streamed Gemini answer: server-sent events to chunks.

Google sends such events with `alt=sse`. Its lines end with CRLF, and only the end of the body ends the stream. Some
servers between add OpenAI's `[DONE]`, which then means the same.
"""

from collections.abc import Iterable

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge
from gateway.core.strict_json import JsonFault, loads
from gateway.wires.gemini.answer_reader import AnswerReader
from gateway.wires.reasoning_memory import ReasoningMemory


class EventDecoder(AnswerReader):
    """An AnswerReader for bytes. Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps the data that tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: ReasoningMemory) -> None:
        super().__init__(now, asked, memory)
        self._events = SseDecoder()

    def feed(self, data: bytes) -> list[ChatChunk]:
        try:
            return self._read(self._events.feed(data))
        except SseTooLarge as fault:
            raise InvalidAnswer(f"The provider's stream has an event that is too large: {fault}") from None

    def close(self) -> list[ChatChunk]:
        return [*self._read(self._events.close()), *self.end()]

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                chunks += self.end()
            elif event.data:
                chunks += self._event(event)
        return chunks

    def _event(self, event: Event) -> list[ChatChunk]:
        try:
            return self.read(loads(event.data))
        except JsonFault:
            self.skipped += 1  # one bad event is no reason to lose the stream
            return []
