"""Which tool message answers which call, and what Gemini is told of it.

OpenAI finds a call by its id and lets the results stand in any order. Gemini wants one result a call, in the order of
the calls, at once after them, and answers 400 otherwise; so they are paired here before a Content is made. Ids repeat
in real histories (servers that count from 0 in every turn), and old ones have names only.

Source: https://ai.google.dev/gemini-api/docs/function-calling.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.core.errors import GatewayError, InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.gemini import media
from gateway.wires.gemini.media import Drop

Place: TypeAlias = tuple[int, int]
"""A call's message and its part in it."""

_Key: TypeAlias = tuple[str, str]

IN_RESPONSE: Final = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
"""What a functionResponse may hold, from the third generation on."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call brought: the value of `functionResponse` without name and id, and parts that must stand behind it."""

    fields: JsonObject
    beside: tuple[JsonValue, ...] = ()


def pair(messages: Sequence[Message]) -> Mapping[Place, list[Part]]:
    """What answers each call that is answered. Several answers to one call are joined.

    The latest call of an id gets the answer, calls beside each other get theirs in order.

    Raises:
        InvalidRequest: a tool message answers no call.
        UnsupportedByTarget: or it answers one for which our words have no word.
    """
    waiting = _Waiting()
    results: dict[Place, list[Part]] = {}
    for index, message in enumerate(messages):
        if message.role == "assistant":
            waiting.add(index, message)
        elif message.role == "tool":
            results.setdefault(waiting.answered(message), []).extend(message.parts)
        elif message.role == "user":
            waiting.end_step()
    return results


class _Waiting:
    """The calls that have no answer yet, by id, or by name where there are no ids; in steps."""

    def __init__(self) -> None:
        self._step = 0
        self._calls: dict[_Key, list[tuple[int, deque[Place]]]] = {}
        self._answered: dict[_Key, Place] = {}
        self._unmapped = False

    def add(self, index: int, message: Message) -> None:
        """The calls of an assistant's message."""
        for position, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                steps = self._calls.setdefault(_key(part.id, part.name), [])
                if not steps or steps[-1][0] != self._step:
                    steps.append((self._step, deque()))
                steps[-1][1].append((index, position))
            self._unmapped = self._unmapped or isinstance(part, UnknownPart)

    def end_step(self) -> None:
        """What is called from here on stands after something else."""
        self._step += 1

    def answered(self, message: Message) -> Place:
        """The call that a tool's message answers."""
        self.end_step()
        key = _key(message.call_id, message.name or "")
        if steps := self._calls.get(key):
            self._answered[key] = steps[-1][1].popleft()
            if not steps[-1][1]:
                steps.pop()
        if key not in self._answered:
            raise self._fault()
        return self._answered[key]

    def _fault(self) -> GatewayError:
        if self._unmapped:
            return UnsupportedByTarget(
                "A tool message answers a call of a kind that Gemini does not have.", param="messages"
            )
        return InvalidRequest(
            "A message with the role tool must answer a tool call of an assistant message before it.", param="messages"
        )


def _key(call_id: str, name: str) -> _Key:
    return (call_id, "" if call_id else name)


def result(parts: Iterable[Part] | None, generation: int, drop: Drop) -> Result:
    """What a call brought.

    Args:
        parts: of the messages that answer it; None where there is none, which Gemini must be told too.
        generation: the model's; before the third, media stand behind the results, later inside them.
        drop: told what is left out.

    Raises:
        InvalidRequest: media that are none.
        UnsupportedByTarget: a file that is not stored with Google.
    """
    if parts is None:
        return Result({"response": {"error": "no result"}})
    texts: list[str] = []
    inside: list[JsonValue] = []
    beside: list[JsonValue] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text):
                texts.append(text)
            case Media():
                said = media.part(part, generation, drop)
                (inside if _inside(said, generation, drop) else beside).append(said)
            case StoredFile():
                beside.append(media.stored(part))
            case UnknownPart(kind):
                drop(f"messages.content.{kind}")
            case ToolCall():
                drop("messages.tool_calls")
            case Reasoning():
                pass  # reasoning is not part of a history
    fields: JsonObject = {"response": _response(texts)}
    return Result({**fields, "parts": inside} if inside else fields, tuple(beside))


def _inside(said: JsonObject, generation: int, drop: Drop) -> bool:
    """Whether the part may stand in a functionResponse, which holds bytes of some types and nothing beside them."""
    blob = said.get("inlineData")
    if generation < 3 or not isinstance(blob, dict) or blob["mimeType"] not in IN_RESPONSE:
        return False
    if said.pop("mediaResolution", None):
        drop("messages.content.image_url.detail")
    return True


def _response(texts: list[str]) -> JsonObject:
    """An object as it is. A list is read, anything else stays text: 1.10 is a version as often as a number."""
    text = "\n".join(filter(None, texts))
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = loads(text.encode("utf-8", "surrogatepass"))
        except JsonFault:
            return {"result": text}
        return value if isinstance(value, dict) else {"result": value}
    return {"result": text}
