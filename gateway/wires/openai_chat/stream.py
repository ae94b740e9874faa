"""A streamed answer: server-sent events to chunks, and chunks to the caller's events.

The decoder keeps what a stream must keep to come out right for every client: one id and one `created`, a role in the
first delta of a choice, one finish a choice, a tool call's name once. The encoder only renames the model and keeps
usage from callers that did not ask for it.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from gateway.core.chat import ChatChunk, Source
from gateway.core.errors import BrokenAnswer, GatewayError, ProviderFailure
from gateway.core.jsontext import JsonFault, JsonObject, JsonValue, dumps, loads
from gateway.core.sse import Event, SseDecoder, SseTooLarge, encode
from gateway.wires.base import Naming
from gateway.wires.openai_chat.errors import WIRE, parse_in_stream, render_error
from gateway.wires.openai_chat.mend import (
    Envelope,
    finish_reason,
    flatten_content,
    mend_envelope,
    mend_usage,
    text_arguments,
)
from gateway.wires.openai_chat.response import usage

OBJECT: Final = "chat.completion.chunk"
DONE: Final = b"[DONE]"


@dataclass(slots=True)
class _Choice:
    """What has been seen of one choice."""

    finish: str | None = None
    calls: dict[int, JsonValue] = field(default_factory=dict)
    """Tool calls by index, with their ids."""


class ChunkDecoder:
    """A provider's bytes to chunks; the contract is Decoder in gateway.wires.base."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._events = SseDecoder()
        self._choices: dict[int, _Choice] = {}
        self._envelope: Envelope | None = None
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        return bool(self._choices) and all(choice.finish for choice in self._choices.values())

    def feed(self, data: bytes) -> list[ChatChunk]:
        try:
            return self._read(self._events.feed(data))
        except SseTooLarge as fault:
            raise BrokenAnswer(f"The provider's stream has an event that is too large: {fault}") from None

    def close(self) -> list[ChatChunk]:
        return self._read(self._events.close())

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                self.done = True
                chunks.extend(self._unsaid_finish())
            elif event.data and (chunk := self._chunk(event)):
                chunks.append(chunk)
        return chunks

    def _chunk(self, event: Event) -> ChatChunk | None:
        try:
            body = loads(event.data)
        except JsonFault:
            body = None
        if isinstance(body, dict) and (body.get("error") or event.event == "error"):
            self.fault = parse_in_stream(body)
            return None
        if not isinstance(body, dict) or not isinstance(choices := body.get("choices", []), list):
            self.skipped += 1  # one bad event in a sound stream is no reason to lose the stream
            return None
        self._envelope = mend_envelope(body, OBJECT, self._envelope, self._now)
        says = [self._mend_choice(choice) for choice in choices if isinstance(choice, dict)]
        mend_usage(body)
        return ChatChunk(has_content=any(says), usage=usage(body), source=Source(WIRE, body))

    def _mend_choice(self, choice: JsonObject) -> bool:
        """Put one choice right; True when it says something."""
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
        elif delta.get("role") == "":
            del delta["role"]
        flatten_content(delta)
        self._mend_calls(delta, seen)
        self._mend_finish(choice, seen)
        return choice["finish_reason"] is not None or any(
            value for name, value in delta.items() if name not in ("role", "content_filter_results")
        )

    def _mend_finish(self, choice: JsonObject, seen: _Choice) -> None:
        reason = finish_reason(choice.get("finish_reason"), called_tool=bool(seen.calls))
        choice["finish_reason"] = None if seen.finish else reason  # some servers repeat it on every chunk
        seen.finish = seen.finish or reason

    def _mend_calls(self, delta: JsonObject, seen: _Choice) -> None:
        calls = delta.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                _mend_call(call, position, seen.calls)

    def _unsaid_finish(self) -> list[ChatChunk]:
        """A stream that says [DONE] is complete; where a choice lacks its finish, say it."""
        chunks = []
        for index, seen in self._choices.items():
            if seen.finish is None:
                seen.finish = "tool_calls" if seen.calls else "stop"
                body: JsonObject = {"choices": [{"index": index, "delta": {}, "finish_reason": seen.finish}]}
                self._envelope = mend_envelope(body, OBJECT, self._envelope, self._now)
                chunks.append(ChatChunk(has_content=True, usage=None, source=Source(WIRE, body)))
        return chunks


def _mend_call(call: JsonObject, position: int, known: dict[int, JsonValue]) -> None:
    """A tool call's fragment: its index, its type and name at the first one only, its arguments as text."""
    index, own = call.get("index"), call.get("id")
    if type(index) is not int or (own and known.get(index) not in (None, own)):
        index = _place(own, position, known)
        call["index"] = index
    function = call.get("function")
    if isinstance(function, dict):
        text_arguments(function)
    if index not in known:
        if not own:
            call["id"] = f"call_{token_hex(12)}"
        if not call.get("type"):
            call["type"] = "function"
        known[index] = call["id"]
    elif isinstance(function, dict) and function.get("name"):
        del function["name"]  # clients join the fragments, so a name said twice is another name


def _place(own: JsonValue, position: int, known: dict[int, JsonValue]) -> int:
    """The index of a fragment that has none, or that of another call."""
    if not own:
        return max(known, default=position)
    return next((index for index, id in known.items() if id == own), len(known))


class ChunkEncoder:
    """Chunks to the caller's events; the contract is Encoder in gateway.wires.base."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def encode(self, chunk: ChatChunk) -> bytes:
        body = chunk.source.body
        if self._naming.model is not None:
            body["model"] = self._naming.model
        elif "model" not in body:
            body["model"] = ""
        if not self._naming.usage and body.pop("usage", None) and not body.get("choices"):
            return b""  # the usage chunk, which we asked for and the caller did not
        return encode(dumps(body))

    def end(self) -> bytes:
        return encode(DONE)

    def error(self, error: GatewayError) -> bytes:
        return encode(render_error(error))
