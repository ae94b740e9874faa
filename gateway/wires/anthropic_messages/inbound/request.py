"""Reads and checks a caller's request.

It checks the JSON type of every field that Anthropic documents at the top of a request, and the shape of messages and
tools. So the caller gets errors in the API's own terms for every provider. Fields that are not in the tables pass
unchecked, because the provider may know them.
Source: https://platform.claude.com/docs/en/api/messages/create.
"""

from collections.abc import Iterator
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext, Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.addresses import check_fields, check_url
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.inbound.prompt import read_prompt
from gateway.wires.anthropic_messages.inbound.resume import is_plain
from gateway.wires.field_reader import wrong_type
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

ROLES: Final = ("user", "assistant", "system")
_CONTENT: Final = Kind("a string or an array of content blocks", (str, list))

FIELDS: Final[dict[str, Kind]] = {
    "cache_control": OBJECT,
    "container": STRING_OR_OBJECT,
    "context_management": OBJECT,
    "inference_geo": STRING,
    "max_tokens": INTEGER,
    "mcp_servers": ARRAY,
    "messages": ARRAY,
    "metadata": OBJECT,
    "output_config": OBJECT,
    "service_tier": STRING,
    "speed": STRING,
    "stop_sequences": ARRAY,
    "stream": BOOLEAN,
    "system": _CONTENT,
    "temperature": NUMBER,
    "thinking": OBJECT,
    "thread": OBJECT,
    "tool_choice": OBJECT,
    "tools": ARRAY,
    "top_k": INTEGER,
    "top_p": NUMBER,
}


def parse(body: bytes, context: RequestContext, *, counts: bool = False) -> ChatRequest:
    """Read and check a request body.

    Args:
        body: as it came.
        context: the headers of this wire and the query, which pass on to a provider of this wire.
        counts: the request's tokens are to be counted only, for which it needs no `max_tokens`.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    fields = read_object(body, "`model`, `messages` and `max_tokens`")
    if fields.get("model") is None:
        raise InvalidRequest("model: Field required", param="model")
    model = checked_model(fields["model"])
    check_fields(fields)
    for name in ("messages",) if counts else ("max_tokens", "messages"):
        if fields.get(name) is None:
            raise InvalidRequest(f"{name}: Field required", param=name)
    check_types(fields, FIELDS)
    if isinstance(most := fields.get("max_tokens"), int) and most < 0:
        raise InvalidRequest("max_tokens: Input should be greater than or equal to 0", param="max_tokens")
    _check_messages(fields["messages"])
    _check_content(fields.get("system"), "system")
    _check_tools(fields.get("tools"))
    _check_choice(fields.get("tool_choice"))
    return ChatRequest(
        model=model,
        stream=fields.get("stream") is True,
        wants_usage=True,
        source=Source(WIRE, fields, context.headers, context.query),
        prompt=lambda: read_prompt(fields),
        plain=is_plain(fields),
    )


def _check_messages(messages: JsonValue) -> None:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages: at least one message is required", param="messages")
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        if not isinstance(message, dict):
            raise wrong_type(path, "an object", message)
        if message.get("role") not in ROLES:
            wanted = f"{path}.role: Input should be 'user', 'assistant' or 'system'"
            raise InvalidRequest(wanted, param=f"{path}.role")
        content = message.get("content")
        if content is None:
            raise InvalidRequest(f"{path}.content: Field required", param=f"{path}.content")
        check(content, _CONTENT, f"{path}.content")
        _check_content(content, f"{path}.content")


def _check_content(content: JsonValue, path: str) -> None:
    """Check blocks: each has a type, and no address leads to a file of this machine."""
    for block, place in _objects(content, path):
        if not isinstance(block.get("type"), str):
            raise InvalidRequest(f"{place}.type: Field required", param=f"{place}.type")
        if "source" in block:
            _check_source(block["source"], f"{place}.source")
        if "content" in block:  # the blocks of a tool's result
            _check_content(block["content"], f"{place}.content")


def _check_source(source: JsonValue, path: str) -> None:
    if not isinstance(source, dict):
        return  # the source of a search result is a text
    if isinstance(url := source.get("url"), str):
        check_url(url.strip(), f"{path}.url")
    _check_content(source.get("content"), f"{path}.content")


def _check_tools(tools: JsonValue) -> None:
    for tool, path in _objects(tools, "tools"):
        kind = tool.get("type")
        check(kind, STRING, f"{path}.type")
        if kind not in (None, "custom"):
            continue  # a tool that Anthropic runs or defines
        if not isinstance(name := tool.get("name"), str) or not name:
            raise wrong_type(f"{path}.name", "a string", name)
        if tool.get("input_schema") is None:
            raise InvalidRequest(f"{path}.input_schema: Field required", param=f"{path}.input_schema")
        check(tool["input_schema"], OBJECT, f"{path}.input_schema")


def _check_choice(choice: JsonValue) -> None:
    if not isinstance(choice, dict):
        return
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        wanted = "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"
        raise InvalidRequest(wanted, param="tool_choice.type")
    if choice["type"] == "tool" and not isinstance(choice.get("name"), str):
        raise InvalidRequest("tool_choice.name: Field required", param="tool_choice.name")


def _objects(values: JsonValue, path: str) -> Iterator[tuple[JsonObject, str]]:
    """The objects in an array, with their paths; nothing for a value that is no array."""
    for index, value in enumerate(values if isinstance(values, list) else ()):
        if not isinstance(value, dict):
            raise wrong_type(f"{path}.{index}", "an object", value)
        yield value, f"{path}.{index}"
