"""Our words as the chunks of an OpenAI stream, for a provider that streams in another wire.

A chunk says one thing: clients that look for content before they look for reasoning, or stop at the first they find,
lose nothing then. What comes in a list has an index, by which openai-python's stream helper joins lists. Two things
wait for the end: a finish, because some servers repeat theirs with every chunk and speak on after it, so that a choice
has one, the last, and a stream that breaks has none; and `extra_content`, whose texts that helper would join.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Finish, Usage
from gateway.core.strict_json import JsonObject
from gateway.wires.base import Naming
from gateway.wires.openai_chat import CHUNK_OBJECT
from gateway.wires.openai_chat.inbound.answer import citation, finish, head, image, logprobs, tool_call, usage


@dataclass(slots=True)
class _Choice:
    """What a choice has said so far, as far as what follows depends on it."""

    calls: int = 0
    images: int = 0
    citations: int = 0
    extra: JsonObject = field(default_factory=dict)
    finish: Finish | None = None
    native_finish: str | None = None


class NeutralChunks:
    """Chunks in our words to OpenAI's, as JSON. One a stream: it keeps the one id, and counts.

    Args:
        naming: which model is shown, and whether usage is.
        joined: the head of an earlier stream that this one goes on for; its roles are said.
        spent: the tokens of earlier streams.
    """

    def __init__(self, naming: Naming, joined: JsonObject | None = None, spent: Usage | None = None) -> None:
        self._naming = naming
        self._joined = bool(joined)
        self._spent = spent
        self.head = joined or None
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def bodies(self, chunk: ChatChunk, skip: int = 0) -> Iterator[JsonObject]:
        """The chunks that a chunk becomes, without its first `skip` characters; none where it says nothing."""
        self._usage = chunk.usage or self._usage
        if self.head is None:
            self.head = head(chunk.envelope, CHUNK_OBJECT, self._naming)
        for said in chunk.deltas:
            if said.index not in self._choices:
                self._choices[said.index] = _Choice()
                if not self._joined:
                    yield self._body(said.index, {"role": "assistant", "content": ""})
            if skip:
                said = replace(said, text=said.text[skip:])  # noqa: PLW2901 - only plain chunks, of one choice, are cut
            yield from self._further(said, self._choices[said.index])

    def last(self) -> Iterator[JsonObject]:
        """What closes the stream before [DONE]: every choice's finish, and usage where it is wanted."""
        for index, choice in self._choices.items():
            if choice.extra:
                yield self._body(index, {"extra_content": choice.extra})
            more: JsonObject = {"native_finish_reason": choice.native_finish} if choice.native_finish else {}
            reason = finish(choice.finish, called_tool=choice.calls > 0)
            yield self._body(index, {}, {"finish_reason": reason, **more})
        if self._usage and self._naming.usage:
            counted = self._usage if self._spent is None else self._usage + self._spent
            yield {**(self.head or {}), "choices": [], "usage": usage(counted)}

    def _further(self, said: ChoiceDelta, choice: _Choice) -> Iterator[JsonObject]:
        if said.reasoning:
            yield self._body(said.index, {"reasoning_content": said.reasoning})
        if said.text or said.logprobs:
            yield self._body(said.index, {"content": said.text}, {"logprobs": logprobs(said.logprobs)})
        if said.refusal:
            yield self._body(said.index, {"refusal": said.refusal})
        for call in said.calls:
            yield self._body(said.index, {"tool_calls": [{"index": choice.calls, **tool_call(call)}]})
            choice.calls += 1
        for media in said.images:
            yield self._body(said.index, {"images": [image(media, choice.images)]})
            choice.images += 1
        for found in said.citations:
            yield self._body(said.index, {"annotations": [{"index": choice.citations, **citation(found)}]})
            choice.citations += 1
        choice.extra = {**choice.extra, **said.extra}
        choice.finish = said.finish or choice.finish
        choice.native_finish = said.native_finish or choice.native_finish

    def _body(self, index: int, delta: JsonObject, more: JsonObject | None = None) -> JsonObject:
        choice: JsonObject = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **(more or {})}
        return {**(self.head or {}), "choices": [choice]}
