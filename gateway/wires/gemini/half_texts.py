"""Joins characters whose halves stand in two events of one candidate, in its text or in its reasoning."""

from gateway.core.strict_json import JsonValue
from gateway.core.surrogates import REPLACEMENT, HalfPairs, whole_value
from gateway.wires.untrusted_fields import an_object, objects


class HalfTexts:
    """The halves of one stream. Its truth says whether any waits for its other half."""

    def __init__(self) -> None:
        self._pairs = HalfPairs()

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def joined_in(self, body: JsonValue) -> JsonValue:
        """An event that may hold halves, with whole texts. A half at the end of a text waits for the next event with
        one; with a finish it becomes U+FFFD, because nothing follows."""
        for candidate in objects(an_object(body).get("candidates")):
            content = an_object(candidate.get("content"))
            index = candidate.get("index")
            for part in objects(content.get("parts")):
                text = part.get("text")
                if isinstance(text, str):
                    part["text"] = self._pairs.join((index or 0, part.get("thought") is True), text)
            if candidate.get("finishReason"):
                parts = content.setdefault("parts", [])
                candidate["content"] = content
                for field in [*self._pairs.left()]:
                    if isinstance(parts, list):
                        parts.append({"text": REPLACEMENT, "thought": isinstance(field, tuple) and field[1]})
        return whole_value(body)
