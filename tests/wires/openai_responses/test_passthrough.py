"""Events that pass decoder and encoder as bytes: held to what those two give, for any stream and any cut of it."""

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChoiceDelta, Usage
from gateway.core.provider_failures import InvalidAnswer, StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.response_store import ResponseStore, Turn
from gateway.core.strict_json import JsonObject
from gateway.streaming.answer_machine import AnswerMachine, Stall
from gateway.wires.base import Decoder, Naming
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_errors import unmasked
from gateway.wires.openai_responses.inbound.encoder import EventEncoder
from gateway.wires.openai_responses.outbound.decoder import EventDecoder
from gateway.wires.openai_responses.passthrough import CREDIT, PRICE
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.responses import a_store, asked, chunk
from tests.support.responses_answers import encoded, message, response
from tests.wires.openai_responses.deltas import OPENED, OPENING, SAYS, SHAPES, USUAL, Written, cuts, stream_of, streams

NOW = 1_800_000_000
STALL = Stall(20.0, 120.0)
MADE = re.compile(r"[0-9a-f]{24,}")
OWN = Rendered(b"")


class SlowEncoder(EventEncoder):
    """Has every event decoded and encoded."""

    def passthrough(self, decoder: Decoder) -> None:
        return None


class CountingDecoder(EventDecoder):
    """Counts the chunks that it makes."""

    decoded = 0

    def feed(self, data: bytes) -> list[ChatChunk]:
        chunks = super().feed(data)
        self.decoded += len(chunks)
        return chunks


class Keeper(ResponseStore):
    """A store that shows what it was given."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.kept: list[Turn] = []

    def keep(self, turn: Turn) -> None:
        self.kept.append(turn)
        super().keep(turn)


def decoder() -> CountingDecoder:
    return CountingDecoder(NOW, OWN, ReasoningMemory())


def encoder(store: ResponseStore, kind: type[EventEncoder] = EventEncoder, model: str | None = "alias") -> EventEncoder:
    return kind(asked(), Naming(model, usage=True), store, unmasked, lambda: NOW)


def pieces_of(stream: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges) if end > start]


def step(machine: AnswerMachine, piece: bytes) -> tuple[object, ...]:
    try:
        said = machine.received(piece)
    except InvalidAnswer as failure:
        said = machine.failed(StreamBroken(failure.message))
    error = machine.error
    seen = (machine.text_so_far, machine.usage, machine.skipped, machine.mended, machine.read_timeout, machine.over)
    return (said, *seen, repr(error) + error.message if error else None, machine.interrupted is not None)


def told(pieces: Sequence[bytes], kind: type[EventEncoder], model: str | None, beat: int, end: str) -> str:
    """All that is seen of an answer that has begun, has a heartbeat before one of its pieces, and ends in one of three
    ways if it does not end by itself. The ids that the gateway makes are left out."""
    store = Keeper()
    writer = encoder(store, kind, model)
    writer.answered_by("one/x", None)
    machine = AnswerMachine(decoder(), writer, STALL, resumable=True)
    steps: list[object] = []
    for number, piece in enumerate([OPENING, *pieces, b""]):
        if not machine.over and not machine.interrupted:
            steps += [machine.heartbeat()] if number == beat else []
            steps.append(step(machine, piece))
    if not machine.over and end == "given up":
        steps.append(machine.give_up())
    elif not machine.over:
        steps += [writer.answered_by("two/y", Usage(1, 2)), writer.encode(chunk(ChoiceDelta(0, text="more")))]
        steps.append(writer.end() if end == "resumed" else writer.error(StreamBroken("It broke again.")))
    return MADE.sub("made", repr((steps, store.kept)))


@given(
    streams,
    cuts,
    st.sampled_from([None, "alias"]),
    st.sampled_from([-1, -1, -1, 0, 1, 2]),
    st.sampled_from(["given up", "resumed", "failed"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the code
def test_what_passes_is_what_decoder_and_encoder_give(
    stream: bytes, places: list[int], model: str | None, beat: int, end: str
) -> None:
    came = pieces_of(stream, places)
    assert told(came, EventEncoder, model, beat, end) == told(came, SlowEncoder, model, beat, end)


def test_what_is_kept_of_a_whole_answer_is_what_is_kept_of_one_that_is_decoded() -> None:
    closing = {"type": "response.completed", "sequence_number": 24, "response": response(message("Hi there"))}
    came = [stream_of([Written("OpenAI's")] * 20), encoded(closing)]
    kept = told(came, EventEncoder, "alias", -1, "")
    assert kept == told(came, SlowEncoder, "alias", -1, "")
    assert "Turn(id='resp_provider_1'" in kept


DELTA = Written("OpenAI's")
RENAMED = (
    b"event: response.output_text.delta\ndata: " + Written("of a refusal").numbered(OPENED).partition(b"data: ")[2]
)


@pytest.mark.parametrize(
    "came",
    [
        [RENAMED, DELTA.numbered(OPENED + 1)],
        [Written("OpenAI's", end="\n", named=False).numbered(OPENED), DELTA.numbered(OPENED)],
        [Written("OpenAI's", end="\r\n\r").numbered(OPENED), DELTA.numbered(OPENED + 1), b"\n", b"\n"],
        [Written("with another delta first", "a", "x").numbered(OPENED), DELTA.numbered(OPENED + 1)],
    ],
    ids=["two types", "no blank line", "half a line end", "another delta"],
)
def test_an_event_that_only_looks_usual_is_decoded(came: list[bytes]) -> None:
    assert told(came, EventEncoder, "alias", -1, "resumed") == told(came, SlowEncoder, "alias", -1, "resumed")


def begun(*, model: str | None = "alias") -> tuple[CountingDecoder, AnswerMachine]:
    """An answer whose first events have come; what is decoded is counted from here."""
    reader = decoder()
    machine = AnswerMachine(reader, encoder(a_store(), model=model), STALL, resumable=True)
    machine.received(OPENING)
    reader.decoded = 0
    return reader, machine


@pytest.mark.parametrize("shape", [name for name, (kind, _) in USUAL.items() if kind == SAYS or "reasoning" in kind])
@pytest.mark.parametrize("together", [1, 7, 100])
def test_no_event_of_a_usual_stream_is_decoded(shape: str, together: int) -> None:
    reader, machine = begun()
    texts = [f"wörd {number} \\n" for number in range(100)]
    written = [Written(shape, text, pad="x" * (at % 5)) for at, text in enumerate(texts)]
    out = b""
    for at in range(0, 100, together):
        piece = stream_of(written[at : at + together], start=OPENED + at)
        assert machine.received(piece) == piece
        out += piece
    assert out == stream_of(written)
    assert reader.decoded == 0
    said = "".join(text.replace("\\n", "\n") for text in texts) if SHAPES[shape][0] == SAYS else ""
    assert machine.text_so_far == said


@pytest.mark.parametrize("size", [37, 500, 1_000])
def test_only_events_that_are_cut_behind_their_type_are_decoded(size: int) -> None:
    """An event of which the type and a part of the data have come passes when the rest comes."""
    reader, machine = begun()
    stream = stream_of([Written("OpenAI's", f"word {number}") for number in range(100)])
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert b"".join(map(machine.received, pieces)) == stream
    ends_behind = sum(1 for at in range(size, len(stream), size) if stream[:at].endswith(b"}\n"))
    assert reader.decoded <= ends_behind


def test_the_pieces_of_a_call_pass_once_the_call_has_begun() -> None:
    reader, machine = begun()
    machine.received(Written("a call's begin").numbered(OPENED))
    assert reader.decoded == 1
    stream = stream_of([Written("of a call", '{\\"a') for _ in range(20)], start=OPENED + 1)
    assert machine.received(stream) == stream
    assert reader.decoded == 1


def test_a_piece_of_a_call_that_nobody_has_announced_ends_what_can_be_resumed() -> None:
    reader, machine = begun()
    machine.received(Written("OpenAI's").numbered(OPENED))
    assert machine.text_so_far == "a" and machine.read_timeout == STALL.replaceable
    machine.received(Written("of a call").numbered(OPENED + 1))
    assert reader.decoded == 1
    assert machine.text_so_far == "" and machine.read_timeout == STALL.alone


def test_after_a_heartbeat_events_get_other_numbers() -> None:
    reader, machine = begun()
    assert b'"sequence_number":4' in machine.heartbeat()
    came = Written("OpenAI's").numbered(OPENED)
    assert machine.received(came) == Written("OpenAI's").numbered(OPENED + 1)
    assert reader.decoded == 1


def test_no_form_is_sought_again_and_again_where_no_event_is_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, machine = begun()
    seen: list[str] = []

    def notes(kind: str, event: JsonObject) -> bool:
        seen.append(kind)
        return False

    monkeypatch.setattr(reader, "notes_delta", notes)
    for number in range(100):
        machine.received(Written("OpenAI's").numbered(OPENED + number))
    assert len(seen) == CREDIT // PRICE
    assert reader.decoded == 100


def test_there_is_no_way_past_a_decoder_of_another_wire() -> None:
    writer = encoder(a_store())
    assert writer.passthrough(decoder()) is not None
    assert writer.passthrough(OpenAIChatProvider().decoder(NOW, OWN)) is None


def test_nothing_passes_where_neutral_form_is_asked_for() -> None:
    reader = CountingDecoder(NOW, Rendered(b"", neutral=True), ReasoningMemory())
    machine = AnswerMachine(reader, encoder(a_store()), STALL)
    machine.received(OPENING)
    reader.decoded = 0
    event = Written("OpenAI's").numbered(OPENED)
    assert machine.received(event) == event
    assert reader.decoded == 1
