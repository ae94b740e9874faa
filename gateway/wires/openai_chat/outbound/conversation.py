"""Renders a conversation from neutral form.

An assistant's texts are joined and its calls follow, because this wire has no order within a message. The results of
calls stand directly behind them, in their order; servers of this wire refuse a call without a result. A tool message
holds text only, so media of a result follow the last result of the turn as the user's.
Source: https://platform.openai.com/docs/api-reference/chat/create, `messages`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires import custom_tools
from gateway.wires.openai_chat import VENDOR
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.short_ids import short_id
from gateway.wires.tool_names import ToolNames
from gateway.wires.tool_results import NO_RESULT, ToolResult, pair

FAILED: Final = "Error: "
"""Before the text of a call that failed, which this wire has no field for."""
ATTACHED: Final = "(attached below)"
"""The text of a result that is media only."""
_AUDIO: Final = "audio/"


class Setting(Struct, frozen=True):
    """What rendering needs to know of one request.

    Attributes:
        names: the tool names as they are sent.
        dialect: what the server takes.
        drop: is called with the name of each field that is left out.
    """

    names: ToolNames
    dialect: Dialect
    drop: Callable[[str], object]


def render(messages: Sequence[Message], setting: Setting) -> list[JsonValue]:
    """The `messages` of a request.

    Raises:
        InvalidRequest: a tool message answers no call.
        UnsupportedByTarget: a file is stored with another vendor.
    """
    results = pair(messages)
    rendered: list[JsonValue] = []
    for index, message in enumerate(messages):
        if message.role == "tool":
            continue  # stands behind its call
        if message.role == "assistant":
            answered = [
                (part, results.get((index, position)))
                for position, part in enumerate(message.parts)
                if isinstance(part, ToolCall)
            ]
            rendered += _assistant(message, setting)
            rendered += _results(answered, setting)
        else:
            rendered += _said(message, setting)
    return rendered or [{"role": "user", "content": ""}]


def _said(message: Message, setting: Setting) -> Iterator[JsonObject]:
    """A message of the system or the user; none where nothing is left of it."""
    content = _content(message.parts, setting, media=message.role == "user")
    if content:
        name: JsonObject = {"name": message.name} if message.name else {}
        yield {"role": message.role, "content": content, **name}


def _assistant(message: Message, setting: Setting) -> Iterator[JsonObject]:
    texts = [part.text for part in message.parts if isinstance(part, Text) and part.text]
    refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
    calls: list[JsonValue] = [_call(part, setting) for part in message.parts if isinstance(part, ToolCall)]
    for part in message.parts:
        if isinstance(part, Media | UnknownPart):
            setting.drop(f"messages.content.{part.kind}")
    body: JsonObject = {"role": "assistant", "content": "".join(texts) or None}
    if refusals:
        body["refusal"] = "".join(refusals)
    if calls:
        body["tool_calls"] = calls
    reasoning = "".join(part.text for part in message.parts if isinstance(part, Reasoning) and not part.extra)
    if reasoning and "reasoning_content" in setting.dialect.fields:
        body["reasoning_content"] = reasoning
    if texts or refusals or calls:
        yield body


def _call(call: ToolCall, setting: Setting) -> JsonObject:
    name, id = setting.names.sent(call.name), _id(call)
    if call.kind == "custom" and setting.dialect.custom_tools:
        return {"id": id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
    arguments = custom_tools.wrapped(call) if call.kind == "custom" else call.arguments or "{}"
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _id(call: ToolCall) -> str:
    """The call's id; where the conversation has none, as in legacy histories, one by its name."""
    return short_id(call.id or f"call_{call.name}")


def _results(answered: Iterable[tuple[ToolCall, ToolResult | None]], setting: Setting) -> Iterator[JsonObject]:
    """The tool messages, and behind the last the media that they cannot hold."""
    beside: list[JsonValue] = []
    for call, result in answered:
        texts = _texts(result.parts) if result else NO_RESULT
        media = _media(result.parts, setting) if result else []
        if media:
            beside += [{"type": "text", "text": f"Attached to the result of {call.name} ({_id(call)}):"}, *media]
        if result is None or (result.failed and not texts.startswith(FAILED)):
            texts = FAILED + texts
        yield {"role": "tool", "tool_call_id": _id(call), "content": texts or (ATTACHED if media else "")}
    if beside:
        yield {"role": "user", "content": beside}


def _texts(parts: Iterable[Part]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, Text | Refusal) and part.text)


def _media(parts: Iterable[Part], setting: Setting) -> list[JsonValue]:
    found: list[JsonValue] = []
    for part in parts:
        if isinstance(part, Media | StoredFile):
            found.append(_part(part))
        elif isinstance(part, UnknownPart):
            setting.drop(f"messages.content.{part.kind}")
    return found


def _content(parts: Sequence[Part], setting: Setting, *, media: bool) -> str | list[JsonValue]:
    """A text, or a list of parts where there is more than text."""
    found: list[JsonValue] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text):
                if text:
                    found.append({"type": "text", "text": text})
            case Media() if not media:
                setting.drop(f"messages.content.{part.kind}")
            case Media() | StoredFile():
                found.append(_part(part))
            case UnknownPart(kind):
                setting.drop(f"messages.content.{kind}")
            case Reasoning() | ToolCall():
                pass  # only an assistant has these
    if all(isinstance(one, dict) and one["type"] == "text" for one in found):
        return "\n\n".join(str(one["text"]) for one in found if isinstance(one, dict))
    return found


def _part(part: Media | StoredFile) -> JsonObject:
    """An image, a sound or a file of the user."""
    if isinstance(part, StoredFile):
        if part.vendor != VENDOR:
            raise UnsupportedByTarget(
                "A file that is stored with another vendor cannot be read here.", param="messages"
            )
        return {"type": "file", "file": {"file_id": part.id}}
    if part.kind == "image":
        url: JsonObject = {"url": part.uri or f"data:{part.mime_type or 'image/png'};base64,{part.data}"}
        return {"type": "image_url", "image_url": {**url, "detail": part.detail} if part.detail else url}
    if part.kind == "video":  # vLLM's and OpenRouter's part
        return {"type": "video_url", "video_url": {"url": part.uri or f"data:{part.mime_type};base64,{part.data}"}}
    if part.uri:
        raise UnsupportedByTarget(f"This provider reads no {part.kind} by its address.", param="messages")
    if part.kind == "audio":
        format = part.mime_type.removeprefix(_AUDIO).removeprefix("x-")
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": format or "wav"}}
    data = f"data:{part.mime_type or 'application/octet-stream'};base64,{part.data}"
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": data}}
