"""Access to untrusted JSON by type: a value of another type counts as absent.

This is for providers' answers, where one field that violates the schema is no reason to lose the rest of the answer.
The type checks are here so that the readers contain none. This module knows no field of any wire.
"""

from gateway.core.strict_json import JsonObject, JsonValue


def text(value: JsonValue) -> str:
    """The string; "" for another type."""
    return value if isinstance(value, str) else ""


def an_object(value: JsonValue) -> JsonObject:
    """The object; {} for another type."""
    return value if isinstance(value, dict) else {}


def objects(value: JsonValue) -> list[JsonObject]:
    """The objects in an array; [] for another type."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def count(value: JsonValue) -> int:
    """A positive integer; 0 for anything else. JSON from protocol buffers omits zeros."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def number(value: JsonValue) -> float:
    """The number; 0.0 for another type."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
