"""What an event adds for a caller of this wire: whether it says anything, and the plain text of it.

An answer can be resumed by another target as long as it is plain: text in one message, and reasoning before it. So this
is right for every event, though nothing else of it is read. A server may send no deltas: an item then speaks when it
ends, and a response that had no items speaks in the last event.
"""

from typing import Final, TypeAlias

from gateway.core.strict_json import JsonObject
from gateway.wires.openai_responses.event_reader import TERMINAL
from gateway.wires.untrusted_fields import an_object, count, objects, text

_TEXT: Final = "response.output_text.delta"
_SILENT: Final = frozenset(
    {
        "keepalive",
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.done",
    }
)
"""Events that repeat what others say, or frame it."""
_REASONING: Final = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_Content: TypeAlias = tuple[bool, str | None]


class OwnContent:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._said: set[int] = set()  # the places of items whose text came in deltas
        self._ended: set[int] = set()

    def of(self, kind: str, event: JsonObject) -> _Content:
        """Whether an event says anything, and its plain text; None for what is not plain (see ChatChunk)."""
        if kind == _TEXT:
            delta = text(event.get("delta"))
            self._said.add(count(event.get("output_index")))
            return bool(delta), None if event.get("logprobs") else delta
        if kind in _SILENT:
            return False, ""
        if kind in _REASONING:
            return True, ""
        if kind in TERMINAL:
            return self._rest(an_object(event.get("response")))
        index, item = count(event.get("output_index")), an_object(event.get("item"))
        if kind == "response.output_item.added":
            return (False, "") if item.get("type") in ("message", "reasoning") else (True, None)
        if kind == "response.output_item.done":
            return self._ends(index, item)
        return True, None

    def _ends(self, index: int, item: JsonObject) -> _Content:
        if index in self._ended:
            return False, ""
        self._ended.add(index)
        if item.get("type") == "reasoning":
            return False, ""
        if item.get("type") != "message":
            return True, None
        parts = objects(item.get("content"))
        if any(part.get("type") != "output_text" for part in parts):
            return True, None
        said = "" if index in self._said else "".join(text(part.get("text")) for part in parts)
        return bool(said), said

    def _rest(self, response: JsonObject) -> _Content:
        """What only the last event says."""
        found = [self._ends(index, item) for index, item in enumerate(objects(response.get("output")))]
        plain = [text for _, text in found]
        return any(says for says, _ in found), None if None in plain else "".join(filter(None, plain))
