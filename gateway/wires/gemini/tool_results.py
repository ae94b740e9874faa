"""Pairs tool messages with their calls, and renders the results for Gemini.

OpenAI finds a call by its id and accepts results in any order. Gemini requires one result a call, in the order of the
calls and directly after them, and answers 400 otherwise. So results are paired with calls before a Content is made.
Ids repeat in real histories (some servers count from 0 in every turn), and old histories have only names.

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
"""The indexes of a call's message and of its part in the message."""

_Key: TypeAlias = tuple[str, str]

IN_RESPONSE: Final = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
"""Media types that a functionResponse may hold, from the third generation on."""


@dataclass(frozen=True, slots=True)
class Result:
    """A call's result: the value of `functionResponse` without name and id, and parts that must follow it."""

    fields: JsonObject
    beside: tuple[JsonValue, ...] = ()


def pair(messages: Sequence[Message]) -> Mapping[Place, list[Part]]:
    """The result of each call that has one. Several results of one call are joined.

    The latest call of an id gets the result; parallel calls of the same id get theirs in order.

    Raises:
        InvalidRequest: a tool message answers no call.
        UnsupportedByTarget: a tool message answers a call that the neutral form does not have.
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
    """The calls without a result yet, by id, or by name where there are no ids, grouped in steps."""

    def __init__(self) -> None:
        self._step = 0
        self._calls: dict[_Key, list[tuple[int, deque[Place]]]] = {}
        self._answered: dict[_Key, Place] = {}
        self._unmapped = False

    def add(self, index: int, message: Message) -> None:
        """Add the calls of an assistant's message."""
        for position, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                steps = self._calls.setdefault(_key(part.id, part.name), [])
                if not steps or steps[-1][0] != self._step:
                    steps.append((self._step, deque()))
                steps[-1][1].append((index, position))
            self._unmapped = self._unmapped or isinstance(part, UnknownPart)

    def end_step(self) -> None:
        """End the step; later calls belong to another one."""
        self._step += 1

    def answered(self, message: Message) -> Place:
        """Remove and return the call that a tool's message answers."""
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
    """Render the result of a call.

    Args:
        parts: the parts of the messages that answer the call; None where there is none, which Gemini needs as an error.
        generation: the model's; before the third, media follow the results, later they are inside them.
        drop: is called with the name of each dropped field.

    Raises:
        InvalidRequest: media is invalid.
        UnsupportedByTarget: a file is not stored with Google.
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
                rendered = media.part(part, generation, drop)
                (inside if _inside(rendered, generation, drop) else beside).append(rendered)
            case StoredFile():
                beside.append(media.stored(part))
            case UnknownPart(kind):
                drop(f"messages.content.{kind}")
            case ToolCall():
                drop("messages.tool_calls")
            case Reasoning():
                pass  # no history has reasoning
    fields: JsonObject = {"response": _response(texts)}
    return Result({**fields, "parts": inside} if inside else fields, tuple(beside))


def _inside(rendered: JsonObject, generation: int, drop: Drop) -> bool:
    """Whether the part may be in a functionResponse, which holds bytes of some types and no other fields."""
    blob = rendered.get("inlineData")
    if generation < 3 or not isinstance(blob, dict) or blob["mimeType"] not in IN_RESPONSE:
        return False
    if rendered.pop("mediaResolution", None):
        drop("messages.content.image_url.detail")
    return True


def _response(texts: list[str]) -> JsonObject:
    """JSON objects and arrays are decoded. All else stays text: 1.10 is as often a version as a number."""
    text = "\n".join(filter(None, texts))
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = loads(text.encode("utf-8", "surrogatepass"))
        except JsonFault:
            return {"result": text}
        return value if isinstance(value, dict) else {"result": value}
    return {"result": text}
