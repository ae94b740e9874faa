"""Streams through the neutral form: what a caller gets of them adds up to what it gets where they pass.

The streams are the golden ones of OpenAI's wire, whole, broken and odd, and those of Gemini.
"""

import json
from typing import Any

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.base import Decoder, Encoder, Naming
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.cases import each_case
from tests.support.chats import ASKED
from tests.support.gemini_transcripts import read_all
from tests.support.neutral import check_calls
from tests.wires.openai_chat.test_stream import TRANSCRIPTS, sent_bytes

NOW = 1_800_000_000
OTHER_ENDS = {"end", "break", "silence"}


class Foreign:
    """An encoder that gets the chunks as if another wire had brought them, and keeps them."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.chunks: list[ChatChunk] = []
        self.answered_by, self.heartbeat, self.end, self.error = (
            encoder.answered_by,
            encoder.heartbeat,
            encoder.end,
            encoder.error,
        )

    def passthrough(self, decoder: Decoder) -> None:
        return None

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        self.chunks.append(chunk)
        foreign = ChatChunk(
            chunk.has_content, chunk.usage, Source("another", {}), chunk.plain, chunk.envelope, chunk.deltas
        )
        return self._encoder.encode(foreign, skip)


def played(name: str, encoder: Encoder, *, neutral: bool) -> bytes:
    """What the caller gets of a golden stream."""
    decoder = OpenAIChatProvider().decoder(NOW, Rendered(b"", neutral=neutral))
    answer = AnswerMachine(decoder, encoder, Stall(20.0, 120.0))
    out = b""
    for line in TRANSCRIPTS[name].sent:
        if answer.over:
            break
        if line == "end":
            out += answer.received(b"")
        elif line == "silence":
            out += answer.timed_out()
        elif line == "break":
            out += answer.failed(StreamBroken("The connection broke."))
        else:
            out += answer.received(sent_bytes(line, b""))
    return out


def callers_encoder(name: str) -> Encoder:
    return OpenAIChatCallers().encoder(ASKED, Naming("alias", TRANSCRIPTS[name].usage))


def added_up(stream: bytes) -> dict[str, Any]:
    """A stream's sum, as a client makes it: texts and calls by choice, finishes, usage, errors, and the end."""
    sums: dict[str, Any] = {"choices": {}, "usage": None, "errors": [], "done": False}
    for line in stream.decode().split("\n"):
        if not line.startswith("data: "):
            continue
        if line == "data: [DONE]":
            sums["done"] = True
            continue
        event = json.loads(line.removeprefix("data: "))
        if event.get("error"):
            sums["errors"].append(event["error"]["code"])
        counts = event.get("usage")
        sums["usage"] = [counts["prompt_tokens"], counts["completion_tokens"]] if counts else sums["usage"]
        for choice in event.get("choices", ()):
            own = sums["choices"].setdefault(choice["index"], {"calls": {}, "finish": None})
            _add(own, choice)
    return sums


def _add(own: dict[str, Any], choice: dict[str, Any]) -> None:
    delta = choice["delta"]
    own["finish"] = choice.get("finish_reason") or own["finish"]
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    for name, words in (("content", delta.get("content")), ("reasoning", thought), ("refusal", delta.get("refusal"))):
        own[name] = own.get(name, "") + (words or "")
    for fragment in delta.get("tool_calls") or ():
        call = own["calls"].setdefault(fragment["index"], {"id": "", "name": "", "arguments": ""})
        detail = fragment.get("function") or fragment.get("custom") or {}
        call["id"] += "made" if str(fragment.get("id", "")).startswith("call_") else fragment.get("id") or ""
        call["name"] += detail.get("name") or ""
        call["arguments"] += detail.get("arguments") or detail.get("input") or ""


@each_case("name", TRANSCRIPTS)
def test_a_stream_of_openai_adds_up_to_the_same_through_the_neutral_form(name: str) -> None:
    foreign = Foreign(callers_encoder(name))
    through = added_up(played(name, foreign, neutral=True))
    passed = added_up(played(name, callers_encoder(name), neutral=False))
    if not passed["done"]:  # of a stream that breaks the finish is held back with the end
        for own in (*through["choices"].values(), *passed["choices"].values()):
            own["finish"] = None
        passed["usage"] = through["usage"]
    assert through == passed
    check_calls(foreign.chunks)


@each_case("name", read_all("streams"))
def test_a_stream_of_gemini_has_whole_calls_in_their_order(name: str) -> None:
    row = read_all("streams")[name]
    decoder = Gemini(ReasoningMemory()).decoder(NOW, row.asked)
    chunks = [chunk for event in row.events for chunk in decoder.feed(b"data: " + event.data + b"\r\n\r\n")]
    check_calls([*chunks, *decoder.close()])
