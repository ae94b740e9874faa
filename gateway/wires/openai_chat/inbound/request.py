"""Reads and checks a caller's chat request.

It checks the JSON type of every field that OpenAI documents. So the caller gets errors in the API's own terms for every
provider. Fields that are not in the tables pass unchecked, because the provider may know them. `addresses.py` checks
fields that name a server, a key or an address.
Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from typing import Final

from msgspec import Raw

from gateway.core.errors import InvalidRequest
from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.addresses import check_fields
from gateway.wires.field_reader import wrong_type
from gateway.wires.openai_chat import WIRE, raw_texts
from gateway.wires.openai_chat.inbound.addresses import check_media
from gateway.wires.openai_chat.inbound.prompt import read_prompt
from gateway.wires.openai_chat.inbound.resume import is_plain

MAX_MODEL: Final = 256

_NUMBER: Final = ("a number", (int, float))
_INTEGER: Final = ("an integer", (int,))
_BOOLEAN: Final = ("true or false", (bool,))
_STRING: Final = ("a string", (str,))
_OBJECT: Final = ("an object", (dict,))
_ARRAY: Final = ("an array", (list,))
_STRINGS: Final = ("a string or an array of strings", (str, list))
_CHOICE: Final = ("a string or an object", (str, dict))

_Kind = tuple[str, tuple[type, ...]]
FIELDS: Final[dict[str, _Kind]] = {
    "audio": _OBJECT,
    "frequency_penalty": _NUMBER,
    "function_call": _CHOICE,
    "functions": _ARRAY,
    "logit_bias": _OBJECT,
    "logprobs": ("true or false", (bool, int)),  # Together takes a number
    "max_completion_tokens": _INTEGER,
    "max_tokens": _INTEGER,
    "metadata": _OBJECT,
    "modalities": _ARRAY,
    "moderation": _OBJECT,
    "n": _INTEGER,
    "parallel_tool_calls": _BOOLEAN,
    "prediction": _OBJECT,
    "presence_penalty": _NUMBER,
    "prompt_cache_key": _STRING,
    "prompt_cache_options": _OBJECT,
    "prompt_cache_retention": _STRING,
    "reasoning_effort": _STRING,
    "response_format": _OBJECT,
    "safety_identifier": _STRING,
    "seed": _INTEGER,
    "service_tier": _STRING,
    "stop": _STRINGS,
    "store": _BOOLEAN,
    "stream": _BOOLEAN,
    "stream_options": _OBJECT,
    "temperature": _NUMBER,
    "tool_choice": _CHOICE,
    "tools": _ARRAY,
    "top_logprobs": _INTEGER,
    "top_p": _NUMBER,
    "user": _STRING,
    "verbosity": _STRING,
    "web_search_options": _OBJECT,
}
_MESSAGE_FIELDS: Final[dict[str, _Kind]] = {
    "content": ("a string or an array of content parts", (str, list, Raw)),
    "name": _STRING,
    "tool_call_id": _STRING,
    "tool_calls": _ARRAY,
    "refusal": _STRING,
}
_LISTS: Final = ("content", "tool_calls")
_CONTENT_REQUIRED: Final = frozenset({"system", "developer", "user", "tool"})


def parse(body: bytes) -> ChatRequest:
    """Read and check a request body.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    fields = _object_of(body)
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


def _object_of(body: bytes) -> JsonObject:
    if (fields := raw_texts.read(body)) is not None:
        return fields
    try:
        value = loads(body)
    except JsonFault as fault:
        if not body.strip():
            why = "The request has no body. Send a JSON object with `model` and `messages`."
            raise InvalidRequest(why, param="body") from None
        raise InvalidRequest(f"The request body is not acceptable JSON: {fault}", param="body") from None
    if not isinstance(value, dict):
        raise wrong_type("body", "a JSON object", value)
    return value


def _check_messages(messages: JsonValue) -> None:
    if not isinstance(messages, list) or not messages:
        raise wrong_type("messages", "an array with at least one message", messages)
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong_type(f"messages[{index}]", "an object", message)
        _check_message(message, index)


def _check_message(message: JsonObject, index: int) -> None:
    role = message.get("role")
    if not isinstance(role, str) or not role:
        raise wrong_type(f"messages[{index}].role", "a string (system, developer, user, assistant or tool)", role)
    for name, value in message.items():
        if name in _MESSAGE_FIELDS and value is not None and type(value) not in _MESSAGE_FIELDS[name][1]:
            raise wrong_type(f"messages[{index}].{name}", _MESSAGE_FIELDS[name][0], value)
    if role in _CONTENT_REQUIRED and message.get("content") is None:
        wanted = f"a string or an array of content parts for the role {role}"
        raise wrong_type(f"messages[{index}].content", wanted, None)
    if role == "tool" and message.get("tool_call_id") is None:
        wanted = "the id of the tool call that this message answers"
        raise wrong_type(f"messages[{index}].tool_call_id", wanted, None)
    for name in _LISTS:
        if name in message and isinstance(parts := message[name], list):
            _check_parts(parts, f"messages[{index}].{name}")


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
        _check(function, "parameters", _OBJECT, f"{path}.function.parameters")


def _check_parts(parts: list[JsonValue], path: str) -> None:
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            raise wrong_type(f"{path}[{index}]", "an object", part)
        _check(part, "type", _STRING, f"{path}[{index}].type")
        check_media(part, f"{path}[{index}]")


def _check(fields: JsonObject, name: str, kind: _Kind, path: str) -> None:
    value = fields.get(name)
    wanted, types = kind
    if value is None or (type(value) in types):  # type(): a bool is an int in Python, but true is no number in JSON
        return
    raise wrong_type(path, wanted, value)
