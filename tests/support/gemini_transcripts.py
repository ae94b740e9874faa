"""Gemini's answers as transcripts: what a server sends, and what it adds up to.

A transcript is a file in golden/gemini. Its head says what it is about, and one of its lines may be `choices: 2`, for
how many answers were asked. Then comes what was sent: of a stream the events, each after `<`, of a whole answer its
body. After `---` stands the sum, a line for each choice with whatever is not empty in it, then the usage; or the fault,
or `unfinished` where the answer was cut off. `+` stands for what Google's events begin with (responseId,
modelVersion), `<!` marks an event that is not as Google's schema has it. Ids that the gateway makes up are GENERATED.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs, to_builtins

from gateway.core.answer import ChatChunk, ChatResponse, ChoiceDelta
from gateway.core.deltas import assemble, merged
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.request import Tool
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, dumps, loads
from gateway.wires.gemini.decoder import EventDecoder
from gateway.wires.reasoning_memory import ReasoningMemory

GOLDEN = Path(__file__).parents[1] / "golden" / "gemini"
ENVELOPE = '"responseId":"r-1","modelVersion":"gemini-2.5-flash"'
NOW = 1_800_000_000
TOOLS = {
    "get_weather": Tool("get_weather"),
    "fs_read": Tool("fs/read"),
    "apply_patch": Tool("apply_patch", kind="custom"),
}


@dataclass(frozen=True)
class Event:
    """`standard`: Google's schema allows it."""

    data: bytes
    standard: bool


@dataclass(frozen=True)
class Transcript:
    choices: int
    sent: str
    sum: tuple[str, ...]

    @property
    def asked(self) -> Rendered:
        return Rendered(b"", choices=self.choices, tools=TOOLS)

    @property
    def events(self) -> list[Event]:
        return [_event(line) for line in self.sent.splitlines()]

    @property
    def bodies(self) -> list[JsonValue]:
        """The events that are JSON."""
        return [body for event in self.events if (body := _loaded(event.data)) is not None]


def read(path: Path) -> Transcript:
    head, _, rest = path.read_text("utf-8").partition("\n\n")
    sent, _, total = rest.partition("\n---\n")
    asked = re.search(r"^choices: (\d)$", head, re.MULTILINE)
    return Transcript(int(asked[1]) if asked else 1, sent, tuple(total.splitlines()))


def read_all(folder: str) -> dict[str, Transcript]:
    return {path.stem: read(path) for path in sorted((GOLDEN / folder).glob("*.txt"))}


def decoder(asked: Rendered) -> EventDecoder:
    return EventDecoder(NOW, asked, ReasoningMemory())


def total(answer: ChatResponse) -> list[str]:
    """What an answer says, as the lines of a transcript."""
    lines = [_shown(_fields(said)) for said in merged(answer.deltas)]
    if answer.usage:
        counts: JsonObject = structs.asdict(answer.usage)
        assert counts.pop("cache_write") == counts.pop("cache_write_1h") == 0
        lines.append("usage " + _shown(counts))
    return lines


def _fields(said: ChoiceDelta) -> JsonObject:
    """A choice; of its calls, which are whole and in their order, what can differ."""
    assert all(call.ended for call in said.calls)
    assert [call.index for call in said.calls] == list(range(len(said.calls)))
    calls = [
        {"id": call.id, "name": call.name, "arguments": call.arguments, "kind": call.kind, "extra": call.extra}
        for call in said.calls
    ]
    return {**to_builtins(said), "calls": calls or None}


def fault(failure: ProviderFailure) -> str:
    return f"{type(failure).__name__}: {failure.message}"


def outcome(chunks: Iterable[ChatChunk], decoder: EventDecoder) -> list[str]:
    """What a stream came to, as the lines of a transcript."""
    if decoder.fault:
        return [fault(decoder.fault)]
    lines = total(assemble(chunks, Source("gemini", {})))
    return lines if decoder.done else [*lines, "unfinished"]


def _event(line: str) -> Event:
    mark, _, data = line.partition(" ")
    assert mark in ("<", "<!"), line
    if data.startswith("+"):
        rest = data[1:].strip().removeprefix("{")
        data = "{" + ENVELOPE + ("," if rest != "}" else "") + rest
    return Event(data.encode(), standard=mark == "<")


def _loaded(data: bytes) -> JsonValue:
    try:
        return loads(data)
    except JsonFault:
        return None


def _shown(fields: JsonValue) -> str:
    return re.sub(r"\bcall_[0-9a-f]{24}\b", "call_GENERATED", dumps(_plain(fields)).decode())


def _plain(value: JsonValue) -> JsonValue:
    """Without what is empty; a zero is not."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one not in ("", None, (), {})}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
