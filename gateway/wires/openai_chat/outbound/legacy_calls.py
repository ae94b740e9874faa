"""Turns `tool_calls` of an answer into `function_call`, for a request that has `functions` and no tools.

A client of that form looks for its call in `function_call` alone, and some servers answer every request with tool
calls. The form holds one call, so further calls are left out; the model makes them again once it has the first result.
Source: https://platform.openai.com/docs/api-reference/chat/create, `functions` (deprecated).
"""

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import an_object, objects


def convert(choice: JsonObject, message: JsonObject) -> int:
    """Convert a choice and its message or delta, in place. Returns 1 where something was changed, else 0."""
    changed = 0
    if isinstance(calls := message.pop("tool_calls", None), list):
        first = next((call for call in objects(calls) if call.get("index", 0) == 0), None)
        detail = an_object(first.get("function")) if first else {}
        if detail and "function_call" not in message:
            message["function_call"] = _function_call(detail)
        changed = 1
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "function_call"
        changed = 1
    return changed


def _function_call(detail: JsonObject) -> JsonValue:
    return {name: value for name, value in detail.items() if name in ("name", "arguments")}
