"""Writes a whole answer for the caller, and keeps answers for requests that build on them.

An answer of this wire passes with another model name. An answer of another wire is written from its neutral form, by
the same writer that writes streams.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from gateway.core.answer import ChatResponse, ChoiceDelta
from gateway.core.request import ChatRequest
from gateway.core.response_store import ResponseStore, Turn
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.base import Naming
from gateway.wires.openai_responses import WIRE, compaction
from gateway.wires.openai_responses.inbound.compaction_writer import CompactionWriter
from gateway.wires.openai_responses.inbound.item_writer import ItemWriter
from gateway.wires.openai_responses.inbound.open_items import Event
from gateway.wires.openai_responses.inbound.request import whole_input
from gateway.wires.openai_responses.inbound.response_object import REPEATED, ended, new_head
from gateway.wires.openai_responses.tool_table import ToolTable

_OUTPUT: Final = "output"


class Writer(Protocol):
    """What writes the items of an answer (ItemWriter)."""

    text_begun: bool

    @property
    def output(self) -> list[JsonValue]: ...
    def write(self, delta: ChoiceDelta, *, cut: bool = False) -> Iterator[Event]: ...
    def more(self, delta: ChoiceDelta) -> Event | None: ...
    def close(self, *, cut: bool = False) -> Iterator[Event]: ...


def writer(request: ChatRequest) -> Writer:
    """The writer for an answer to a request."""
    if compaction.is_asked(request.source.body):
        return CompactionWriter()
    return ItemWriter(ToolTable(request.source.body))


def render(
    response: ChatResponse, request: ChatRequest, naming: Naming, store: ResponseStore, now: Callable[[], float]
) -> bytes:
    """The answer's body for the caller.

    Args:
        response: the answer.
        request: what it answers.
        naming: what it shows.
        store: keeps it.
        now: wall seconds.
    """
    if response.source.wire == WIRE:
        body = response.source.body
        if naming.model is not None:
            body = {**body, "model": naming.model}
    else:
        body = _neutral(response, request, naming, now, store.mark)
    keep(store, request, body)
    return dumps(body)


def keep(store: ResponseStore, request: ChatRequest, response: JsonObject, provider: str = "") -> None:
    """Keep an answer, unless its caller does not want that.

    Args:
        store: where.
        request: what is answered.
        response: the whole answer.
        provider: the one that knows it by its id; "" where none does.
    """
    id, output = response.get("id"), response.get(_OUTPUT)
    if request.source.body.get("store") is False or not isinstance(id, str) or not isinstance(output, list):
        return
    if response.get("status") == "failed":
        return
    stored = request.source.stored
    store.keep(
        Turn(
            id=id,
            client=request.client,
            provider=provider,
            input=whole_input(request.source),
            output=output,
            fields={name: value for name, value in response.items() if name not in (*REPEATED, _OUTPUT)},
            repeated={name: response[name] for name in REPEATED if name in response},
            previous=stored.id if stored else "",
            inherited=stored.items if stored else 0,
        )
    )


def _neutral(
    response: ChatResponse, request: ChatRequest, naming: Naming, now: Callable[[], float], mark: str
) -> JsonObject:
    items, first = writer(request), [delta for delta in response.deltas if delta.index == 0]
    finish = next((delta.finish for delta in reversed(first) if delta.finish), None)
    for delta in first:
        for _ in items.write(delta, cut=finish == "length"):
            pass  # the events of a stream, which a whole answer has not
    for _ in items.close(cut=finish == "length"):
        pass
    head = new_head(request, response.envelope, naming.model, now, mark)
    return ended(head, finish, items.output, response.usage)
