"""Reads and checks a caller's request, and completes it from the store.

It checks the JSON type of every field that OpenAI documents, as the inbound half of chat does, and leaves fields and
items that it does not know unchecked: Codex has new ones in every release. A request that builds on an earlier answer
gets the conversation of that answer put before its own input, so every provider sees all of it.
Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import ChatRequest, Prompt
from gateway.core.response_store import ResponseStore
from gateway.core.source import RequestContext, Source, Stored
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.addresses import check_fields, check_url
from gateway.wires.field_reader import wrong_type
from gateway.wires.openai_responses import WIRE, compaction
from gateway.wires.openai_responses.inbound.pairs import pair
from gateway.wires.openai_responses.inbound.params import wants_json_or_logprobs
from gateway.wires.openai_responses.inbound.prompt import read_prompt
from gateway.wires.openai_responses.tool_table import input_items, is_reference
from gateway.wires.request_fields import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    STRING_OR_OBJECT,
    Kind,
    check,
    check_types,
    checked_model,
    read_object,
)
from gateway.wires.untrusted_fields import objects, text

EMPTY: Final = Source(WIRE, {})

FIELDS: Final[dict[str, Kind]] = {
    "background": BOOLEAN,
    "client_metadata": OBJECT,
    "context_management": Kind("an array or an object", (list, dict)),
    "conversation": STRING_OR_OBJECT,
    "include": ARRAY,
    "input": Kind("a string or an array of items", (str, list)),
    "instructions": STRING,
    "max_output_tokens": INTEGER,
    "max_tool_calls": INTEGER,
    "metadata": OBJECT,
    "moderation": OBJECT,
    "parallel_tool_calls": BOOLEAN,
    "previous_response_id": STRING,
    "prompt": OBJECT,
    "prompt_cache_key": STRING,
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": STRING,
    "reasoning": OBJECT,
    "safety_identifier": STRING,
    "service_tier": STRING,
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": NUMBER,
    "text": OBJECT,
    "tool_choice": STRING_OR_OBJECT,
    "tools": ARRAY,
    "top_logprobs": INTEGER,
    "top_p": NUMBER,
    "truncation": STRING,
    "user": STRING,
}
_ADDRESSES: Final = ("image_url", "file_url")
_NAMED_TOOLS: Final = ("function", "custom", "namespace")
_UNRESOLVED: Final = ("conversation", "previous_response_id", "prompt")
"""Where one of these stays, the input is not the whole conversation, and its calls may be elsewhere."""


def parse(body: bytes, context: RequestContext, store: ResponseStore) -> ChatRequest:
    """Read and check a request body.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    fields = read_object(body, "`model` and `input`")
    model = checked_model(fields.get("model"))
    check_fields(fields)
    check_types(fields, FIELDS)
    _check_items(fields)
    _check_tools(fields.get("tools"))
    if fields.get("background"):
        raise InvalidRequest(
            "background is not supported: the gateway cannot be asked for the end of a response later.",
            param="background",
            code="unsupported_parameter",
        )
    fields, stored = _completed(fields, context.client, store)
    if all(fields.get(name) is None for name in _UNRESOLVED):
        pair(input_items(fields))
    source = Source(WIRE, fields, context.headers, context.query, stored)
    return ChatRequest(
        model=model,
        stream=fields.get("stream") is True,
        wants_usage=True,  # this wire has no field for it: every answer carries usage
        source=source,
        prompt=lambda: read_prompt(fields),
        plain=not (wants_json_or_logprobs(fields) or compaction.is_asked(fields)),
        client=context.client,
    )


def whole_input(source: Source) -> list[JsonValue]:
    """The items of a request, those of earlier answers included."""
    value = source.body.get("input")
    return [_as_message(value)] if isinstance(value, str) else value if isinstance(value, list) else []


def no_prompt() -> Prompt:
    """For an error of a request that was not read."""
    return Prompt(messages=())


def _check_items(fields: JsonObject) -> None:
    items = fields.get("input")
    if items in (None, "", []) and all(fields.get(name) is None for name in _UNRESOLVED):
        raise wrong_type("input", "a string or an array of items", items)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        path = f"input[{index}]"
        if not isinstance(item, dict):
            raise wrong_type(path, "an object", item)
        check(item.get("type"), STRING, f"{path}.type")
        for name in ("content", "output"):
            parts = item.get(name)
            for position, part in enumerate(parts if isinstance(parts, list) else ()):
                _check_part(part, f"{path}.{name}[{position}]")


def _check_part(part: JsonValue, path: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    check(part.get("type"), STRING, f"{path}.type")
    check(part.get("text"), STRING, f"{path}.text")
    if part.get("type") == "input_image":
        check(part.get("image_url"), STRING, f"{path}.image_url")
    for name in _ADDRESSES:
        if isinstance(url := part.get(name), str):
            check_url(url.strip(), f"{path}.{name}")


def _check_tools(tools: JsonValue) -> None:
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        path = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(path, "an object", tool)
        kind = tool.get("type")
        if not isinstance(kind, str):
            raise wrong_type(f"{path}.type", 'a string, such as "function"', kind)
        if kind in _NAMED_TOOLS and not (isinstance(tool.get("name"), str) and tool["name"]):
            raise wrong_type(f"{path}.name", "a string", tool.get("name"))
        if kind == "function":
            check(tool.get("parameters"), OBJECT, f"{path}.parameters")


def _completed(fields: JsonObject, client: str, store: ResponseStore) -> tuple[JsonObject, Stored | None]:
    """The request with what the store has of the answers and items that it names. What it does not have stays, because
    a provider of this wire may have it."""
    items = _with_references(fields.get("input"), client, store)
    stored = None
    previous = fields.get("previous_response_id")
    if isinstance(previous, str) and (before := store.conversation(previous, client)):
        stored = Stored(previous, before.provider, len(before.entries))
        items = [*before.entries, *whole_input(Source(WIRE, {"input": items}))]
        fields = {name: value for name, value in fields.items() if name != "previous_response_id"}
    return ({**fields, "input": items} if items is not fields.get("input") else fields), stored


def _as_message(text: str) -> JsonValue:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _with_references(items: JsonValue, client: str, store: ResponseStore) -> JsonValue:
    """The items, each reference to a stored one replaced by it."""
    references = [text(item.get("id")) for item in objects(items) if is_reference(item)]
    if not isinstance(items, list) or not references:
        return items
    found = store.entries(references, client)
    return [
        found.get(text(item.get("id")), item) if isinstance(item, dict) and is_reference(item) else item
        for item in items
    ]
