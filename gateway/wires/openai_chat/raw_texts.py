"""A large request read without its long texts, which stay as they were written.

Most of a large request is what its messages say, and between two ends that speak this wire nobody looks at it: taking
the escapes out of it and putting them back costs more than everything else that happens to it. So a message's content
that is a text stays a piece of the body (`msgspec.Raw`) and leaves as it came. Everything else is read as ever.

What is read here is what `strict_json.loads` would read, and wherever that is not certain nothing is (docs/decisions
0015). One thing is not seen: a number out of range in a value that a later one of the same name replaces.
"""

from typing import Final, TypeAlias, cast

import msgspec
from msgspec import Raw

from gateway.core.strict_json import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    JsonFault,
    JsonObject,
    JsonValue,
    fits,
    loads,
)

LARGE: Final = 16_384
"""Bytes from which on it pays."""
SPARSE: Final = 400
"""Bytes a message, on average, below which there is more to take apart than text to leave."""
LONG: Final = 256
"""Bytes of a text that stays as it was written."""

_QUOTE: Final = ord('"')
_Item: TypeAlias = dict[str, Raw] | str | None
_SHAPE: Final = msgspec.json.Decoder(dict[str, bool | int | float | str | list[_Item] | dict[str, Raw] | None])
"""A request's usual shape, two levels deep."""
_TEXT: Final = msgspec.json.Decoder(str)


def read(body: bytes) -> JsonObject | None:
    """A request's fields, a message's long content as it was written; None where it is not certain that this is what
    `loads` gives, or where it would not be cheaper."""
    if not LARGE <= len(body) <= MAX_CONTAINERS:
        return None
    try:
        fields = _SHAPE.decode(body)
        messages = fields.get("messages")
        if not isinstance(messages, list) or len(messages) * SPARSE > len(body):
            return None
        if not body.isascii():
            str(body, "utf-8")  # what is left as it was written is not looked at otherwise
        return {name: _read(value, name == "messages") for name, value in fields.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, JsonFault):
        return None  # it is read whole then, and that tells what is wrong


def opened(fields: JsonObject) -> JsonObject:
    """The fields with nothing left as it was written."""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return fields
    return {**fields, "messages": [_opened(message) for message in messages]}


def _opened(message: JsonValue) -> JsonValue:
    if isinstance(message, dict) and isinstance(content := message.get("content"), Raw):
        return {**message, "content": loads(bytes(content))}
    return message


def _read(value: "bool | int | float | str | list[_Item] | dict[str, Raw] | None", has_content: bool) -> JsonValue:
    if isinstance(value, list):
        return [_item(item, has_content) if isinstance(item, dict) else item for item in value]
    if isinstance(value, dict):
        return {name: loads(bytes(raw), max_depth=MAX_DEPTH - 2) for name, raw in value.items()}
    if type(value) is int and not fits(value):
        raise JsonFault("an integer does not fit into 64 bits")
    return value


def _item(item: dict[str, Raw], has_content: bool) -> JsonObject:
    read: JsonObject = {}
    for name, raw in item.items():
        text = memoryview(raw)
        if text[0] != _QUOTE:
            read[name] = loads(bytes(raw), max_depth=MAX_DEPTH - 3)
        elif has_content and name == "content" and len(text) >= LONG:
            read[name] = cast(JsonValue, raw)
        else:
            read[name] = _TEXT.decode(raw)
    return read
