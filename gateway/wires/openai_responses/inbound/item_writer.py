"""Writes an answer as items, from neutral deltas to events; a whole answer is the items that the events add up to.

One message or one block of reasoning is open at a time, and beside it every call that is under way: a provider may mix
the pieces of several calls. A delta goes into the open item, or closes it and begins the next, so the order of the
items is the order in which they began.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.core.answer import ChoiceDelta, ToolCallDelta
from gateway.core.request import Media
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_responses.inbound.open_items import (
    Event,
    OpenCall,
    OpenMessage,
    OpenReasoning,
    new_id,
)
from gateway.wires.openai_responses.tool_table import CallKind, DeclaredTool, ToolTable
from gateway.wires.short_ids import short_id

_DONE: Final = "response.output_item.done"


class ItemWriter:
    """Writes one answer.

    Attributes:
        text_begun: whether any text has been written.

    Args:
        table: the tools of the request.
    """

    def __init__(self, table: ToolTable) -> None:
        self._table = table
        self._done: dict[int, JsonObject] = {}
        self._begun = 0
        self._message: OpenMessage | None = None
        self._reasoning: OpenReasoning | None = None
        self._calls: dict[int, OpenCall] = {}
        self._call_ids: set[str] = set()
        self._length = 0  # of the answer's text
        self._before = 0  # of that, what stood before the open message
        self.text_begun = False

    @property
    def output(self) -> list[JsonValue]:
        """The items that are whole, in their order."""
        return [self._done[index] for index in sorted(self._done)]

    def adopt(self, done: dict[int, JsonObject], message: OpenMessage | None, length: int) -> None:
        """Go on where another server's events have left off.

        Args:
            done: the items that are whole, by their place.
            message: the one that is open.
            length: characters of the text so far.
        """
        self._done, self._message, self._length = dict(done), message, length
        self._begun = len(done) + (message is not None)
        self.text_begun = length > 0

    def write(self, delta: ChoiceDelta, *, cut: bool = False) -> Iterator[Event]:
        """The events for a delta of the first choice. `cut`: the answer ends with it because it is too long."""
        return self._noted(self._write(delta, cut=cut))

    def more(self, delta: ChoiceDelta) -> Event | None:
        """The event for a delta that only adds to what is open: text, or a piece of one call. None for any other, which
        `write` takes. Nearly all deltas of a stream are of this kind."""
        if delta.reasoning or delta.refusal or delta.images or delta.citations or delta.logprobs or delta.finish:
            return None
        if not delta.calls:
            if not delta.text or self._message is None or delta.reasoning_extra:
                return None
            event = self._message.more_text(delta.text)
            self._length += len(delta.text) if event else 0
            return event
        piece = delta.calls[0]
        call = self._calls.get(piece.index)
        if delta.text or len(delta.calls) > 1 or call is None or piece.ended or not piece.arguments:
            return None
        return call.more(piece.arguments)

    def close(self, *, cut: bool = False) -> Iterator[Event]:
        """The ends of all open items. `cut`: see `write`."""
        return self._noted(self._close(cut=cut))

    def _noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """Keep the items that are whole, while their events go out."""
        for event in events:
            item, index = event.get("item"), event["output_index"]
            if event["type"] == _DONE and isinstance(item, dict) and isinstance(index, int):
                self._done[index] = item
            yield event

    def _write(self, delta: ChoiceDelta, *, cut: bool) -> Iterator[Event]:
        if delta.reasoning:
            yield from self._reason(delta.reasoning)
        if delta.reasoning_extra:
            yield from self._end_reasoning()
        if delta.text or delta.logprobs:
            yield from self._begin_message()
            yield from self._said().add_text(delta.text, delta.logprobs)
            self._length += len(delta.text)
            self.text_begun = True
        if delta.refusal:
            yield from self._begin_message()
            yield from self._said().add_refusal(delta.refusal)
        for piece in delta.calls:
            yield from self._call(piece, cut=cut)
        for media in delta.images:
            yield from self._image(media)
        if self._message is not None:
            for found in delta.citations:
                yield from self._message.add_citation(found, self._before)

    def _said(self) -> OpenMessage:
        if self._message is None:
            raise RuntimeError("no message is open")
        return self._message

    def _begin_message(self) -> Iterator[Event]:
        yield from self._end_reasoning()
        if self._message is None:
            self._message, self._before = OpenMessage(self._next()), self._length
            yield self._message.begin()

    def _reason(self, text: str) -> Iterator[Event]:
        yield from self._end_message("completed")
        if self._reasoning is None:
            self._reasoning = OpenReasoning(self._next())
            yield self._reasoning.begin()
        yield from self._reasoning.add_text(text)

    def _call(self, piece: ToolCallDelta, *, cut: bool) -> Iterator[Event]:
        call = self._calls.get(piece.index)
        if call is None:
            if not piece.name:
                return  # it has ended already
            yield from self._end_reasoning()
            yield from self._end_message("completed")
            call = self._calls[piece.index] = OpenCall(self._next(), self._call_id(piece.id), self._tool(piece))
            yield call.begin()
        yield from call.add(piece.arguments)
        if piece.ended:
            del self._calls[piece.index]
            yield from call.finish(cut=cut)

    def _tool(self, piece: ToolCallDelta) -> DeclaredTool:
        """The tool that is called; under the model's own name where it has invented one, so that the client says so."""
        kind: CallKind = "custom" if piece.kind == "custom" else "function"
        return self._table.find(piece.name) or DeclaredTool(piece.name, "", piece.name, kind)

    def _call_id(self, id: str) -> str:
        """The provider's id where clients can take it. Of two calls with one id the second gets another."""
        call_id = short_id(id)
        while call_id in self._call_ids or not call_id:
            call_id = short_id(f"{call_id} {len(self._call_ids)}")
        self._call_ids.add(call_id)
        return call_id

    def _image(self, media: Media) -> Iterator[Event]:
        """An image that the model made. One that it only refers to has no form here."""
        if not media.data:
            return
        yield from self._end_reasoning()
        yield from self._end_message("completed")
        index = self._next()
        item: JsonObject = {"id": new_id("image_generation_call"), "type": "image_generation_call"}
        begun: JsonObject = {**item, "status": "in_progress", "result": None}
        done: JsonObject = {**item, "status": "completed", "result": media.data}
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        yield {"type": _DONE, "output_index": index, "item": done}

    def _close(self, *, cut: bool) -> Iterator[Event]:
        yield from self._end_reasoning()
        yield from self._end_message("incomplete" if cut else "completed")
        for index in sorted(self._calls):
            yield from self._calls.pop(index).finish(cut=cut)

    def _end_message(self, status: str) -> Iterator[Event]:
        message, self._message = self._message, None
        if message is not None:
            yield from message.finish(status)

    def _end_reasoning(self) -> Iterator[Event]:
        reasoning, self._reasoning = self._reasoning, None
        if reasoning is not None:
            yield from reasoning.finish()

    def _next(self) -> int:
        self._begun += 1
        return self._begun - 1
