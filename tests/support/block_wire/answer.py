"""Answers of the invented wire: the numbered events of a stream, and the whole answer that they add up to."""

from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChatChunk, ChatResponse, Envelope, Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.request import ChatRequest
from gateway.core.sse import encode
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, as_object, dumps, loads
from gateway.wires.base import Decoder, Naming, Passthrough
from tests.support.block_wire import errors
from tests.support.block_wire.blocks import ERRAND, Add, BlockEvent, BlockWriter, Close, Open, without_text
from tests.support.block_wire.request import shows_thoughts

ENDS: Final = {"stop": "said", "length": "out of breath", "tool_calls": "errands", "content_filter": "silenced"}


def whole(response: ChatResponse, request: ChatRequest, naming: Naming) -> JsonObject:
    """The whole answer: what the events of its stream add up to.

    Raises:
        InvalidAnswer: the input of an errand is no JSON object.
    """
    writer = BlockWriter(thoughts=shows_thoughts(request.source), most_held=1 << 30)
    events = [event for delta in response.deltas for event in writer.write(delta)]
    finish = next((delta.finish for delta in reversed(response.deltas) if delta.finish and not delta.index), None)
    return {
        **_head(response.envelope, naming),
        "blocks": [_checked(block) for block in added_up([*events, *writer.close()])],
        **_tail(finish, response.usage, called=writer.called),
    }


def added_up(events: Iterable[BlockEvent]) -> list[JsonObject]:
    """The blocks of a stream; an errand's input is still the text that the model wrote."""
    texts: list[list[str]] = []
    found: list[JsonObject] = []
    for event in events:
        if isinstance(event, Open):
            texts.append([])
            found.append(_opened(event))
        elif isinstance(event, Add):
            texts[event.block].append(event.text)
    return [
        {**block, "input" if block["is"] == ERRAND else "words": "".join(text)}
        for block, text in zip(found, texts, strict=True)
    ]


class EventEncoder:
    """Implements Encoder of gateway.wires.base.

    Args:
        request: that is answered.
        naming: what the answer shows.
        mask: removes secrets from an error's texts.
        most_held: characters that may wait for the end of the open call.
    """

    def __init__(self, request: ChatRequest, naming: Naming, mask: Callable[[str], str], most_held: int) -> None:
        self._naming = naming
        self._mask = mask
        self._writer = BlockWriter(thoughts=shows_thoughts(request.source), most_held=most_held)
        self._number = 0
        self._begun = False
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._spent: Usage | None = None
        self._answered = False

    def passthrough(self, decoder: Decoder) -> Passthrough | None:
        return None

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        deltas = without_text(chunk.deltas, skip)
        events = [event for delta in deltas for event in self._writer.write(delta)]  # all of it, or none has a number
        self._usage = chunk.usage or self._usage
        self._finish = next((one.finish for one in reversed(deltas) if one.finish and not one.index), self._finish)
        begin, self._begun = not self._begun, True
        head = self._event("begin", _head(chunk.envelope, self._naming)) if begin else b""
        return head + self._events(events)

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        if not self._answered:
            self._answered = True
            return b""
        self._spent = spent
        self._writer.resume()
        return self._event("moved", {"to": provider})

    def heartbeat(self) -> bytes:
        return self._event("hum", {})

    def end(self) -> bytes:
        counted = self._usage if self._usage is None or self._spent is None else self._usage + self._spent
        tail = _tail(self._finish, counted, called=self._writer.called)
        return self._events(self._writer.close()) + self._event("end", tail)

    def error(self, error: GatewayError) -> bytes:
        return self._event("doom", errors.body(error, self._mask))

    def _events(self, events: Iterable[BlockEvent]) -> bytes:
        return b"".join(map(self._block_event, events))

    def _block_event(self, event: BlockEvent) -> bytes:
        match event:
            case Open(block):
                return self._event("open", {"block": block, **_opened(event)})
            case Add(block, text):
                return self._event("add", {"block": block, "more": text})
            case Close(block):
                return self._event("close", {"block": block})

    def _event(self, name: str, fields: JsonObject) -> bytes:
        number, self._number = self._number, self._number + 1
        return encode(dumps({"n": number, **fields}), name)


def _head(envelope: Envelope | None, naming: Naming) -> JsonObject:
    known = envelope or Envelope("", 0, "")
    return {"answer": f"orc_{known.id or token_hex(8)}", "mind": naming.model or known.model}


def _tail(finish: str | None, usage: Usage | None, *, called: bool) -> JsonObject:
    tokens: JsonObject = {} if usage is None else {"tokens": {"in": usage.prompt, "out": usage.completion}}
    return {"end": ENDS[finish or ("tool_calls" if called else "stop")], **tokens}


def _opened(event: Open) -> JsonObject:
    call = event.call
    named: JsonObject = {} if call is None else {"errand": call.id, "tool": call.name}
    return {"is": event.kind, **named}


def _checked(block: JsonObject) -> JsonValue:
    """A block of a whole answer, where the input of an errand is an object."""
    if block["is"] != ERRAND:
        return block
    try:
        return {**block, "input": as_object(loads(str(block["input"] or "{}").encode()))}
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider called a tool with arguments that are no JSON object: {fault}") from None
