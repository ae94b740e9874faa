"""What an event of a stream costs between two wires, in one process: `python -m benchmarks.wire_costs`.

The columns are the ways from a chat provider to a caller: passed by the template, decoded and encoded, read into
neutral form and written from it, and the same for a caller of the Messages API. Figures are microseconds of processor
time an event, the best of the rounds; only ratios of one run can be quoted. It runs the gateway's code in its own
process, as `profiled` does.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, dumps
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import Decoder, Encoder, Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider

EVENTS: Final = 400
ROUNDS: Final = 25
NOW: Final = 1_700_000_000
HEAD: Final[JsonObject] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": "theirs"}
COLUMNS: Final = (("template", 12), ("decoded", 12), ("neutral", 12), ("ratio", 8), ("Messages", 12), ("ratio", 8))
ELSEWHERE: Final = Source("another wire", {})


class _Foreign:
    """A decoder whose chunks are another wire's, so that only their neutral form can be written.

    The copy that this takes is not what is measured: its time is taken off.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.fault, self.done, self.skipped = decoder.fault, False, 0
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
    heads = "".join(f"{head:>{width}}" for head, width in COLUMNS)
    sys.stdout.write(f"{'us an event':<20}{heads}\n")
    for name, events in rows.items():
        first = [] if name == "text" else _events(_fragment("{", begins=True))[:1]
        ways = (_passed, _decoded, _neutral, _messages)
        passed, decoded, neutral, messages = (_best(way, [*first, *events]) for way in ways)
        figures = f"{passed:>12.2f}{decoded:>12.2f}{neutral:>12.2f}{neutral / decoded:>8.2f}"
        figures += f"{messages:>12.2f}{messages / decoded:>8.2f}"
        sys.stdout.write(f"{name:<20}{figures}\n")
    return 0


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


def _timed(decoder: Decoder, encoder: Encoder, events: Sequence[bytes]) -> float:
    """Seconds for all events, after the one that begins the answer."""
    machine = AnswerMachine(decoder, encoder, Stall(20.0, 120.0))
    machine.received(_events({"role": "assistant", "content": ""})[0])
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


if __name__ == "__main__":
    sys.exit(main())
