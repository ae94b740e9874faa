"""A streamed Gemini answer: server-sent events to chunks.

Google sends them with `alt=sse`, lines end with CRLF, and the body's end is the only end. Some servers in between add
OpenAI's `[DONE]`, which then says the same.
"""

from collections.abc import Iterable

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.request import Rendered
from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge
from gateway.core.strict_json import JsonFault, loads
from gateway.wires.gemini.memory import CallMemory
from gateway.wires.gemini.reading import AnswerReader


class EventDecoder(AnswerReader):
    """A reader that is fed with bytes; the contract is Decoder in gateway.wires.base.

    Args:
        now: when the stream began, in seconds since the epoch.
        asked: what it answers.
        memory: of what its tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: CallMemory) -> None:
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
            self.skipped += 1  # one bad event in a sound stream is no reason to lose the stream
            return []
