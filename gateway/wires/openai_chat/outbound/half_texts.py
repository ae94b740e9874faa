"""Joins characters whose halves stand in two events of one choice and field."""

from typing import Final

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.core.surrogates import REPLACEMENT, HalfPairs, whole_value
from gateway.wires.untrusted_fields import an_object, objects

_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_ARGUMENTS: Final = "arguments"


class HalfTexts:
    """The halves of one stream. Its truth says whether any waits for its other half."""

    def __init__(self) -> None:
        self._choices: dict[int, HalfPairs] = {}

    def __bool__(self) -> bool:
        return any(self._choices.values())

    def joined_in(self, body: JsonValue) -> JsonValue:
        """An event that may hold halves, with whole texts; a half at the end of a field waits for the next event."""
        for choice in objects(an_object(body).get("choices")):
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self.join(choice.get("index"), delta, last=bool(choice.get("finish_reason")))
        return whole_value(body)

    def join(self, index: JsonValue, delta: JsonObject, *, last: bool) -> None:
        """Put what waits before the texts of a choice's delta, in place.

        Args:
            index: the choice's.
            delta: as it came.
            last: nothing follows, so what waits finds no other half.
        """
        pairs = self._choices.setdefault(index if isinstance(index, int) else 0, HalfPairs())
        for name in _TEXTS:
            if isinstance(text := delta.get(name), str):
                delta[name] = pairs.join(name, text)
        for position, call in enumerate(objects(delta.get("tool_calls"))):
            detail = an_object(call.get("function"))
            if isinstance(text := detail.get(_ARGUMENTS), str):
                at = call.get("index")
                detail[_ARGUMENTS] = pairs.join(at if isinstance(at, int) else position, text)
        for field in [*pairs.left()] if last else ():
            if isinstance(field, str):
                text = delta.get(field)
                delta[field] = (text if isinstance(text, str) else "") + REPLACEMENT
