"""Reads and checks a caller's chat request.

It checks the JSON type of every field that OpenAI documents. So the caller gets errors in the API's own terms for every
provider. Fields that are not in the tables pass unchecked, because the provider may know them. `addresses.py` checks
fields that name a server, a key or an address.
Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from typing import Final

from msgspec import Raw

from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.addresses import check_fields
from gateway.wires.field_reader import wrong_type
from gateway.wires.openai_chat import WIRE, raw_texts
from gateway.wires.openai_chat.inbound.addresses import check_media
from gateway.wires.openai_chat.inbound.prompt import read_prompt
from gateway.wires.openai_chat.inbound.resume import is_plain
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

FIELDS: Final[dict[str, Kind]] = {
    "audio": OBJECT,
    "frequency_penalty": NUMBER,
    "function_call": STRING_OR_OBJECT,
    "functions": ARRAY,
    "logit_bias": OBJECT,
    "logprobs": Kind("true or false", (bool, int)),  # Together takes a number
    "max_completion_tokens": INTEGER,
    "max_tokens": INTEGER,
    "metadata": OBJECT,
    "modalities": ARRAY,
    "moderation": OBJECT,
    "n": INTEGER,
    "parallel_tool_calls": BOOLEAN,
    "prediction": OBJECT,
    "presence_penalty": NUMBER,
    "prompt_cache_key": STRING,
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": STRING,
    "reasoning_effort": STRING,
    "response_format": OBJECT,
    "safety_identifier": STRING,
    "seed": INTEGER,
    "service_tier": STRING,
    "stop": Kind("a string or an array of strings", (str, list)),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": NUMBER,
    "tool_choice": STRING_OR_OBJECT,
    "tools": ARRAY,
    "top_logprobs": INTEGER,
    "top_p": NUMBER,
    "user": STRING,
    "verbosity": STRING,
    "web_search_options": OBJECT,
}
_MESSAGE_FIELDS: Final[dict[str, Kind]] = {
    "content": Kind("a string or an array of content parts", (str, list, Raw)),
    "name": STRING,
    "tool_call_id": STRING,
    "tool_calls": ARRAY,
    "refusal": STRING,
}
_LISTS: Final = ("content", "tool_calls")
_PLAIN: Final = frozenset({"role", "content"})
_PLAIN_ROLES: Final = ("user", "assistant", "system", "developer")
"""Who says a text and nothing else: most messages, which need no further check."""
_CONTENT_REQUIRED: Final = frozenset({"system", "developer", "user", "tool"})


def parse(body: bytes) -> ChatRequest:
    """Read and check a request body.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    fields = raw_texts.read(body)
    if fields is None:
        fields = read_object(body, "`model` and `messages`")
    model = checked_model(fields.get("model"))
    check_fields(fields)
    check_types(fields, FIELDS)
    _check_messages(fields.get("messages"))
    _check_tools(fields.get("tools"))
    options = fields.get("stream_options")
    include_usage = options.get("include_usage") if isinstance(options, dict) else None
    if include_usage is not None and not isinstance(include_usage, bool):
        raise wrong_type("stream_options.include_usage", "true or false", include_usage)
    choices = fields.get("n")
    return ChatRequest(
        model=model,
        stream=fields.get("stream") is True,
        wants_usage=include_usage is True,
        source=Source(WIRE, fields),
        prompt=lambda: read_prompt(raw_texts.decoded(fields)),
        choices=choices if isinstance(choices, int) else 1,
        plain=is_plain(fields),
    )


def _check_messages(messages: JsonValue) -> None:
    if not isinstance(messages, list) or not messages:
        raise wrong_type("messages", "an array with at least one message", messages)
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong_type(f"messages[{index}]", "an object", message)
        if message.keys() != _PLAIN or type(message["content"]) is not str or message["role"] not in _PLAIN_ROLES:
            _check_message(message, f"messages[{index}]")


def _check_message(message: JsonObject, path: str) -> None:
    role = message.get("role")
    if not isinstance(role, str) or not role:
        raise wrong_type(f"{path}.role", "a string (system, developer, user, assistant or tool)", role)
    check_types(message, _MESSAGE_FIELDS, f"{path}.")
    if role in _CONTENT_REQUIRED and message.get("content") is None:
        wanted = f"a string or an array of content parts for the role {role}"
        raise wrong_type(f"{path}.content", wanted, None)
    if role == "tool" and message.get("tool_call_id") is None:
        wanted = "the id of the tool call that this message answers"
        raise wrong_type(f"{path}.tool_call_id", wanted, None)
    for name in _LISTS:
        if name in message and isinstance(parts := message[name], list):
            _check_parts(parts, f"{path}.{name}")


def _check_tools(tools: JsonValue) -> None:
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        path = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(path, "an object", tool)
        kind = tool.get("type")
        if not isinstance(kind, str):
            raise wrong_type(f"{path}.type", 'a string, such as "function"', kind)
        if kind != "function":
            continue
        function = tool.get("function")
        if not isinstance(function, dict):
            raise wrong_type(f"{path}.function", "an object", function)
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise wrong_type(f"{path}.function.name", "a string", function.get("name"))
        check(function.get("parameters"), OBJECT, f"{path}.function.parameters")


def _check_parts(parts: list[JsonValue], path: str) -> None:
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            raise wrong_type(f"{path}[{index}]", "an object", part)
        check(part.get("type"), STRING, f"{path}[{index}].type")
        check_media(part, f"{path}[{index}]")
