"""Follows the events of a provider of this wire, which pass to the caller as they are, in case the stream breaks.

Another target's stream then goes on in the item that is open, under its id and at its place. So this notes which items
are whole, which one is open, and what it says; nothing else of an event is read.
"""

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_responses.inbound.item_writer import ItemWriter
from gateway.wires.openai_responses.inbound.open_items import Event, OpenMessage
from gateway.wires.untrusted_fields import an_object, count, text


class OwnEvents:
    """What the events of one stream add up to."""

    def __init__(self) -> None:
        self._done: dict[int, JsonObject] = {}
        self._begun: dict[int, JsonObject] = {}
        self._parts: list[JsonValue] = []
        self._texts: list[str] = []
        self._annotations: list[JsonValue] = []
        self._summary: list[str] = []
        self._length = 0

    @property
    def output(self) -> list[JsonValue]:
        """The items that are whole."""
        return [self._done[index] for index in sorted(self._done)]

    def note(self, kind: str, event: JsonObject) -> None:
        """Note one event."""
        match kind:
            case "response.output_text.delta" | "response.reasoning_summary_text.delta":
                self.add(kind, text(event.get("delta")))
            case "response.output_text.annotation.added":
                self._annotations.append(event.get("annotation"))
            case "response.content_part.done":
                self._parts.append(event.get("part"))
                self._texts, self._annotations = [], []
            case "response.output_item.added":
                self._begun[count(event.get("output_index"))] = an_object(event.get("item"))
                self._parts, self._texts, self._annotations, self._summary = [], [], [], []
            case "response.output_item.done":
                index = count(event.get("output_index"))
                self._begun.pop(index, None)
                self._done[index] = an_object(event.get("item"))

    def add(self, kind: str, said: str) -> None:
        """Note what deltas of a kind say."""
        if kind == "response.output_text.delta":
            self._texts.append(said)
            self._length += len(said)
        elif kind == "response.reasoning_summary_text.delta":
            self._summary.append(said)

    def hand_over(self, writer: ItemWriter) -> list[Event]:
        """Let the writer go on in the open message. Returns the ends of other items, which nobody would write."""
        ends: list[Event] = []
        message: OpenMessage | None = None
        for index, item in sorted(self._begun.items()):
            if item.get("type") == "message":
                message = OpenMessage(index, text(item.get("id")))
                message.adopt(self._parts, "".join(self._texts), self._annotations)
                continue
            if item.get("type") == "reasoning":
                item = {**item, "summary": self._shown()}  # noqa: PLW2901 - as far as it came
            self._done[index] = item
            ends.append({"type": "response.output_item.done", "output_index": index, "item": item})
        writer.adopt(self._done, message, self._length)
        return ends

    def _shown(self) -> list[JsonValue]:
        said = "".join(self._summary)
        return [{"type": "summary_text", "text": said}] if said else []
