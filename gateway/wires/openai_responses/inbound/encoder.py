"""The encoder of a streamed answer: chunks to the caller's server-sent events.

Every event has a number, and the response in it never changes its identity: openai-python compares it. The first events
go out with the first content, or with the first heartbeat, so that until then an error is a true status. Codex waits
only as long as events come, and comments are none to it, so a heartbeat is an event, OpenAI's own `keepalive`.
Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, Finish, Usage
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.response_store import ResponseStore
from gateway.core.sse import comment, encode
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.base import Decoder, Naming, Passthrough
from gateway.wires.openai_responses import WIRE, passthrough
from gateway.wires.openai_responses.event_reader import TERMINAL, EventReader
from gateway.wires.openai_responses.inbound.answer import keep, writer
from gateway.wires.openai_responses.inbound.item_writer import ItemWriter
from gateway.wires.openai_responses.inbound.open_items import Event
from gateway.wires.openai_responses.inbound.own_events import OwnEvents
from gateway.wires.openai_responses.inbound.response_object import (
    Head,
    ended,
    failed,
    in_progress,
    known_head,
    new_head,
)
from gateway.wires.untrusted_fields import an_object, text


class EventEncoder:
    """Implements Encoder of gateway.wires.base.

    Args:
        request: what is answered.
        naming: what the answer shows the caller.
        store: keeps the answer.
        mask: removes secrets from an error's texts.
        now: wall seconds.
    """

    def __init__(
        self,
        request: ChatRequest,
        naming: Naming,
        store: ResponseStore,
        mask: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._request = request
        self._naming = naming
        self._store = store
        self._mask = mask
        self._now = now
        self._items = writer(request)
        self._head: Head | None = None
        self._number = 0
        self._streams = 0
        self._spent: Usage | None = None
        self._usage: Usage | None = None
        self._envelope: Envelope | None = None
        self._finish: Finish | None = None
        self._own: OwnEvents | None = None
        self._renamed = False
        self._last: JsonObject | None = None
        self._provider = ""
        self._reader = EventReader()

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        self._usage = chunk.usage or self._usage
        self._envelope = self._envelope or chunk.envelope
        if chunk.source.wire != WIRE:
            deltas = chunk.deltas
            if len(deltas) == 1 and not (skip or deltas[0].index) and (event := self._items.more(deltas[0])):
                return self._event(event)
            return self._deltas(deltas, skip)
        if self._streams > 1:
            return self._deltas(self._reader.read(chunk.source.body), skip)
        return self._passed(chunk.source.body)

    def passthrough(self, decoder: Decoder) -> Passthrough | None:
        return passthrough.between(decoder, self)

    @property
    def next_number(self) -> int | None:
        """The number of the next event, once the provider's events pass; None where they do not."""
        return self._number if self._own and self._head and self._streams <= 1 else None

    def passed(self, kind: str, said: str, count: int) -> None:
        """Note `count` deltas of a kind that have passed without `encode`, which say `said` together."""
        if self._own:
            self._own.add(kind, said)
        self._number += count

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        self._streams += 1
        self._spent = spent
        if self._streams == 1:
            self._provider = provider.partition("/")[0]
            return b""
        ends: list[Event] = []
        if self._own is not None and isinstance(self._items, ItemWriter):
            ends = self._own.hand_over(self._items)
            self._own = None
        self._reader = EventReader()
        return comment(f"resumed on {provider}") + self._events(ends) if self._head else b""

    def heartbeat(self) -> bytes:
        return self._begin() + self._event({"type": "keepalive"})

    def end(self) -> bytes:
        if self._last is not None:
            return self._ended(self._last)
        begun = self._begin()
        items = self._events(self._items.close(cut=self._finish == "length"))
        counted = self._usage + self._spent if self._usage and self._spent else self._usage or self._spent
        response = ended(self._known(), self._finish, self._items.output, counted)
        keep(self._store, self._request, response)
        return begun + items + self._event({"type": f"response.{response['status']}", "response": response})

    def error(self, error: GatewayError) -> bytes:
        begun = self._begin()
        output = self._items.output if self._own is None else self._own.output
        response = failed(self._known(), output, error, self._mask)
        return begun + self._event({"type": "response.failed", "response": response})

    def _passed(self, event: JsonObject) -> bytes:
        """An event of a provider of this wire. The last one waits for the end of the stream."""
        kind = text(event.get("type"))
        if self._own is None:
            self._own, self._renamed = OwnEvents(), self._head is not None
        if kind in TERMINAL:
            self._last = event
            return b""
        response = event.get("response")
        if isinstance(response, dict):
            if self._renamed:
                return b""  # a heartbeat has begun another response before
            event["response"] = response = self._identified(response)
            self._head = self._head or known_head(response)
        self._own.note(kind, event)
        self._renamed = self._renamed or self._head is None  # it has not said which response it is
        return self._begin() + self._event(event)

    def _ended(self, event: JsonObject) -> bytes:
        """The last event of a provider of this wire."""
        response = event["response"] = self._identified(an_object(event.get("response")))
        keep(self._store, self._request, response, "" if self._renamed else self._provider)
        return self._event(event)

    def _identified(self, response: JsonObject) -> JsonObject:
        """The provider's response under the name that the caller sees, and under the id that it has seen."""
        changed: JsonObject = {} if self._naming.model is None else {"model": self._naming.model}
        if self._renamed and self._head is not None:
            changed = {name: self._head.fields[name] for name in ("id", "created_at", "model")}
        return {**response, **changed}

    def _deltas(self, deltas: Iterable[ChoiceDelta], skip: int) -> bytes:
        first = [delta for delta in deltas if delta.index == 0]
        self._finish = next((delta.finish for delta in reversed(first) if delta.finish), self._finish)
        cut = self._finish == "length"
        events: list[Event] = []
        for delta in first:
            if skip:
                passed = min(skip, len(delta.text))
                skip -= passed
                delta = replace(delta, text=delta.text[passed:])  # noqa: PLW2901 - what the caller has
            if self._streams > 1 and self._items.text_begun and delta.reasoning:
                delta = replace(delta, reasoning="", reasoning_extra={})  # noqa: PLW2901 - another model's thoughts
            events += self._items.write(delta, cut=cut)
        return self._begin() + self._events(events) if events else b""

    def _begin(self) -> bytes:
        """The first events, once."""
        if self._head is not None:
            return b""
        self._head = new_head(self._request, self._envelope, self._naming.model, self._now, self._store.mark)
        response = in_progress(self._head)
        kinds = ("response.created", "response.in_progress")
        return b"".join(self._event({"type": kind, "response": response}) for kind in kinds)

    def _known(self) -> Head:
        if self._head is None:
            raise RuntimeError("the answer has not begun")
        return self._head

    def _events(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self._event, events))

    def _event(self, fields: JsonObject) -> bytes:
        kind = str(fields["type"])
        if "sequence_number" in fields:
            body = {**fields, "sequence_number": self._number}  # stays at its place
        else:
            body = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return encode(dumps(body), kind)
