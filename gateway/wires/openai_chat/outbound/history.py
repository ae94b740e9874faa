"""Makes a conversation fit for a server: without other servers' fields, and with ids of calls that it takes.

Servers add fields to a message that OpenAI's API does not have (reasoning, a vendor's signature), and clients send them
back with the history. OpenAI's own server answers 400 to an unknown key, to a tool call's id of more than 40 characters
and to a call without a name; Mistral's to null as well. Without this, a conversation that fails over to them, or moves
there by an alias, would end. An empty `tool_calls` says nothing and is refused by many, so no server gets it.
"""

from typing import Final

from msgspec import Struct

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.short_ids import nine_letters, short_id
from gateway.wires.untrusted_fields import an_object, objects

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
_FOREIGN_TO_PARTS: Final = frozenset({"cache_control", "extra_content"})
STRICT: Final = Dialect("strict")
_NOTHING: Final[tuple[JsonValue, ...]] = (None, [], {})


def without_empty_calls(messages: JsonValue) -> JsonValue:
    """The messages without a `tool_calls` that is empty; the argument itself where there is none."""
    if not isinstance(messages, list) or not any(map(_has_empty_calls, messages)):
        return messages
    return [_without_calls(message) if _has_empty_calls(message) else message for message in messages]


def clean(messages: JsonValue, dialect: Dialect = STRICT) -> tuple[JsonValue, tuple[str, ...]]:
    """The messages for a strict server, and the names of the removed fields.

    The argument stays unchanged, for the next candidate; it is returned itself where nothing has to be removed.
    """
    messages = without_empty_calls(messages)
    if not isinstance(messages, list):
        return messages, ()
    cleaner = _Cleaner(dialect, _nameless(messages))
    if not any(map(cleaner.minds, messages)):
        return messages, ()
    cleaned: list[JsonValue] = []
    for message in messages:
        cleaned += cleaner.message(message) if cleaner.minds(message) else [message]
    return cleaned, tuple(cleaner.dropped)


def _has_empty_calls(message: JsonValue) -> bool:
    return isinstance(message, dict) and message.get("tool_calls") == []


def _without_calls(message: JsonValue) -> JsonObject:
    return {name: value for name, value in an_object(message).items() if name != "tool_calls"}


def _nameless(messages: list[JsonValue]) -> frozenset[str]:
    """The ids of calls without a name, which some server's answer has left in the history."""
    calls = [call for message in messages if isinstance(message, dict) for call in objects(message.get("tool_calls"))]
    return frozenset(str(call.get("id")) for call in calls if _is_nameless(call))


def _is_nameless(call: JsonObject) -> bool:
    detail = call.get("function", call.get("custom"))
    return isinstance(detail, dict) and detail.get("name", "") in ("", None)


class _Cleaner(Struct, frozen=True):
    """Cleans the messages of one request.

    Attributes:
        dialect: what the server takes.
        nameless: the ids of calls that nobody can answer.
        dropped: the names of what was removed and held something.
    """

    dialect: Dialect
    nameless: frozenset[str]
    dropped: dict[str, None] = {}

    def minds(self, message: JsonValue) -> bool:
        """Whether the server would refuse the message."""
        if not isinstance(message, dict):
            return False
        if "tool_call_id" in message and self._minds_id(message["tool_call_id"]):
            return True
        if self.dialect.message_keys is not None:
            return (
                not self._keys(message) >= message.keys()
                or any(value in _NOTHING for value in message.values())
                or self._minds_parts(message)
                or self._minds_calls(message)
            )
        if message.get("role") != "assistant":
            return False
        return not _FOREIGN.isdisjoint(message) or self._minds_calls(message)

    def message(self, message: JsonValue) -> list[JsonValue]:
        """The message as the server takes it; nothing where it is about calls that nobody can answer."""
        fields = an_object(message)
        if fields.get("role") == "tool" and fields.get("tool_call_id") in self.nameless and self.nameless:
            self.drop("messages.tool_calls")
            return []
        kept = self._with_known_keys(fields)
        if "tool_call_id" in kept:
            kept["tool_call_id"] = self._id(kept["tool_call_id"])
        calls = kept.get("tool_calls")
        if not isinstance(calls, list):
            return [kept]
        if remaining := [self._call(call) for call in calls if not (isinstance(call, dict) and _is_nameless(call))]:
            kept["tool_calls"] = remaining
        else:
            del kept["tool_calls"]
        if len(remaining) < len(calls):
            self.drop("messages.tool_calls")
        return [kept] if remaining or kept.get("content") else []

    def drop(self, name: str) -> None:
        """Note that a field was removed."""
        self.dropped.setdefault(name)

    def _minds_calls(self, message: JsonObject) -> bool:
        calls = message.get("tool_calls")
        return isinstance(calls, list) and any(
            isinstance(call, dict)
            and (not _FOREIGN_TO_CALLS.isdisjoint(call) or self._minds_id(call.get("id")) or _is_nameless(call))
            for call in calls
        )

    def _minds_parts(self, message: JsonObject) -> bool:
        return any(not _FOREIGN_TO_PARTS.isdisjoint(part) for part in objects(message.get("content")))

    def _minds_id(self, id: JsonValue) -> bool:
        return isinstance(id, str) and (self._id(id) != id or (id in self.nameless))

    def _id(self, id: JsonValue) -> JsonValue:
        if not isinstance(id, str):
            return id
        return nine_letters(id) if self.dialect.call_ids == "nine" else short_id(id, LONGEST_ID)

    def _keys(self, message: JsonObject) -> frozenset[str]:
        role = message.get("role")
        known = self.dialect.message_keys or {}
        return known.get(role if isinstance(role, str) else "", frozenset(message))

    def _with_known_keys(self, message: JsonObject) -> JsonObject:
        if self.dialect.message_keys is None:
            return self._without(message, _FOREIGN if message.get("role") == "assistant" else frozenset(), "messages")
        known = self._keys(message)
        kept = self._without(message, frozenset(message) - known, "messages")
        kept = {name: value for name, value in kept.items() if value not in _NOTHING}
        if isinstance(parts := kept.get("content"), list):
            kept["content"] = [
                self._without(part, _FOREIGN_TO_PARTS, "messages.content") if isinstance(part, dict) else part
                for part in parts
            ]
        if "content" not in kept and "tool_calls" not in kept:
            kept["content"] = ""
        return kept

    def _call(self, call: JsonValue) -> JsonValue:
        if not isinstance(call, dict):
            return call
        kept = self._without(call, _FOREIGN_TO_CALLS, "messages.tool_calls")
        if "id" in kept:
            kept["id"] = self._id(kept["id"])
        return kept

    def _without(self, fields: JsonObject, foreign: frozenset[str], where: str) -> JsonObject:
        for name, value in fields.items():
            if name in foreign and value is not None and (value != [] or self.dialect.message_keys is None):
                self.drop(f"{where}.{name}")
        return {name: value for name, value in fields.items() if name not in foreign}
