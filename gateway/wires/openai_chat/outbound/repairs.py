"""Repairs what compatible servers get wrong and clients fail on, in place.

The JSON is the gateway's own decoded copy. A correct answer stays unchanged: each rule handles one deviation that a
real server has shown, and only fills in or renames. What could only be repaired by inventing an answer is not touched.
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
"""Larger than any time or count; JSON's numbers can be larger."""


def repair_envelope(body: JsonObject, kind: str, given: Envelope | None, now: int) -> Envelope:
    """Repair id, object, created and model. `given`: the values of earlier chunks of the same stream, or None."""
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
    """Whether id, object, created and model need no repair."""
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
"""OpenRouter's finish reason for an answer that broke off at the provider; OpenAI has none for that."""


def finish_reason(value: JsonValue, *, called_tool: bool, over_stop: bool) -> str | None:
    """A finish reason of OpenAI's closed set; None stays None.

    Args:
        value: the server's finish reason.
        called_tool: whether the choice called a tool.
        over_stop: whether a called tool overrides "stop". Not for OpenAI, which sends "stop" after a tool that the
            request named.
    """
    if not isinstance(value, str) or not value:
        return None
    lower = value.lower()
    known = value if value in _KNOWN else _FINISH.get(lower, lower)
    if known in _KNOWN and not (known == "stop" and over_stop):
        return known
    return "tool_calls" if called_tool else "stop"


def repair_usage(body: JsonObject) -> None:
    """Repair the counts that clients validate: integers and their total."""
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
    """Repair a whole answer's message: its role, its content as text, and its tool calls."""
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
    """Make a function's arguments a text that holds JSON; some servers send the JSON itself."""
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = dumps(arguments).decode()


def flatten_content(message: JsonObject) -> None:
    """Turn content that is a list of parts (Mistral's reasoning models, 2025) into text and reasoning."""
    parts = message.get("content")
    if not isinstance(parts, list) or not all(isinstance(part, dict) and _TEXTS & part.keys() for part in parts):
        return  # a list with an image would lose more as text
    message["content"] = _text_of(parts, "text")
    reasoning = "".join(
        _text_of(inner, "text")
        for part in parts
        if isinstance(part, dict) and isinstance(inner := part.get("thinking"), list)
    )
    if reasoning and not message.get("reasoning_content"):
        message["reasoning_content"] = reasoning


def _text_of(parts: list[JsonValue], name: str) -> str:
    return "".join(text for part in parts if isinstance(part, dict) and isinstance(text := part.get(name), str))
