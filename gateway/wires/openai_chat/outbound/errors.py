"""Reads a provider's error (gateway.wires.openai_failures), and tells errors from answers of this wire."""

from typing import Final

from gateway.core.strict_json import JsonValue
from gateway.wires import failure_classes
from gateway.wires.openai_failures import parse, parse_in_stream

__all__ = ["holds_error", "parse", "parse_in_stream"]

_ANSWER: Final = frozenset({"choices"})


def holds_error(value: JsonValue) -> bool:
    """Whether an event or a body is an error. Google puts an array around it, vLLM marks it by `object`."""
    if isinstance(value, dict) and value.get("choices") and not value.get("error") and "base_resp" not in value:
        return False  # nearly every event; the rest need not be fast
    return failure_classes.holds_error(value, _ANSWER)
