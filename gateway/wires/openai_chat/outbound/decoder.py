"""The decoder of a streamed answer: a provider's server-sent events to chunks, repaired.

It enforces the rules of a stream that clients rely on: one id and one `created`, a role in the first delta of a choice,
one finish for each choice, a tool call's name only once. What it cannot read strictly is read again
(gateway.wires.second_reading), and what may be cut gets no finish.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Iterable

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope
from gateway.core.deltas import plain_text as plain_deltas
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import DONE, ERROR, Event, SseDecoder
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires import provider_events
from gateway.wires.base import MAX_CHOICES
from gateway.wires.openai_chat import CHUNK_OBJECT, WIRE
from gateway.wires.openai_chat.outbound import legacy_calls
from gateway.wires.openai_chat.outbound.deltas import DeltaReader
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from gateway.wires.openai_chat.outbound.half_texts import HalfTexts
from gateway.wires.openai_chat.outbound.plain_text import plain_text
from gateway.wires.openai_chat.outbound.repairs import repair_envelope, repair_usage
from gateway.wires.openai_chat.outbound.response import read_usage
from gateway.wires.openai_chat.outbound.streamed_choice import ANSWERS, NOTHING, StreamedChoice
from gateway.wires.second_reading import LOST_WORDS, read_again
from gateway.wires.untrusted_fields import an_object, objects


class ChunkDecoder:
    """Turns a provider's bytes into chunks. Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
    """

    def __init__(self, now: int, asked: Rendered) -> None:
        self._now = now
        self._asked = asked
        self._reader = DeltaReader(asked.tools) if asked.neutral else None
        self._events = SseDecoder(keep_strays=True)
        self._choices: dict[int, StreamedChoice] = {}
        self._halves = HalfTexts()
        self._envelope: Envelope | None = None
        self._mended = 0
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        ended = sum(choice.finish is not None and not choice.went_on for choice in self._choices.values())
        return ended >= max(len(self._choices), self._asked.choices, 1)

    @property
    def mended(self) -> int:
        return self._mended + sum(choice.mended + choice.calls.mended for choice in self._choices.values())

    @property
    def is_mid_answer(self) -> bool:
        """Whether the first choice has begun and has no finish. Events that only add text then change no state."""
        first = self._choices.get(0)
        return first is not None and first.finish is None and not self.done and self.fault is None and not self._halves

    def reclaim(self) -> bytes | None:
        """See SseDecoder."""
        return self._events.reclaim()

    def feed(self, data: bytes) -> list[ChatChunk]:
        return self._read(provider_events.feed(self._events, data))

    def close(self) -> list[ChatChunk]:
        return [*self._read(self._events.close(), at_end=True), *self._neutral_end()]

    def _read(self, events: Iterable[Event], *, at_end: bool = False) -> list[ChatChunk]:
        """The chunks of events. `at_end`: they may have been cut off with the body."""
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                chunks += self._end()
                continue
            try:
                body = loads(event.data)
            except JsonFault:
                chunks += self._read_again(event, at_end=at_end)
                continue
            if self._halves:
                body = self._halves.joined_in(body)
            if chunk := self.chunk(body, event.event):
                chunks.append(chunk)
        return chunks

    def chunk(self, body: JsonValue, kind: str = "") -> ChatChunk | None:
        """The chunk of one event, whose JSON is changed in place; None where it has none, or is an error.

        Args:
            body: the event's JSON.
            kind: the event's type.
        """
        if kind == ERROR or holds_error(body):
            self.fault = parse_in_stream(body)
            return None
        choices = _choices_of(body)
        if not isinstance(body, dict) or choices is None:
            self.skipped += 1  # one bad event is no reason to lose the stream
            return None
        self._envelope = repair_envelope(body, CHUNK_OBJECT, self._envelope, self._now)
        has_content = [self._repair_choice(choice) for choice in choices]
        if len(self._choices) > MAX_CHOICES or any(choice.calls.too_many for choice in self._choices.values()):
            self.fault = InvalidAnswer("The provider's stream has more choices or tool calls than any answer has.")
        if self.fault:
            return None
        repair_usage(body)
        return self._chunk(body, choices, speaks=any(has_content))

    def _chunk(self, body: JsonObject, choices: list[JsonObject], *, speaks: bool) -> ChatChunk | None:
        """The chunk of a repaired event, with its neutral form where the caller speaks another wire."""
        usage, source, plain = read_usage(body), Source(WIRE, body), plain_text(choices)
        if self._reader is None:
            return ChatChunk(speaks, usage, source, plain)
        deltas: list[ChoiceDelta] = []
        try:
            for choice in choices:
                index = choice["index"]
                seen = self._choices.get(index) if isinstance(index, int) else None
                deltas += self._reader.read(choice, an_object(choice["delta"]), seen.calls if seen else None)
        except InvalidAnswer as fault:
            self.fault = fault
            return None
        return ChatChunk(speaks, usage, source, plain, self._envelope, tuple(deltas))

    def _neutral_end(self) -> list[ChatChunk]:
        """The ends of calls and the finishes in neutral form, once, where every choice has one."""
        if self._reader is None or self.fault or not self.complete:
            return []
        try:
            deltas = tuple(self._reader.end())
        except InvalidAnswer as fault:
            self.fault = fault
            return []
        return (
            [ChatChunk(False, None, Source(WIRE, {}), plain_deltas(deltas), self._envelope, deltas)] if deltas else []
        )

    def _repair_choice(self, choice: JsonObject) -> bool:
        """Repair one choice. Returns whether it has content."""
        index = choice.get("index")
        if type(index) is not int:
            index = choice["index"] = 0
        seen = self._choices.get(index)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice["delta"] = an_object(choice.pop("message", None))  # a whole answer as an event
        if seen is None:
            seen = self._choices[index] = StreamedChoice()
            if not delta.get("role"):
                delta["role"] = "assistant"
        elif isinstance(delta.get("role"), str):
            del delta["role"]  # openai-python's stream helper would join roles to assistantassistant
        if error := choice.get("error") or delta.get("error"):  # OpenRouter, 2026-11
            self.fault = parse_in_stream(error)
            return False
        speaks = seen.repair(choice, delta, self._asked)
        self.fault = self.fault or seen.fault
        if self._asked.legacy_functions:
            self._mended += legacy_calls.convert(choice, delta)
        return speaks

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
            self._mended += 1
            chunks = [chunk for body in found.values if not self.fault and (chunk := self._lenient(body, event.event))]
            return chunks + (self._end() if found.done and not self.fault else [])
        else:
            self.skipped += 1
        return []

    def _lenient(self, body: JsonValue, kind: str) -> ChatChunk | None:
        """The chunk of an event that was read leniently, in which halves of characters may stand."""
        return self.chunk(self._halves.joined_in(body), kind)

    def _end(self) -> list[ChatChunk]:
        """The end of the stream: the finish of each choice that has none, where it is certainly whole."""
        self.done = True
        seen_all = self._choices.values()
        if seen_all and not (self._asked.may_be_empty or any(seen.said or seen.finish in ANSWERS for seen in seen_all)):
            self.fault = InvalidAnswer(NOTHING)  # agents would repeat the request for ever
            return []
        chunks: list[ChatChunk] = []
        for index, seen in self._choices.items():
            if seen.finish is not None:
                continue
            delta: JsonObject = {}
            if self._halves:
                self._halves.join(index, delta, last=True)
            finish = seen.made_up_finish(lossless=not self.skipped)
            if finish is None:
                self.fault = seen.fault
                return []
            seen.add_missing_arguments(delta)
            choice: JsonObject = {"index": index, "delta": delta, "finish_reason": finish}
            body: JsonObject = {"choices": [choice]}
            if self._asked.legacy_functions:
                legacy_calls.convert(choice, delta)
            self._envelope = repair_envelope(body, CHUNK_OBJECT, self._envelope, self._now)
            # no content: a stream without other chunks is empty
            if chunk := self._chunk(body, objects(body["choices"]), speaks=False):
                chunks.append(chunk)
        return [*chunks, *self._neutral_end()]


def _choices_of(body: JsonValue) -> list[JsonObject] | None:
    """The choices of a chunk; None where the value is no chunk. A chunk with only usage may lack the key."""
    if not isinstance(body, dict):
        return None
    if body.get("choices") is None and isinstance(body.get("usage"), dict):
        body["choices"] = []
    choices = body.get("choices")
    if not isinstance(choices, list):
        return None
    found = [choice for choice in choices if isinstance(choice, dict)]
    return found if len(found) == len(choices) else None
