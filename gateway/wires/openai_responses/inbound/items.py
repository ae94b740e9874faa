"""Reads the input of a request as the messages of a conversation.

Items are finer than messages: a call is an item, and so is the reasoning before it. Calls that follow each other, and
the reasoning and the text right before them, are one message of the assistant; all outputs of its calls follow it, and
after them what stood between a call and its output. Nothing else changes its place.
Source: https://platform.openai.com/docs/api-reference/responses/create, `input`.
"""

from collections.abc import Mapping
from typing import Final, Literal

from gateway.core.errors import InvalidRequest
from gateway.core.request import Media, Message, Part, Reasoning, Text, ToolCall
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.data_urls import UrlFault, plain_base64
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.openai_responses import ITEM, OWN_REASONING, VENDOR, compaction
from gateway.wires.openai_responses.inbound.pairs import is_call, is_output, pair
from gateway.wires.openai_responses.inbound.parts import read_content
from gateway.wires.openai_responses.tool_table import SEARCH, ToolTable, input_items, is_reference
from gateway.wires.short_ids import short_id
from gateway.wires.untrusted_fields import objects, text

_ROLES: Final[Mapping[str, Literal["system", "user", "assistant"]]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_BOOKKEEPING: Final = ("id", "status", "type", "phase", "created_by", "caller", "execution", "role")
"""Fields of items that say nothing to a model."""


def read_input(request: FieldReader, fields: JsonObject, table: ToolTable) -> tuple[Message, ...]:
    """The conversation.

    Args:
        request: reads the request, which is `fields`.
        fields: the request.
        table: its tools.

    Raises:
        InvalidRequest: naming the field.
    """
    if isinstance(whole := request.raw("input"), str):
        return (Message("user", (Text(whole),)),)
    reader = _Reader(request.objects("input"), input_items(fields), table)
    return tuple(reader.messages())


class _Reader:
    """Reads the items of one request."""

    def __init__(self, readers: list[FieldReader], items: list[JsonObject], table: ToolTable) -> None:
        self._readers = readers
        self._items = items
        self._table = table
        self._outputs = pair(items)
        self._messages: list[Message] = []
        self._parts: list[Part] = []  # of the assistant's message that is being put together
        self._calls: list[int] = []  # the places of its calls

    def messages(self) -> list[Message]:
        for place, item in enumerate(self._items):
            reader = self._readers[place]
            reader.ignore(*_BOOKKEEPING)
            if is_call(item):
                self._parts.append(self._call(reader, item))
                self._calls.append(place)
            elif is_output(item):
                self._end_message()  # the output itself is read after the message of its call
            else:
                self._other(reader, "item_reference" if is_reference(item) else text(item.get("type")) or "message")
        self._end_message()
        return self._messages

    def _other(self, reader: FieldReader, kind: str) -> None:
        match kind:
            case "message":
                self._message(reader)
            case "reasoning":
                self._begin_message()
                self._parts += _reasoning(reader)
            case "additional_tools":
                reader.ignore("tools")  # read with the other tools
            case "item_reference":
                raise _unknown_reference(reader)
            case "compaction":
                self._compaction(reader)
            case compaction.TRIGGER:
                self._end_message()
                self._messages.append(Message("user", (Text(compaction.INSTRUCTION),)))
            case "image_generation_call":
                self._begin_message()
                self._parts += _made_image(reader)
            case _:
                reader.skip(f"input.{printable(kind)}")

    def _message(self, reader: FieldReader) -> None:
        role = _ROLES.get(reader.needed_text("role"))
        if role is None:
            at = reader.at("role")
            raise InvalidRequest(f"{at} must be user, assistant, system or developer.", param=at)
        parts = read_content(reader, "content")
        if role == "assistant":
            self._begin_message()
            self._parts += parts
        else:
            self._end_message()
            self._messages.append(Message(role, tuple(parts)))

    def _begin_message(self) -> None:
        """What comes next belongs to a new message of the assistant, unless only reasoning came so far."""
        if any(not isinstance(part, Reasoning) for part in self._parts):
            self._end_message()

    def _end_message(self) -> None:
        """Add the assistant's message, and the outputs of its calls."""
        if not self._parts:
            return
        self._messages.append(Message("assistant", tuple(self._parts)))
        for place in self._calls:
            self._messages += [self._output(place, output) for output in self._outputs[place]]
        self._parts, self._calls = [], []

    def _call(self, reader: FieldReader, item: JsonObject) -> ToolCall:
        call_id = short_id(reader.needed_text("call_id"))
        if item.get("type") == "tool_search_call":
            return ToolCall(call_id, self._called(item), dumps(reader.raw("arguments") or {}).decode())
        name, namespace = reader.needed_text("name"), reader.text("namespace") or ""
        if item.get("type") == "custom_tool_call":
            return ToolCall(call_id, self._table.flat(namespace, name, "custom"), reader.text("input") or "", "custom")
        value = reader.raw("arguments")
        arguments = dumps(value).decode() if isinstance(value, dict) else reader.text("arguments") or ""
        return ToolCall(call_id, self._table.flat(namespace, name, "function"), arguments)

    def _called(self, item: JsonObject) -> str:
        """The name for providers of the tool that an item calls."""
        namespace, name = text(item.get("namespace")), text(item.get("name"))
        match item.get("type"):
            case "tool_search_call":
                return self._table.flat("", SEARCH, "search")
            case "custom_tool_call":
                return self._table.flat(namespace, name, "custom")
            case _:
                return self._table.flat(namespace, name, "function")

    def _output(self, place: int, output: int) -> Message:
        reader, name = self._readers[output], self._called(self._items[place])
        reader.ignore("name", "namespace")
        if self._items[output].get("type") == "tool_search_output":
            reader.ignore("tools")  # read with the other tools
            parts: list[Part] = [Text(self._found(self._items[output]))]
        else:
            parts = read_content(reader, "output")
        return Message("tool", tuple(parts), call_id=short_id(reader.needed_text("call_id")), name=name)

    def _found(self, item: JsonObject) -> str:
        """What a search has found, by the names by which the model can call it."""
        names = []
        for tool in objects(item.get("tools")):
            namespace = text(tool.get("name")) if tool.get("type") == "namespace" else ""
            for each in objects(tool.get("tools")) if namespace else [tool]:
                kind: Literal["function", "custom"] = "custom" if each.get("type") == "custom" else "function"
                names.append(self._table.flat(namespace, text(each.get("name")), kind))
        return f"Tools found: {', '.join(names)}." if names else "No tools found."

    def _compaction(self, reader: FieldReader) -> None:
        summary = compaction.unpacked(reader.text("encrypted_content") or "")
        if summary is None:
            reader.skip("input.compaction")
            return
        self._end_message()
        self._messages.append(Message("user", (Text(summary),)))


def _reasoning(reader: FieldReader) -> list[Part]:
    """A reasoning item; the item itself goes along for the vendor that made it, which the gateway did not."""
    item: JsonObject = {"type": "reasoning"}
    for name in ("id", "summary", "content", "encrypted_content"):
        value = reader.raw(name)
        if value is not None:
            item[name] = value
    shown = "\n\n".join(filter(None, (text(each.get("text")) for each in objects(item.get("summary")))))
    shown = shown or "".join(text(each.get("text")) for each in objects(item.get("content")))
    own = text(item.get("id")).startswith(OWN_REASONING)
    if own and not shown:
        return []
    return [Reasoning(shown) if own else Reasoning(shown, {VENDOR: {ITEM: item}})]


def _made_image(reader: FieldReader) -> list[Part]:
    """An image that a model made; nothing where it failed."""
    result, format = reader.text("result"), reader.text("output_format") or "png"
    reader.ignore("action", "background", "quality", "revised_prompt", "size")
    if not result:
        return []
    try:
        return [Media("image", f"image/{format}", plain_base64(result))]
    except UrlFault as fault:
        at = reader.at("result")
        raise InvalidRequest(f"{at} {fault}.", param=at) from None


def _unknown_reference(reader: FieldReader) -> InvalidRequest:
    return InvalidRequest(
        "The gateway has no item of this id: it keeps answers in memory, for a day at most and until it is restarted."
        " Send the item itself.",
        param=reader.at("id"),
        code="item_not_found",
    )
