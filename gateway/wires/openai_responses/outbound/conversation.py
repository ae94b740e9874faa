"""Renders a conversation from neutral form as items.

A message's parts become items in their order: content parts that stand together are one message, each call is an item,
and so is reasoning that the vendor itself has made. The results of calls follow the calls.
Source: https://platform.openai.com/docs/api-reference/responses/create, `input`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_responses import ITEM, OWN_REASONING, VENDOR
from gateway.wires.openai_responses.outbound.kept_reasoning import kept
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.short_ids import short_id
from gateway.wires.tool_names import ToolNames
from gateway.wires.tool_results import NO_RESULT, ToolResult, pair
from gateway.wires.untrusted_fields import an_object, text

FAILED: Final = "Error: "
"""Before the text of a call that failed, which this wire has no field for."""
LONGEST_ID: Final = 64


class Setting(Struct, frozen=True):
    """What rendering needs to know of one request.

    Attributes:
        names: the tool names as they are sent.
        memory: reasoning before calls.
        drop: is called with the name of each field that is left out.
    """

    names: ToolNames
    memory: ReasoningMemory
    drop: Callable[[str], object]


def render(messages: Sequence[Message], setting: Setting) -> list[JsonValue]:
    """The `input` of a request.

    Raises:
        InvalidRequest: a tool message answers no call.
        UnsupportedByTarget: a file is stored with another vendor, or a part is sound.
    """
    results = pair(messages)
    items: list[JsonValue] = []
    for index, message in enumerate(messages):
        if message.role == "tool":
            continue  # stands behind its call
        if message.role != "assistant":
            items += _said(message, setting)
            continue
        outputs = {
            position: _output(part, results.get((index, position)), setting)
            for position, part in enumerate(message.parts)
            if isinstance(part, ToolCall)
        }
        items += _assistant(message, outputs, setting)
    return items or [_message("user", [{"type": "input_text", "text": ""}])]


def _said(message: Message, setting: Setting) -> Iterator[JsonObject]:
    """A message of the system or the user; none where nothing is left of it."""
    if message.name is not None:
        setting.drop("messages.name")
    parts: list[JsonValue] = [rendered for part in message.parts if (rendered := _input(part, setting))]
    if parts:
        yield _message("developer" if message.role == "system" else message.role, parts)


def _assistant(message: Message, outputs: Mapping[int, JsonObject], setting: Setting) -> Iterator[JsonObject]:
    """The items of an assistant's message. Calls in a row are followed by their outputs, before anything else is said.
    A text is a bare one: the schema takes parts of it only with an id of the vendor's."""
    said: list[str] = []
    answers: list[JsonObject] = []
    reasons = any(isinstance(part, Reasoning) and _item(part) for part in message.parts)
    for position, part in enumerate(message.parts):
        if isinstance(part, Text | Refusal):
            said.append(part.text)
            continue
        if any(said) or isinstance(part, Reasoning):
            yield from answers
            answers = []
        if any(said):
            yield _message("assistant", "".join(said))
            said = []
        yield from _apart(part, setting, remembers=not reasons)
        if position in outputs:
            answers.append(outputs[position])
    yield from answers
    if any(said):
        yield _message("assistant", "".join(said))


def _apart(part: Part, setting: Setting, *, remembers: bool) -> Iterator[JsonObject]:
    """The items of a part that is no text. `remembers`: whether reasoning before a call comes from memory."""
    match part:
        case ToolCall():
            yield from kept(setting.memory, part.id) if remembers else ()
            yield _call(part, setting)
        case Reasoning():
            yield from filter(None, [_item(part)])
        case Media() | StoredFile():
            setting.drop("messages.content.image_url")
        case UnknownPart(kind):
            setting.drop(f"messages.content.{kind}")


def _message(role: str, content: JsonValue) -> JsonObject:
    return {"type": "message", "role": role, "content": content}


def _item(part: Reasoning) -> JsonObject | None:
    """The reasoning item of the vendor; None for reasoning of any other origin, which no server takes."""
    item = an_object(an_object(part.extra.get(VENDOR)).get(ITEM))
    return item if item and not text(item.get("id")).startswith(OWN_REASONING) else None


def _call(call: ToolCall, setting: Setting) -> JsonObject:
    named: JsonObject = {"call_id": _id(call), "name": setting.names.sent(call.name)}
    if call.kind == "custom":
        return {"type": "custom_tool_call", **named, "input": call.arguments}
    return {"type": "function_call", **named, "arguments": call.arguments or "{}"}


def _id(call: ToolCall) -> str:
    """The call's id; where the conversation has none, as in legacy histories, one by its name."""
    return short_id(call.id or f"call_{call.name}", LONGEST_ID)


def _output(call: ToolCall, result: ToolResult | None, setting: Setting) -> JsonObject:
    kind = "custom_tool_call_output" if call.kind == "custom" else "function_call_output"
    found = result or ToolResult([Text(NO_RESULT)], failed=True)
    texts = "\n".join(part.text for part in found.parts if isinstance(part, Text | Refusal) and part.text)
    if found.failed and not texts.startswith(FAILED):
        texts = FAILED + texts
    media = [_input(part, setting) for part in found.parts if not isinstance(part, Text | Refusal)]
    beside: list[JsonValue] = [part for part in media if part]
    if not beside:
        return {"type": kind, "call_id": _id(call), "output": texts}
    words: list[JsonValue] = [{"type": "input_text", "text": texts}] if texts else []
    return {"type": kind, "call_id": _id(call), "output": [*words, *beside]}


def _input(part: Part, setting: Setting) -> JsonObject | None:
    """A part of the user's, the system's or a tool's; None where this wire has none for it."""
    match part:
        case Text(text) | Refusal(text):
            return {"type": "input_text", "text": text} if text else None
        case Media():
            return _media(part)
        case StoredFile(id, vendor):
            if vendor != VENDOR:
                raise UnsupportedByTarget(
                    "A file that is stored with another vendor cannot be read here.", param="messages"
                )
            return {"type": "input_file", "file_id": id}
        case UnknownPart(kind):
            setting.drop(f"messages.content.{kind}")
    return None


def _media(part: Media) -> JsonObject:
    if part.kind == "image":
        url = part.uri or f"data:{part.mime_type or 'image/png'};base64,{part.data}"
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if part.kind == "audio":  # the schema has no sound (2.3.0, 2026-08)
        raise UnsupportedByTarget("This provider reads no sound.", param="messages")
    named: JsonObject = {"filename": part.name} if part.name else {}
    if part.uri:
        return {"type": "input_file", "file_url": part.uri, **named}
    data = f"data:{part.mime_type or 'application/octet-stream'};base64,{part.data}"
    return {"type": "input_file", "filename": part.name or "file", "file_data": data}
