"""Renders the parts of messages, tool calls and their results as content blocks.

Source: https://platform.claude.com/docs/en/api/messages/create, `messages` (2026-11).
"""

from typing import Final

from msgspec import Struct

from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.anthropic_messages import VENDOR
from gateway.wires.anthropic_messages.outbound import cache_marks, media, own_reasoning
from gateway.wires.anthropic_messages.outbound.models import Traits
from gateway.wires.custom_tools import INPUT
from gateway.wires.dropped import Drop
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.short_ids import short_id
from gateway.wires.tool_names import ToolNames
from gateway.wires.tool_results import NO_RESULT, ToolResult

LONGEST_ID: Final = 64
"""Characters of a tool call's id."""
THINKING: Final = "messages.reasoning_content"
"""OpenAI chat's name for the thinking in a conversation."""
_ARGUMENTS: Final = "arguments"
"""The key of arguments that are no JSON object, which `input` must be."""
_NOT_WITHOUT: Final = frozenset({"video_url", "audio_url", "input_image", "input_text", "input_file", "input_video"})
"""Kinds of parts without which a question is another question: text and media in other APIs' notation."""


class CallIds:
    """The ids of one request's calls as they are sent: legal, and each only once. Some servers count from 0 in every
    turn, so ids repeat in real conversations."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def next(self, id: str) -> str:
        """The id for the next call."""
        legal = short_id(id, LONGEST_ID) or f"call_{len(self._taken)}"
        found, further = legal, 1
        while found in self._taken:
            further += 1
            found = f"{legal[: LONGEST_ID - 8]}_{further}"
        self._taken.add(found)
        return found


class Setting(Struct, frozen=True):
    """What rendering needs to know of one request.

    Attributes:
        traits: the model's.
        names: the tool names as they are sent.
        memory: the reasoning of calls that clients may not send back.
        drop: is called with the name of each dropped field.
        thinks: whether the request thinks.
        ids: the ids of its calls.
        returns_thinking: whether the thinking in the conversation goes back; false where the target has refused it.
    """

    traits: Traits
    names: ToolNames
    memory: ReasoningMemory
    drop: Drop
    thinks: bool
    ids: CallIds
    returns_thinking: bool = True

    def returned(self, thinking: list[JsonObject]) -> list[JsonObject]:
        """The thinking blocks that go back: all of them, or none."""
        if thinking and not self.returns_thinking:
            self.drop(THINKING)
            return []
        return thinking


def user(message: Message, setting: Setting) -> list[JsonObject]:
    """The blocks of a user's message."""
    return marked([block for part in message.parts for block in _content(part, setting)], message)


def system(message: Message, setting: Setting) -> list[JsonObject]:
    """The blocks of a system message, which has only text."""
    texts: list[JsonObject] = []
    for part in message.parts:
        match part:
            case Text() | Refusal():
                texts += _text(part)
            case Media():
                setting.drop(media.field(part))
            case StoredFile():
                setting.drop("messages.content.file")
            case UnknownPart() | ToolCall():
                _leave_out(part, setting.drop)
            case Reasoning():
                pass  # only an assistant's message has reasoning
    return marked(texts, message)


def call(part: ToolCall, id: str, setting: Setting) -> JsonObject:
    """The block of a tool call."""
    return {"type": "tool_use", "id": id, "name": setting.names.sent(part.name), "input": _input(part)}


def result(found: ToolResult | None, id: str, setting: Setting) -> JsonObject:
    """The block of a call's result; None as `found` stands for a call that the conversation has no result of."""
    head: JsonObject = {"type": "tool_result", "tool_use_id": id}
    if found is None:
        return {**head, "content": NO_RESULT, "is_error": True}
    blocks: list[JsonValue] = [block for part in found.parts for block in _content(part, setting)]
    content: JsonObject = {"content": blocks} if blocks else {}
    return {**head, **content, **({"is_error": True} if found.failed else {})}


def assistants(part: Part, setting: Setting) -> list[JsonObject]:
    """The blocks of a part of an assistant's message, but for calls and media."""
    if isinstance(part, Reasoning):
        block = own_reasoning.of_part(part)
        return setting.returned([block]) if block else []  # other reasoning is another vendor's, or has no signature
    return _content(part, setting)


def marked(blocks: list[JsonObject], message: Message) -> list[JsonObject]:
    """The blocks, the last one with the message's own cache mark."""
    if blocks and (mark := cache_marks.mark(message.extra)):
        blocks[-1] = {**blocks[-1], **mark}
    return blocks


def _content(part: Part, setting: Setting) -> list[JsonObject]:
    match part:
        case Text() | Refusal():
            return _text(part)
        case Media():
            return [media.block(part, setting.drop)]
        case StoredFile(id, vendor):
            if vendor != VENDOR:
                raise UnsupportedByTarget(
                    "The request names a stored file, and Anthropic has only files stored with Anthropic.",
                    param="messages",
                )
            return [{"type": "document", "source": {"type": "file", "file_id": id}}]
        case UnknownPart(kind, place) if place or kind in _NOT_WITHOUT:
            raise UnsupportedByTarget(f"Anthropic's API has no {kind} in a message.", param=place or "messages")
        case UnknownPart() | ToolCall():
            _leave_out(part, setting.drop)
            return []
        case Reasoning():
            return []  # only an assistant's message has reasoning


def _text(part: Text | Refusal) -> list[JsonObject]:
    """A text block; none for a blank text, which the API refuses."""
    if not part.text.strip():
        return []
    return [{"type": "text", "text": part.text, **cache_marks.mark(part.extra if isinstance(part, Text) else {})}]


def _leave_out(part: UnknownPart | ToolCall, drop: Drop) -> None:
    drop("messages.tool_calls" if isinstance(part, ToolCall) else f"messages.content.{part.kind}")


def _input(part: ToolCall) -> JsonObject:
    """The arguments as an object; any other value becomes an object that holds its text."""
    if part.kind == "custom":
        return {INPUT: part.arguments}
    if not part.arguments.strip():
        return {}
    try:
        value = loads(part.arguments.encode("utf-8", "surrogatepass"))
    except JsonFault:
        return {_ARGUMENTS: part.arguments}
    return value if isinstance(value, dict) else {_ARGUMENTS: part.arguments}
