"""What an event of a stream costs between two wires, in one process: `python -m benchmarks.wire_costs`.

The columns are the ways from a chat provider to a caller: passed by the template, decoded and encoded, read into
neutral form and written from it, and the same for a caller of the Messages API. The second table is for a provider and
a caller of the Responses API: passed, how that compares with the template, and decoded and encoded. Figures are
microseconds of processor time an event, the best of the rounds; only ratios of one run can be quoted. It runs the
gateway's code in its own process, as `profiled` does.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.core.response_store import ResponseStore
from gateway.core.source import Source
from gateway.core.sse import encode
from gateway.core.strict_json import JsonObject, dumps
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import Decoder, Encoder, Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_responses.inbound import OpenAIResponsesCallers
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory

EVENTS: Final = 400
ROUNDS: Final = 25
NOW: Final = 1_700_000_000
HEAD: Final[JsonObject] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": "theirs"}
COLUMNS: Final = (("template", 12), ("decoded", 12), ("neutral", 12), ("ratio", 8), ("Messages", 12), ("ratio", 8))
RESPONSES_COLUMNS: Final = (("passed", 12), ("ratio", 12), ("decoded", 12))
DELTAS: Final = {"text": "output_text", "pieces of a call": "function_call_arguments"}
ELSEWHERE: Final = Source("another wire", {})


class _Foreign:
    """A decoder whose chunks are another wire's, so that only their neutral form can be written.

    The copy that this takes is not what is measured: its time is taken off.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.fault, self.done, self.skipped, self.mended = decoder.fault, False, 0, 0
        self.copying = 0.0

    @property
    def complete(self) -> bool:
        return self._decoder.complete

    def feed(self, data: bytes) -> list[ChatChunk]:
        chunks = self._decoder.feed(data)
        began = time.perf_counter()
        foreign = [replace(chunk, source=ELSEWHERE) for chunk in chunks]
        self.copying += time.perf_counter() - began
        return foreign

    def close(self) -> list[ChatChunk]:
        return self._decoder.close()


class _Without:
    """An encoder without its passthrough."""

    def __init__(self, encoder: Encoder) -> None:
        self.encode, self.end, self.error = encoder.encode, encoder.end, encoder.error
        self.answered_by, self.heartbeat = encoder.answered_by, encoder.heartbeat

    def passthrough(self, decoder: Decoder) -> None:
        return None


def main() -> int:
    """Print the table."""
    rows = {"text": _events({"content": "word "}), "pieces of a call": _events(_fragment("ab"))}
    templates: dict[str, float] = {}
    _heads("us an event", COLUMNS)
    for name, events in rows.items():
        first = [] if name == "text" else _events(_fragment("{", begins=True))[:1]
        ways = (_passed, _decoded, _neutral, _messages)
        passed, decoded, neutral, messages = (_best(way, [*first, *events]) for way in ways)
        figures = f"{passed:>12.2f}{decoded:>12.2f}{neutral:>12.2f}{neutral / decoded:>8.2f}"
        figures += f"{messages:>12.2f}{messages / decoded:>8.2f}"
        sys.stdout.write(f"{name:<20}{figures}\n")
        templates[name] = passed
    _heads("Responses", RESPONSES_COLUMNS)
    for name, template in templates.items():
        passed, decoded = (_best(way, _responses_events(name)) for way in (_responses, _responses_decoded))
        sys.stdout.write(f"{name:<20}{passed:>12.2f}{passed / template:>12.2f}{decoded:>12.2f}\n")
    return 0


def _heads(title: str, columns: Sequence[tuple[str, int]]) -> None:
    sys.stdout.write(f"{title:<20}{''.join(f'{head:>{width}}' for head, width in columns)}\n")


def _best(way: Callable[[Sequence[bytes]], float], events: Sequence[bytes]) -> float:
    return min(way(events) for _ in range(ROUNDS)) / len(events) * 1e6


def _passed(events: Sequence[bytes]) -> float:
    return _timed(_decoder(neutral=False), _encoder(), events)


def _decoded(events: Sequence[bytes]) -> float:
    return _timed(_decoder(neutral=False), _Without(_encoder()), events)


def _neutral(events: Sequence[bytes]) -> float:
    decoder = _Foreign(_decoder(neutral=True))
    return _timed(decoder, _Without(_encoder()), events) - decoder.copying


def _messages(events: Sequence[bytes]) -> float:
    """A caller of the Messages API: its encoder writes blocks."""
    callers = AnthropicMessagesCallers()
    asked: JsonObject = {"model": "alias", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    encoder = callers.encoder(callers.parse_request(dumps(asked)), Naming("alias", usage=True))
    return _timed(_decoder(neutral=True), encoder, events)


def _responses(events: Sequence[bytes]) -> float:
    return _timed(*_responses_ends(), events[1:], begin=events[0])


def _responses_decoded(events: Sequence[bytes]) -> float:
    decoder, encoder = _responses_ends()
    return _timed(decoder, _Without(encoder), events[1:], begin=events[0])


def _responses_ends() -> tuple[Decoder, Encoder]:
    callers = OpenAIResponsesCallers(ResponseStore(time.monotonic), time.time)
    asked = callers.parse_request(dumps({"model": "alias", "input": "Hi"}))
    decoder = OpenAIResponsesProvider("one", ReasoningMemory()).decoder(NOW, Rendered(b""))
    return decoder, callers.encoder(asked, Naming("alias", usage=True))


def _timed(decoder: Decoder, encoder: Encoder, events: Sequence[bytes], begin: bytes = b"") -> float:
    """Seconds for all events, after the one that begins the answer."""
    machine = AnswerMachine(decoder, encoder, Stall(20.0, 120.0))
    machine.received(begin or _events({"role": "assistant", "content": ""})[0])
    began = time.perf_counter()
    for event in events:
        machine.received(event)
    return time.perf_counter() - began


def _decoder(*, neutral: bool) -> Decoder:
    return OpenAIChatProvider().decoder(NOW, Rendered(b"", neutral=neutral))


def _encoder() -> Encoder:
    callers = OpenAIChatCallers()
    asked: JsonObject = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}
    request: ChatRequest = callers.parse_request(dumps(asked))
    return callers.encoder(request, Naming("alias", usage=False))


def _fragment(arguments: str, *, begins: bool = False) -> JsonObject:
    begin: JsonObject = {"id": "call_1", "type": "function"} if begins else {}
    function: JsonObject = {"name": "get", "arguments": arguments} if begins else {"arguments": arguments}
    return {"tool_calls": [{"index": 0, **begin, "function": function}]}


def _events(delta: JsonObject) -> list[bytes]:
    choice: JsonObject = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return [b"data: %b\n\n" % dumps({**HEAD, "choices": [choice]})] * EVENTS


def _responses_events(name: str) -> list[bytes]:
    """The first is what comes before the deltas."""
    response: JsonObject = {"id": "resp_1", "object": "response", "created_at": NOW, "model": "theirs", "output": []}
    item: JsonObject = {"id": "item_1", "type": "message", "role": "assistant", "content": []}
    if name != "text":
        item = {"id": "item_1", "type": "function_call", "call_id": "call_1", "name": "get", "arguments": ""}
    place: JsonObject = {"item_id": "item_1", "output_index": 0}
    delta: JsonObject = {"type": f"response.{DELTAS[name]}.delta", **place, "delta": "ab"}
    if name == "text":
        delta = {**delta, "content_index": 0, "delta": "word ", "logprobs": []}
    bodies: list[JsonObject] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *[delta] * EVENTS,
    ]
    events = [
        encode(dumps({"type": body["type"], "sequence_number": number, **body}), str(body["type"]))
        for number, body in enumerate(bodies)
    ]
    return [b"".join(events[:2]), *events[2:]]


if __name__ == "__main__":
    sys.exit(main())
