"""The decoder of a streamed answer: server-sent events to chunks.

The `type` inside the data says what an event is. Servers between add OpenAI's `[DONE]`, which says nothing here: only
`message_stop` after a stop reason completes an answer.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires.anthropic_messages.outbound.answer_reader import AnswerReader
from gateway.wires.reasoning_memory import ReasoningMemory

_CONTENT: Final = (b'"text"', b'"thinking"', b'"partial_json"', b'"content_block"', b'"signature"', b'"stop_reason"')
"""What the bytes of an event hold that an answer cannot lose."""


class EventDecoder(AnswerReader):
    """An AnswerReader for bytes. Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps the reasoning that tool calls need back.
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
        return self._read(self._events.close())

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data and event.data.strip() != DONE:
                chunks += self._of(event)
        return chunks

    def _of(self, event: Event) -> list[ChatChunk]:
        try:
            body: JsonValue = loads(event.data)
        except JsonFault:
            return self._unreadable(event)
        if isinstance(body, dict) and "type" not in body and event.event:
            body["type"] = event.event  # the SDKs read either
        return self.read(body)

    def _unreadable(self, event: Event) -> list[ChatChunk]:
        """An event without content is skipped. One with content is a hole in the answer, so the stream is broken."""
        if event.event == "error":
            return self.read({"type": "error", "error": {"message": event.data.decode(errors="replace")}})
        if any(name in event.data for name in _CONTENT):
            self.fault = InvalidAnswer("The provider's stream has an event that is not JSON.")
        self.skipped += 1
        return []
