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
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.addresses import check_fields, check_url
from gateway.wires.field_reader import wrong_type
from gateway.wires.openai_responses import WIRE, compaction
from gateway.wires.openai_responses.inbound.pairs import pair
from gateway.wires.openai_responses.inbound.params import wants_json_or_logprobs
from gateway.wires.openai_responses.inbound.prompt import read_prompt
from gateway.wires.openai_responses.tool_table import input_items, is_reference
from gateway.wires.untrusted_fields import text

MAX_MODEL: Final = 256
EMPTY: Final = Source(WIRE, {})

_Kind = tuple[str, tuple[type, ...]]
_NUMBER: Final = ("a number", (int, float))
_INTEGER: Final = ("an integer", (int,))
_BOOLEAN: Final = ("true or false", (bool,))
_STRING: Final = ("a string", (str,))
_OBJECT: Final = ("an object", (dict,))
_ARRAY: Final = ("an array", (list,))
_NAME_OR_OBJECT: Final = ("a string or an object", (str, dict))
FIELDS: Final[dict[str, _Kind]] = {
    "background": _BOOLEAN,
    "client_metadata": _OBJECT,
    "context_management": ("an array or an object", (list, dict)),
    "conversation": _NAME_OR_OBJECT,
    "include": _ARRAY,
    "input": ("a string or an array of items", (str, list)),
    "instructions": _STRING,
    "max_output_tokens": _INTEGER,
    "max_tool_calls": _INTEGER,
    "metadata": _OBJECT,
    "moderation": _OBJECT,
    "parallel_tool_calls": _BOOLEAN,
    "previous_response_id": _STRING,
    "prompt": _OBJECT,
    "prompt_cache_key": _STRING,
    "prompt_cache_options": _OBJECT,
    "prompt_cache_retention": _STRING,
    "reasoning": _OBJECT,
    "safety_identifier": _STRING,
    "service_tier": _STRING,
    "store": _BOOLEAN,
    "stream": _BOOLEAN,
    "stream_options": _OBJECT,
    "temperature": _NUMBER,
    "text": _OBJECT,
    "tool_choice": _NAME_OR_OBJECT,
    "tools": _ARRAY,
    "top_logprobs": _INTEGER,
    "top_p": _NUMBER,
    "truncation": _STRING,
    "user": _STRING,
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
    fields = _object_of(body)
    _check_fields(fields)
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
        model=str(fields["model"]),
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


def _object_of(body: bytes) -> JsonObject:
    try:
        value = loads(body)
    except JsonFault as fault:
        if not body.strip():
            why = "The request has no body. Send a JSON object with `model` and `input`."
            raise InvalidRequest(why, param="body") from None
        raise InvalidRequest(f"The request body is not acceptable JSON: {fault}", param="body") from None
    if not isinstance(value, dict):
        raise wrong_type("body", "a JSON object", value)
    return value


def _check_fields(fields: JsonObject) -> None:
    model = fields.get("model")
    if not isinstance(model, str) or not model.strip():
        raise wrong_type("model", "a string that names a model", model)
    if not model.isprintable():
        raise InvalidRequest("model has characters that no name of a model has.", param="model")
    if len(model) > MAX_MODEL:
        raise InvalidRequest(f"model must have at most {MAX_MODEL} characters.", param="model")
    check_fields(fields)
    for name, value in fields.items():
        if name in FIELDS and value is not None and type(value) not in FIELDS[name][1]:
            raise wrong_type(name, FIELDS[name][0], value)


def _check_items(fields: JsonObject) -> None:
    items = fields.get("input")
    if items in (None, "", []) and all(fields.get(name) is None for name in _UNRESOLVED):
        raise wrong_type("input", "a string or an array of items", items)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        path = f"input[{index}]"
        if not isinstance(item, dict):
            raise wrong_type(path, "an object", item)
        _check(item, "type", _STRING, f"{path}.type")
        for name in ("content", "output"):
            parts = item.get(name)
            for position, part in enumerate(parts if isinstance(parts, list) else ()):
                _check_part(part, f"{path}.{name}[{position}]")


def _check_part(part: JsonValue, path: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    _check(part, "type", _STRING, f"{path}.type")
    _check(part, "text", _STRING, f"{path}.text")
    if part.get("type") == "input_image":
        _check(part, "image_url", _STRING, f"{path}.image_url")
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
            _check(tool, "parameters", _OBJECT, f"{path}.parameters")


def _check(fields: JsonObject, name: str, kind: _Kind, path: str) -> None:
    value = fields.get(name)
    wanted, types = kind
    if value is not None and type(value) not in types:
        raise wrong_type(path, wanted, value)


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
    if not isinstance(items, list) or not any(is_reference(item) for item in items if isinstance(item, dict)):
        return items
    return [
        store.entry(text(item.get("id")), client) or item if isinstance(item, dict) and is_reference(item) else item
        for item in items
    ]
