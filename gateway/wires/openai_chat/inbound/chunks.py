"""Writes the chunks of a stream from neutral form, for a provider of another wire.

A chunk holds one thing. Clients that look for content before reasoning, or stop at the first field they find, then lose
nothing. Entries of lists have an index, by which openai-python's stream helper joins lists. Two things wait for the end
of the stream. One is the finish: some servers repeat it with every chunk and continue after it, so a choice gets only
the last one, and a stream that breaks gets none. The other is `extra_content`, whose texts that helper would join.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Finish, ToolCallDelta, Usage
from gateway.core.deltas import merged
from gateway.core.strict_json import JsonObject
from gateway.wires.base import Naming
from gateway.wires.openai_chat import CHUNK_OBJECT
from gateway.wires.openai_chat.inbound.answer import citation, finish, head, image, logprobs, tool_call, usage


@dataclass(slots=True)
class _Choice:
    """The state of a choice on which later chunks depend."""

    calls: set[int] = field(default_factory=set)
    without_arguments: set[int] = field(default_factory=set)
    images: int = 0
    citations: int = 0
    extra: JsonObject = field(default_factory=dict)
    finish: Finish | None = None
    native_finish: str | None = None


class NeutralChunks:
    """Turns neutral chunks into OpenAI's, as JSON. One for each stream, because it keeps the stream's id and counters.

    Args:
        naming: what the answer shows the caller.
        joined: the head of an earlier stream that this one continues; its roles are not repeated.
        spent: the usage of earlier streams.
        legacy: the caller looks for one call, in `function_call`.
    """

    def __init__(
        self, naming: Naming, joined: JsonObject | None = None, spent: Usage | None = None, *, legacy: bool = False
    ) -> None:
        self._naming = naming
        self._legacy = legacy
        self._joined = bool(joined)
        self._spent = spent
        self.head = joined or None
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def bodies(self, chunk: ChatChunk, skip: int = 0) -> list[JsonObject]:
        """The chunks for one neutral chunk, without the first `skip` characters of its text; none for an empty one."""
        self._usage = chunk.usage or self._usage
        if self.head is None:
            self.head = head(chunk.envelope, CHUNK_OBJECT, self._naming)
        bodies: list[JsonObject] = []
        deltas = chunk.deltas
        for delta in deltas if len(deltas) < 2 else merged(deltas):
            choice = self._choices.get(delta.index)
            if choice is None:
                choice = self._choices[delta.index] = _Choice()
                if not self._joined:
                    bodies.append(self._body(delta.index, {"role": "assistant", "content": ""}))
            if skip:
                delta = replace(delta, text=delta.text[skip:])  # noqa: PLW2901 - only plain chunks, of one choice, are cut
            self._add(bodies, delta, choice)
        return bodies

    def last(self) -> Iterator[JsonObject]:
        """The last chunks before [DONE]: the finish of every choice, and usage where the caller asked for it."""
        for index, choice in self._choices.items():
            if choice.extra:
                yield self._body(index, {"extra_content": choice.extra})
            more: JsonObject = {"native_finish_reason": choice.native_finish} if choice.native_finish else {}
            reason = finish(choice.finish, called_tool=bool(choice.calls), legacy=self._legacy)
            yield self._body(index, {}, {"finish_reason": reason, **more})
        if self._usage and self._naming.usage:
            counted = self._usage if self._spent is None else self._usage + self._spent
            yield {**(self.head or {}), "choices": [], "usage": usage(counted)}

    def _add(self, bodies: list[JsonObject], delta: ChoiceDelta, choice: _Choice) -> None:
        """Add the chunks for one delta."""
        index = delta.index
        if delta.reasoning:
            bodies.append(self._body(index, {"reasoning_content": delta.reasoning}))
        if delta.text or delta.logprobs:
            more: JsonObject | None = {"logprobs": logprobs(delta.logprobs)} if delta.logprobs else None
            bodies.append(self._body(index, {"content": delta.text}, more))
        if delta.refusal:
            bodies.append(self._body(index, {"refusal": delta.refusal}))
        fragments = [_fragment(piece, choice) for piece in delta.calls if not (self._legacy and piece.index)]
        bodies += [self._body(index, self._call(fragment)) for fragment in fragments if fragment]
        for media in delta.images:
            bodies.append(self._body(index, {"images": [image(media, choice.images)]}))
            choice.images += 1
        for found in delta.citations:
            bodies.append(self._body(index, {"annotations": [{"index": choice.citations, **citation(found)}]}))
            choice.citations += 1
        if delta.extra:
            choice.extra = {**choice.extra, **delta.extra}
        choice.finish = delta.finish or choice.finish
        choice.native_finish = delta.native_finish or choice.native_finish

    def _call(self, fragment: JsonObject) -> JsonObject:
        """The delta with a fragment of a call."""
        return {"function_call": fragment["function"]} if self._legacy else {"tool_calls": [fragment]}

    def _body(self, index: int, delta: JsonObject, more: JsonObject | None = None) -> JsonObject:
        choice: JsonObject = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        if more is not None:
            choice.update(more)
        return {**(self.head or {}), "choices": [choice]}


def _fragment(piece: ToolCallDelta, choice: _Choice) -> JsonObject:
    """A piece of a call as an entry of `tool_calls`; empty where it adds nothing. A function that gets no arguments
    until its end gets an empty object, because clients parse them as JSON."""
    if piece.index not in choice.calls:
        choice.calls.add(piece.index)
        if not (piece.arguments or piece.ended):
            choice.without_arguments.add(piece.index)
        return {"index": piece.index, **tool_call(piece)}
    arguments = piece.arguments
    if arguments:
        choice.without_arguments.discard(piece.index)
    elif piece.ended and piece.index in choice.without_arguments and piece.kind == "function":
        arguments = "{}"
    if not (arguments or piece.extra):
        return {}
    fragment: JsonObject = {
        "index": piece.index,
        piece.kind: {"input" if piece.kind == "custom" else "arguments": arguments},
    }
    if piece.extra:
        fragment["extra_content"] = piece.extra
    return fragment
