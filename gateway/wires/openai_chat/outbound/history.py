"""Removes other servers' fields from a conversation, for a server that refuses unknown fields.

Servers add fields to a message that OpenAI's API does not have (reasoning, a vendor's signature), and clients send them
back with the history. OpenAI's own server answers 400 to an unknown key, and to a tool call's id of more than 40
characters. Without this, a conversation that fails over to it, or moves there by an alias, would end.
"""

from collections.abc import Callable
from typing import Final, TypeGuard

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.short_ids import short_id

LONGEST_ID: Final = 40

_FOREIGN: Final = frozenset(
    {
        "extra_content",
        "images",
        "native_finish_reason",
        "provider_specific_fields",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "thinking_blocks",
    }
)
_FOREIGN_TO_CALLS: Final = frozenset({"extra_content", "provider_specific_fields"})


def clean(messages: JsonValue) -> tuple[JsonValue, tuple[str, ...]]:
    """The messages for a strict server, and the names of the removed fields.

    The argument stays unchanged, for the next candidate; it is returned itself where nothing has to be removed.
    """
    if not isinstance(messages, list) or not any(_is_foreign(message) for message in messages):
        return messages, ()
    dropped: dict[str, None] = {}
    cleaned: list[JsonValue] = [
        _message(message, dropped.setdefault) if _is_foreign(message) else message for message in messages
    ]
    return cleaned, tuple(dropped)


def _is_foreign(message: JsonValue) -> TypeGuard[JsonObject]:
    if not isinstance(message, dict):
        return False
    if "tool_call_id" in message and _is_foreign_id(message["tool_call_id"]):
        return True
    if message.get("role") != "assistant":
        return False
    calls = message.get("tool_calls")
    return not _FOREIGN.isdisjoint(message) or (
        isinstance(calls, list) and any(_is_foreign_call(call) for call in calls)
    )


def _is_foreign_call(call: JsonValue) -> bool:
    return isinstance(call, dict) and (not _FOREIGN_TO_CALLS.isdisjoint(call) or _is_foreign_id(call.get("id")))


def _is_foreign_id(id: JsonValue) -> bool:
    return isinstance(id, str) and short_id(id, LONGEST_ID) != id


def _message(message: JsonObject, drop: Callable[[str], object]) -> JsonObject:
    if message.get("role") != "assistant":
        return {**message, "tool_call_id": _id(message.get("tool_call_id"))}
    kept = _without(message, _FOREIGN, "messages", drop)
    if "tool_call_id" in kept:
        kept["tool_call_id"] = _id(kept["tool_call_id"])
    if isinstance(calls := kept.get("tool_calls"), list):
        kept["tool_calls"] = [_call(call, drop) if isinstance(call, dict) else call for call in calls]
    return kept


def _call(call: JsonObject, drop: Callable[[str], object]) -> JsonObject:
    kept = _without(call, _FOREIGN_TO_CALLS, "messages.tool_calls", drop)
    if "id" in kept:
        kept["id"] = _id(kept["id"])
    return kept


def _without(fields: JsonObject, foreign: frozenset[str], where: str, drop: Callable[[str], object]) -> JsonObject:
    for name, value in fields.items():
        if name in foreign and value is not None:  # a null carries nothing
            drop(f"{where}.{name}")
    return {name: value for name, value in fields.items() if name not in foreign}


def _id(id: JsonValue) -> JsonValue:
    return short_id(id, LONGEST_ID) if isinstance(id, str) else id
