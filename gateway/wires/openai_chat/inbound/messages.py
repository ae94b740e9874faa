"""Reads the messages of a request in neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create, `messages`. Beyond OpenAI's fields it reads
`reasoning_content` (the name that servers of reasoning models use), `extra_content` (Google's field for thought
signatures), and the `images` that models make, which clients send back with the history.
"""

from collections.abc import Mapping
from typing import Final, Literal

from gateway.core.errors import InvalidRequest
from gateway.core.request import Message, Part, Reasoning, Refusal, ToolCall, UnknownPart
from gateway.core.strict_json import dumps
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.openai_chat.inbound.parts import cache_mark, read_content, read_image

_ROLES: Final[Mapping[str, Literal["system", "user", "assistant", "tool"]]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def read_message(message: FieldReader) -> Message:
    """Read one message.

    Raises:
        InvalidRequest: naming the field.
    """
    role = _ROLES.get(message.needed_text("role"))
    if role is None:
        raise InvalidRequest(
            f"{message.at('role')} must be system, developer, user, assistant, tool or function.",
            param=message.at("role"),
        )
    return Message(
        role,
        tuple(_assistant(message) if role == "assistant" else read_content(message)),
        call_id=message.text("tool_call_id") or "" if role == "tool" else "",
        name=message.text("name") or None,
        extra={**(message.json("extra_content") or {}), **cache_mark(message)},
    )


def _assistant(message: FieldReader) -> list[Part]:
    """The parts of an assistant's message: reasoning, content, refusal, images and tool calls, in this order."""
    parts: list[Part] = []
    if reasoning := message.text("reasoning_content"):
        parts.append(Reasoning(reasoning))
    parts += read_content(message, needed=False)
    if (refusal := message.text("refusal")) and Refusal(refusal) not in parts:
        parts.append(Refusal(refusal))
    for picture in message.objects("images"):
        picture.ignore("type", "index")
        parts.append(read_image(picture))
    if message.json("audio"):
        parts.append(UnknownPart("audio"))  # a reference to sound that only its provider has
    parts += [_call(call) for call in message.objects("tool_calls")]
    if legacy := message.object("function_call"):
        parts.append(ToolCall("", legacy.needed_text("name"), _arguments(legacy)))
    return parts


def _call(call: FieldReader) -> ToolCall | UnknownPart:
    kind = call.text("type") or ("custom" if call.raw("custom") else "function")
    call.ignore("index")  # clients that assemble a call from a stream keep this field
    if kind == "function":
        called = call.needed_object("function")
        return ToolCall(
            call.text("id") or "",
            called.needed_text("name"),
            _arguments(called),
            extra=call.json("extra_content") or {},
        )
    if kind == "custom":
        called = call.needed_object("custom")
        return ToolCall(
            call.text("id") or "",
            called.needed_text("name"),
            called.text("input") or "",
            "custom",
            call.json("extra_content") or {},
        )
    call.skip()
    return UnknownPart(printable(kind))


def _arguments(called: FieldReader) -> str:
    """The arguments as a text that holds JSON; some clients send the JSON itself."""
    value = called.raw("arguments")
    return dumps(value).decode() if isinstance(value, dict) else called.text("arguments") or ""
