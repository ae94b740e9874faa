"""Repairs what compatible servers get wrong and clients fail on, in place.

The JSON is the gateway's own decoded copy. A correct answer stays unchanged: each rule handles one deviation that a
real server has shown, and only fills in or renames. What could only be repaired by inventing an answer is not touched.
"""

import re
from secrets import token_hex
from typing import Final

from gateway.core.answer import Envelope
from gateway.core.lenient_json import loads_all
from gateway.core.provider_failures import GenerationFailed
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, dumps, loads
from gateway.wires.openai_chat.outbound.brackets import is_open

NAMELESS: Final = "The provider called a tool without naming it."
CUT_ARGUMENTS: Final = "The provider ended its answer in the middle of a tool call's arguments."
TWO_ARGUMENTS: Final = "The provider sent two different arguments for one tool call."
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


def repair_usage(body: JsonObject) -> None:
    """Repair the counts that clients validate: integers and their total."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return
    for name in ("prompt_tokens", "completion_tokens"):
        if type(value := usage.get(name)) is not int:
            usage[name] = int(value) if isinstance(value, float) and abs(value) < _LARGEST else 0
    if type(usage.get("total_tokens")) is not int:
        usage["total_tokens"] = _int(usage["prompt_tokens"]) + _int(usage["completion_tokens"])


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def repair_message(message: JsonObject, *, may_be_cut: bool = False) -> int:
    """Repair a whole answer's message: its role, its content as text, and its tool calls. Returns how many calls had to
    be mended so that they can be read.

    Args:
        message: changed in place.
        may_be_cut: its finish says that a limit has cut it.

    Raises:
        GenerationFailed: a call has no name, or its arguments are cut or contradict each other.
    """
    if not message.get("role"):
        message["role"] = "assistant"
    if "content" not in message:
        message["content"] = None
    flatten_content(message)
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return 0
    if not calls:
        del message["tool_calls"]  # servers that refuse an empty array get it back with the history
    return sum(_repair_call(call, may_be_cut=may_be_cut) for call in calls if isinstance(call, dict))


def _repair_call(call: JsonObject, *, may_be_cut: bool) -> int:
    if not call.get("id"):
        call["id"] = f"call_{token_hex(12)}"
    if not call.get("type"):
        call["type"] = "custom" if "custom" in call else "function"
    function = call.get("function")
    detail = function if isinstance(function, dict) else call.get("custom")
    if isinstance(detail, dict) and not detail.get("name"):
        raise GenerationFailed(NAMELESS)
    if not isinstance(function, dict):
        return 0
    text_arguments(function)
    given = function.get("arguments") or "{}"
    function["arguments"] = arguments = _one_object(given, may_be_cut=may_be_cut) if isinstance(given, str) else "{}"
    return arguments != given


def _one_object(arguments: str, *, may_be_cut: bool) -> str:
    """Arguments as one JSON text, where they are several: an empty object before the real one, or the same twice.

    Raises:
        GenerationFailed: they are cut off, or two that differ.
    """
    try:
        loads(arguments.encode("utf-8", "surrogatepass"))
        return arguments
    except JsonFault:
        values, rest = loads_all(arguments.encode("utf-8", "surrogatepass"))
    if rest.strip() and not may_be_cut and is_open(arguments):
        raise GenerationFailed(CUT_ARGUMENTS)
    if len(values) < 2 or rest.strip():
        return arguments  # no JSON: the model's own words, which its caller can tell it of
    real = [value for value in values if value != {}] or values[:1]
    if any(value != real[0] for value in real):
        raise GenerationFailed(TWO_ARGUMENTS)
    return dumps(real[0]).decode()


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
