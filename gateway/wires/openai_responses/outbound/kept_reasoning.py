"""Keeps the reasoning before a tool call, for callers whose wire has no place for it.

A model continues its own reasoning only if it gets the item back that holds it, and a chat client does not send it. So
the items are remembered by the ids of the calls behind them, and stand before those calls in the next request.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.answer import ChoiceDelta
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_responses import ITEM, VENDOR
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, objects

_ITEMS: Final = "items"


class ReasoningKeeper:
    """Takes the deltas of one answer."""

    def __init__(self, memory: ReasoningMemory) -> None:
        self._memory = memory
        self._items: list[JsonValue] = []

    def take(self, deltas: Iterable[ChoiceDelta]) -> None:
        """Note reasoning, and keep it with each call that begins."""
        for delta in deltas:
            item = an_object(delta.reasoning_extra.get(VENDOR)).get(ITEM)
            if isinstance(item, dict) and item.get("encrypted_content"):
                self._items.append(item)
            for piece in delta.calls:
                if piece.id and self._items:
                    self._memory.keep(piece.id, {VENDOR: {_ITEMS: self._items}})
                    self._items = []


def kept(memory: ReasoningMemory, call_id: str) -> list[JsonObject]:
    """The reasoning before a call; none where it is not known."""
    return objects(an_object(memory.find(call_id).get(VENDOR)).get(_ITEMS))
