"""Writes the answer to a request for a compaction: one item, which holds what a model has said."""

from collections.abc import Iterator

from gateway.core.answer import ChoiceDelta
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_responses.compaction import packed
from gateway.wires.openai_responses.inbound.open_items import Event, new_id


class CompactionWriter:
    """Stands in for an ItemWriter (gateway.wires.openai_responses.inbound.item_writer)."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.output: list[JsonValue] = []
        self.text_begun = False

    def write(self, delta: ChoiceDelta, *, cut: bool = False) -> Iterator[Event]:
        """Nothing goes out before the summary is whole."""
        self._texts.append(delta.text)
        return iter(())

    def more(self, delta: ChoiceDelta) -> Event | None:
        """None: no delta has an event."""
        return None

    def close(self, *, cut: bool = False) -> Iterator[Event]:
        """The item."""
        item: JsonObject = {
            "id": new_id("compaction"),
            "type": "compaction",
            "encrypted_content": packed("".join(self._texts)),
        }
        self.output.append(item)
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
