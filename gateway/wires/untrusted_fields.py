"""JSON from outside, by the shape that is wanted of it: whatever has another shape counts as not there.

A provider's answer is read, not judged. One field that is not what the schema says is no reason to lose the rest, and
looking at shapes in one place keeps the readers free of it.
"""

from gateway.core.strict_json import JsonObject, JsonValue


def text(value: JsonValue) -> str:
    """The string; "" where it is none."""
    return value if isinstance(value, str) else ""


def an_object(value: JsonValue) -> JsonObject:
    """The object; {} where it is none."""
    return value if isinstance(value, dict) else {}


def objects(value: JsonValue) -> list[JsonObject]:
    """The objects in the array."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def count(value: JsonValue) -> int:
    """The number of things; 0 where it is none. JSON from protocol buffers leaves zeros out."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def number(value: JsonValue) -> float:
    """The number; 0.0 where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
