"""What compatible servers get wrong and clients break on, put right in place.

The JSON handed in is our own decoded copy. A correct answer leaves as it came: each rule looks for one deviation that
was seen in the wild, and only fills or renames. What cannot be put right without inventing an answer is not touched.
"""

import re
from collections.abc import Mapping
from secrets import token_hex
from typing import Final

from gateway.core.answer import Envelope
from gateway.core.strict_json import JsonObject, JsonValue, dumps

_FINISH: Final[Mapping[str, str]] = {
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
}
_KNOWN: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_TEXTS: Final = frozenset({"text", "thinking"})
_LARGEST: Final = 2**53
"""No time and no count is larger; JSON's numbers can be."""


def repair_envelope(body: JsonObject, kind: str, given: Envelope | None, now: int) -> Envelope:
    """Put id, object, created and model right; `given` is what earlier chunks of the same stream carried."""
    if given is None:
        own, model = body.get("id"), body.get("model")
        given = Envelope(
            own if isinstance(own, str) and own else f"chatcmpl-{token_hex(12)}",
            _created(body, now),
            model if isinstance(model, str) else "",
        )
    if body.get("id") != given.id:
        body["id"] = given.id
    if body.get("object") != kind:
        body["object"] = kind
    if type(body.get("created")) is not int or body["created"] != given.created:
        body["created"] = given.created
    if not isinstance(body.get("model"), str):
        body["model"] = given.model
    return given


def has_envelope(body: JsonObject, kind: str) -> bool:
    """Whether there is nothing to put right in them."""
    created, own = body.get("created"), body.get("id")
    return (
        body.get("object") == kind
        and type(created) is int
        and 0 < created < _LARGEST
        and isinstance(own, str)
        and own != ""
        and isinstance(body.get("model"), str)
    )


def _created(body: JsonObject, now: int) -> int:
    value = body.get("created")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", value):
        value = float(value)
    return int(value) if isinstance(value, (int, float)) and 0 < value < _LARGEST else now


FAILED: Final = "error"
"""The finish of an answer that broke off at the provider (OpenRouter's word); none of OpenAI's says that."""


def finish_reason(value: JsonValue, *, called_tool: bool, over_stop: bool) -> str | None:
    """A finish reason inside OpenAI's closed set; None stays None.

    Args:
        value: the server's.
        called_tool: the choice called a tool.
        over_stop: that it did tells more than a "stop" does. Not so at OpenAI, which says "stop" after a tool that it
            was told to call by name.
    """
    if not isinstance(value, str) or not value:
        return None
    lower = value.lower()
    known = value if value in _KNOWN else _FINISH.get(lower, lower)
    if known in _KNOWN and not (known == "stop" and over_stop):
        return known
    return "tool_calls" if called_tool else "stop"


def repair_usage(body: JsonObject) -> None:
    """Counts that clients validate: integers, and their total."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return
    for name in ("prompt_tokens", "completion_tokens"):
        value = usage.get(name)
        if type(value) is not int:
            usage[name] = int(value) if isinstance(value, float) and abs(value) < _LARGEST else 0
    if type(usage.get("total_tokens")) is not int:
        usage["total_tokens"] = _int(usage["prompt_tokens"]) + _int(usage["completion_tokens"])


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def repair_message(message: JsonObject) -> None:
    """A whole answer's message: role, content as text, tool calls that can be called."""
    if not message.get("role"):
        message["role"] = "assistant"
    if "content" not in message:
        message["content"] = None
    flatten_content(message)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            _repair_call(call)


def _repair_call(call: JsonObject) -> None:
    if not call.get("id"):
        call["id"] = f"call_{token_hex(12)}"
    if not call.get("type"):
        call["type"] = "function"
    function = call.get("function")
    if isinstance(function, dict):
        text_arguments(function)
        function["arguments"] = function.get("arguments") or "{}"


def text_arguments(function: JsonObject) -> None:
    """Arguments are a text that holds JSON; some servers send the JSON itself."""
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = dumps(arguments).decode()


def flatten_content(message: JsonObject) -> None:
    """Content as a list of parts (Mistral's reasoning models, 2025) to text; what was thought goes beside it."""
    parts = message.get("content")
    if not isinstance(parts, list) or not all(isinstance(part, dict) and _TEXTS & part.keys() for part in parts):
        return  # a list with an image in it loses less as it is
    message["content"] = _text_of(parts, "text")
    thought = "".join(
        _text_of(inner, "text")
        for part in parts
        if isinstance(part, dict) and isinstance(inner := part.get("thinking"), list)
    )
    if thought and not message.get("reasoning_content"):
        message["reasoning_content"] = thought


def _text_of(parts: list[JsonValue], name: str) -> str:
    return "".join(text for part in parts if isinstance(part, dict) and isinstance(text := part.get(name), str))
