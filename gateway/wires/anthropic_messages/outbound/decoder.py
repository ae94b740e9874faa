"""The decoder of a streamed answer: server-sent events to chunks.

The `type` inside the data says what an event is. Servers between add OpenAI's `[DONE]`, which says nothing here: only
`message_stop` after a stop reason completes an answer.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, ERROR, Event, SseDecoder
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.core.surrogates import whole_value
from gateway.wires import provider_events
from gateway.wires.anthropic_messages.outbound.answer_reader import AnswerReader
from gateway.wires.anthropic_messages.outbound.errors import parse_in_stream
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.second_reading import LOST_WORDS, read_again

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
        self._events = SseDecoder(keep_strays=True)

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
                chunks += self._of(event, at_end=at_end)
        return chunks

    def _of(self, event: Event, *, at_end: bool) -> list[ChatChunk]:
        try:
            body: JsonValue = loads(event.data)
        except JsonFault:
            return self._read_again(event, at_end=at_end)
        return self._body(body, event)

    def _body(self, body: JsonValue, event: Event) -> list[ChatChunk]:
        if isinstance(body, dict) and "type" not in body and event.event:
            body["type"] = event.event  # the SDKs read either
        return self.read(body)

    def _read_again(self, event: Event, *, at_end: bool) -> list[ChatChunk]:
        """The chunks of an event that is no strict JSON. One without content is skipped. One with content that cannot
        be read is a hole in the answer, so the stream is broken."""
        found = read_again(event)
        if found.kind == "json":
            self.mended += 1
            return [chunk for body in found.values for chunk in self._body(whole_value(body), event)]
        if found.kind == "error" and not at_end:
            self.fault = parse_in_stream(found.error)
        elif not at_end and (found.kind == "lost" or any(name in event.data for name in _CONTENT)):
            self.fault = InvalidAnswer(LOST_WORDS)
        else:
            self.skipped += 1
        return []
