"""The decoder of a streamed answer: a provider's server-sent events to chunks, repaired.

It enforces the rules of a stream that clients rely on: one id and one `created`, a role in the first delta of a choice,
one finish for each choice, a tool call's name only once.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope
from gateway.core.deltas import plain_text as plain_deltas
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.base import MAX_CHOICES
from gateway.wires.openai_chat import CHUNK_OBJECT, WIRE
from gateway.wires.openai_chat.outbound.deltas import DeltaReader
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from gateway.wires.openai_chat.outbound.plain_text import plain_text
from gateway.wires.openai_chat.outbound.repairs import (
    FAILED,
    finish_reason,
    flatten_content,
    repair_envelope,
    repair_usage,
)
from gateway.wires.openai_chat.outbound.response import read_usage
from gateway.wires.openai_chat.outbound.tool_call_repairs import ToolCalls
from gateway.wires.untrusted_fields import an_object, objects


@dataclass(slots=True)
class _Choice:
    """The state of one choice."""

    finish: str | None = None
    went_on: bool = False
    """It continued after its finish, so the finish does not mean its end."""
    calls: ToolCalls = field(default_factory=ToolCalls)


class ChunkDecoder:
    """Turns a provider's bytes into chunks. Implements Decoder of gateway.wires.base.

    Args:
        now: the start of the stream, in seconds since the epoch.
        asked: the request that it answers.
        tool_calls_finish: a choice that called a tool gets the finish reason "tool_calls" in place of "stop".
    """

    def __init__(self, now: int, asked: Rendered, *, tool_calls_finish: bool = False) -> None:
        self._now = now
        self._asked = asked.choices
        self._reader = DeltaReader(asked.tools) if asked.neutral else None
        self._over_stop = tool_calls_finish
        self._events = SseDecoder()
        self._choices: dict[int, _Choice] = {}
        self._envelope: Envelope | None = None
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        ended = sum(choice.finish is not None and not choice.went_on for choice in self._choices.values())
        return ended >= max(len(self._choices), self._asked, 1)

    @property
    def is_mid_answer(self) -> bool:
        """Whether the first choice has begun and has no finish. Events that only add text then change no state."""
        first = self._choices.get(0)
        return first is not None and first.finish is None and not self.done and self.fault is None

    def reclaim(self) -> bytes | None:
        """See SseDecoder."""
        return self._events.reclaim()

    def feed(self, data: bytes) -> list[ChatChunk]:
        try:
            return self._read(self._events.feed(data))
        except SseTooLarge as fault:
            raise InvalidAnswer(f"The provider's stream has an event that is too large: {fault}") from None

    def close(self) -> list[ChatChunk]:
        return [*self._read(self._events.close()), *self._neutral_end()]

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                self.done = True
                chunks.extend(self._missing_finish())
                chunks.extend(self._neutral_end())
            elif event.data and (chunk := self.chunk(event)):
                chunks.append(chunk)
        return chunks

    def chunk(self, event: Event) -> ChatChunk | None:
        """The chunk of one event; None where it has none, or is an error."""
        try:
            body = loads(event.data)
        except JsonFault:
            body = None
        if event.event == "error" or holds_error(body):
            self.fault = parse_in_stream(body)
            return None
        choices = _choices_of(body)
        if not isinstance(body, dict) or choices is None:
            self.skipped += 1  # one bad event is no reason to lose the stream
            return None
        if any(choice.get("finish_reason") == FAILED for choice in choices):
            self.fault = InvalidAnswer("The provider broke its answer off with an error.")
            return None
        self._envelope = repair_envelope(body, CHUNK_OBJECT, self._envelope, self._now)
        has_content = [self._repair_choice(choice) for choice in choices]
        if len(self._choices) > MAX_CHOICES or any(choice.calls.too_many for choice in self._choices.values()):
            self.fault = InvalidAnswer("The provider's stream has more choices or tool calls than any answer has.")
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
            delta = choice["delta"] = {}
        if seen is None:
            seen = self._choices[index] = _Choice()
            if not delta.get("role"):
                delta["role"] = "assistant"
        elif isinstance(delta.get("role"), str):
            del delta["role"]  # openai-python's stream helper would join roles to assistantassistant
        flatten_content(delta)
        seen.calls.repair(delta.get("tool_calls"))
        adds = any(value for name, value in delta.items() if name not in ("role", "content_filter_results"))
        seen.went_on |= adds and seen.finish is not None
        self._repair_finish(choice, delta, seen)
        return adds or choice["finish_reason"] is not None

    def _repair_finish(self, choice: JsonObject, delta: JsonObject, seen: _Choice) -> None:
        given = choice.get("finish_reason")
        reason = finish_reason(given, called_tool=bool(seen.calls), over_stop=self._over_stop)
        choice["finish_reason"] = None if seen.finish else reason  # some servers repeat it on every chunk
        if reason and not seen.finish:
            seen.finish = reason
            _add_missing_arguments(delta, seen)

    def _missing_finish(self) -> list[ChatChunk]:
        """Chunks with the finish of each choice that has none: a stream with [DONE] is complete."""
        chunks: list[ChatChunk] = []
        for index, seen in self._choices.items():
            if seen.finish is None:
                seen.finish = "tool_calls" if seen.calls else "stop"
                delta: JsonObject = {}
                _add_missing_arguments(delta, seen)
                body: JsonObject = {"choices": [{"index": index, "delta": delta, "finish_reason": seen.finish}]}
                self._envelope = repair_envelope(body, CHUNK_OBJECT, self._envelope, self._now)
                # no content: a stream without other chunks is empty
                if chunk := self._chunk(body, objects(body["choices"]), speaks=False):
                    chunks.append(chunk)
        return chunks


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


def _add_missing_arguments(delta: JsonObject, seen: _Choice) -> None:
    """With the finish, give empty arguments to the calls that got none, because clients parse them as JSON."""
    if missing := seen.calls.without_arguments():
        calls = delta.get("tool_calls")
        delta["tool_calls"] = [*(calls if isinstance(calls, list) else ()), *missing]
