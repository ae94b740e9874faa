"""The messages of a request in our words.

Source: https://platform.openai.com/docs/api-reference/chat/create, `messages`. Beyond it: `reasoning_content` (what
reasoning models' servers call it), `extra_content` (Google's place for thought signatures), and the `images` that
models make, which come back with the history.
"""

from collections.abc import Mapping
from typing import Final, Literal

from gateway.core.errors import InvalidRequest
from gateway.core.request import Message, Part, Reasoning, Refusal, ToolCall, UnknownPart
from gateway.core.strict_json import dumps
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.openai_chat.inbound.parts import read_content, read_image

_ROLES: Final[Mapping[str, Literal["system", "user", "assistant", "tool"]]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def read_message(said: FieldReader) -> Message:
    """One message.

    Raises:
        InvalidRequest: naming the field.
    """
    role = _ROLES.get(said.needed_text("role"))
    if role is None:
        raise InvalidRequest(
            f"{said.at('role')} must be system, developer, user, assistant, tool or function.",
            param=said.at("role"),
        )
    return Message(
        role,
        tuple(_assistant(said) if role == "assistant" else read_content(said)),
        call_id=said.text("tool_call_id") or "" if role == "tool" else "",
        name=said.text("name") or None,
        extra=said.json("extra_content") or {},
    )


def _assistant(said: FieldReader) -> list[Part]:
    """What was thought, what was said, what was called, in this order."""
    parts: list[Part] = []
    if thought := said.text("reasoning_content"):
        parts.append(Reasoning(thought))
    parts += read_content(said)
    if (refusal := said.text("refusal")) and Refusal(refusal) not in parts:
        parts.append(Refusal(refusal))
    for picture in said.objects("images"):
        picture.ignore("type", "index")
        parts.append(read_image(picture))
    if said.json("audio"):
        parts.append(UnknownPart("audio"))  # only the one that spoke it knows what was said
    parts += [_call(call) for call in said.objects("tool_calls")]
    if legacy := said.object("function_call"):
        parts.append(ToolCall("", legacy.needed_text("name"), _arguments(legacy)))
    return parts


def _call(call: FieldReader) -> ToolCall | UnknownPart:
    kind = call.text("type") or ("custom" if call.raw("custom") else "function")
    call.ignore("index")  # clients that put a call together from a stream keep it
    if kind == "function":
        of = call.needed_object("function")
        return ToolCall(
            call.text("id") or "",
            of.needed_text("name"),
            _arguments(of),
            extra=call.json("extra_content") or {},
        )
    if kind == "custom":
        of = call.needed_object("custom")
        return ToolCall(
            call.text("id") or "",
            of.needed_text("name"),
            of.text("input") or "",
            "custom",
            call.json("extra_content") or {},
        )
    call.skip()
    return UnknownPart(printable(kind))


def _arguments(of: FieldReader) -> str:
    """A text that holds JSON; some clients send the JSON itself."""
    value = of.raw("arguments")
    return dumps(value).decode() if isinstance(value, dict) else of.text("arguments") or ""
