"""Raw texts: reads a large request and leaves the long texts of its messages undecoded.

Most of a large request is the text of its messages. Where both ends speak this wire, no code reads that text, and
decoding and encoding its escapes costs more than the rest of the request's work. So a long text in a message's content
stays a piece of the body (`msgspec.Raw`) and is sent as it was received. All other values are decoded.

The result equals that of `strict_json.loads`. Where that is not certain, the request is read whole instead
(docs/decisions 0015). One fault stays undetected: a number out of range in a value that a later one of the same name
replaces.
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
"""Bytes of a request from which this is faster."""
SPARSE: Final = 400
"""Average bytes of a message below which reading the request whole is faster."""
LONG: Final = 256
"""Bytes from which a text stays undecoded."""

_QUOTE: Final = ord('"')
_Item: TypeAlias = dict[str, Raw] | str | None
_SHAPE: Final = msgspec.json.Decoder(dict[str, bool | int | float | str | list[_Item] | dict[str, Raw] | None])
"""The usual shape of a request, two levels deep."""
_TEXT: Final = msgspec.json.Decoder(str)


def read(body: bytes) -> JsonObject | None:
    """The fields of a request, with the long contents of messages undecoded. None where this might differ from `loads`,
    or would not be faster."""
    if not LARGE <= len(body) <= MAX_CONTAINERS:
        return None
    try:
        fields = _SHAPE.decode(body)
        messages = fields.get("messages")
        if not isinstance(messages, list) or len(messages) * SPARSE > len(body):
            return None
        if not body.isascii():
            str(body, "utf-8")  # undecoded texts get no other check
        return {name: _read(value, name == "messages") for name, value in fields.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, JsonFault):
        return None  # the request is then read whole, which names the fault


def decoded(fields: JsonObject) -> JsonObject:
    """The fields with all texts decoded."""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return fields
    return {**fields, "messages": [_decoded(message) for message in messages]}


def _decoded(message: JsonValue) -> JsonValue:
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
