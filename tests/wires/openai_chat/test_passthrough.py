"""Events that pass decoder and encoder as bytes: held to what those two give, for any stream and any cut of it."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, Usage
from gateway.core.provider_failures import InvalidAnswer, StreamBroken
from gateway.core.rendered import Rendered
from gateway.core.sse import encode
from gateway.core.strict_json import dumps, loads
from gateway.streaming.answer_machine import AFTER_FINISH, MAX_RESUMABLE_CHARS, AnswerMachine, Stall
from gateway.wires.base import Decoder, Naming
from gateway.wires.gemini.decoder import EventDecoder
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.inbound.encoder import ChunkEncoder
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.decoder import ChunkDecoder
from gateway.wires.openai_chat.passthrough import CREDIT, PRICE
from gateway.wires.openai_errors import unmasked
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.chats import ASKED

NOW = 1_800_000_000
STALL = Stall(20.0, 120.0)
HEAD = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"theirs"'
OPENING = f'{{{HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"A"}},"finish_reason":null}}]}}'
SHAPES = {
    "OpenAI's": '{HEAD,"service_tier":"default","choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":null,'
    '"finish_reason":null}],"usage":null,"obfuscation":"PAD"}',
    "a compatible server's": '{HEAD,"choices":[{"index":0,"delta":{"role":"assistant","content":"TEXT"},'
    '"finish_reason":null}]}',
    "one with spaces": '{"choices": [ {"delta": {"content" : "TEXT", "tool_calls": null}, "index": 0}], HEAD}',
    "one that thinks": '{HEAD,"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"TEXT"}}],"p":"PAD"}',
    "one that thinks and speaks": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT","reasoning":"PAD"}}]}',
    "without an id": '{"object":"chunk","choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":""}]}',
    "annotated": '{HEAD,"choices":[{"index":0,"delta":{"content":"","annotations":[{"content":"TEXT"}]}}]}',
    "with a key twice": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT","content":"PAD"}}]}',
    "with probabilities": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":{"content":[1]}}]}',
    "of a second choice": '{HEAD,"choices":[{"index":1,"delta":{"content":"TEXT"}}]}',
    "of two choices": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"}},'
    '{"index":1,"delta":{"content":"TEXT"}}]}',
    "in parts": '{HEAD,"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"x"}]}}],"p":"PAD"}',
    "in thoughts": '{HEAD,"choices":[{"index":0,"delta":{"reasoning_content":"TEXT","content":[{"type":"thinking",'
    '"thinking":[{"type":"text","text":"x"}]}]}}]}',
    "of a tool call": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT","tool_calls":[{"index":0,"id":"c",'
    '"function":{"name":"f","arguments":"{}"}}]}}]}',
    "with usage": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"}}],"usage":{"prompt_tokens":1}}',
    "of usage alone": '{HEAD,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    "with a finish": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":"stop"}]}',
    "that failed": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":"error"}]}',
    "an error": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"}}],"error":{"message":"TEXT"}}',
    "a list": '[{"p":"PAD"}]',
    "refused": '{HEAD,"choices":[{"index":0,"delta":{"refusal":"TEXT","p":"PAD"}}]}',
    "numbered": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT","token_id":7}}]}',
    "marked": '{HEAD,"choices":[{"index":0,"delta":{"content":"the gateway\'s mark 0"}}]}',
    "no JSON": '{HEAD,"choices":[{"index":0,"delta":{"content":"TEXT"}}]',
}
USUAL = ["OpenAI's", "a compatible server's", "one with spaces", "one that thinks", "one that thinks and speaks"]

texts = st.one_of(
    st.sampled_from(
        (
            *("", "a", " b", "\\n", '\\"', "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "é", "\x7f"),
            *("\x01", '"', '","content":"x', "\\", '"}}]}', "\xa0", "data: ", "the gateway's mark 0", "\r", "\n"),
        )
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4).map(lambda text: json.dumps(text)[1:-1]),
    st.text('ab\\"u0\n', max_size=4),
)
heads = st.sampled_from([HEAD] * 8 + [HEAD.replace("1700000000", "1700000001"), HEAD.replace("chatcmpl-1", "other")])
events = st.builds(
    lambda name, head, text, pad: SHAPES[name].replace("HEAD", head).replace("TEXT", text).replace("PAD", pad),
    st.one_of(st.sampled_from(USUAL), st.sampled_from(USUAL[:1] * 3 + [*SHAPES])),
    heads,
    texts,
    texts,
)
data = st.one_of(
    events.map(lambda event: b"data: " + event.encode()),
    events.map(lambda event: b"data: " + event.encode()),
    events.map(lambda event: b"data:" + event.encode()),
    st.sampled_from([b"data: [DONE]", b": a comment", b"event: error\ndata: {}", b"id: 1", b"data: {", b""]),
    events.map(lambda event: b"data: " + event.encode().replace(b'"choices"', b'\ndata: "choices"')),
    events.map(lambda event: b"data: " + event.encode("latin-1", "replace")),
)
ends = st.sampled_from([b"\n\n"] * 12 + [b"\r\n\r\n", b"\n", b"\r\r", b"\n\n\n"])
runs = st.one_of(
    st.builds(lambda one, end, count: (one + end) * count, data, ends, st.integers(1, 4)),
    st.builds(lambda one, end: one + end, data, ends),
)
streams = st.lists(runs, max_size=14).map(b"".join)
cuts = st.lists(st.integers(0, 4_000), max_size=8)


class SlowEncoder(ChunkEncoder):
    """Has every event decoded and encoded."""

    def passthrough(self, decoder: Decoder) -> None:
        return None


@dataclass(frozen=True)
class Heard:
    """What a driver sees of a machine after each piece."""

    said: bytes
    kept: str
    usage: Usage | None
    skipped: int
    read_timeout: float
    over: bool
    error: str | None
    interrupted: str | None


def step(machine: AnswerMachine, piece: bytes) -> Heard:
    try:
        said = machine.received(piece)
    except InvalidAnswer as failure:
        said = machine.failed(StreamBroken(failure.message))
    error, interrupted = machine.error, machine.interrupted
    return Heard(
        said,
        machine.text_so_far,
        machine.usage,
        machine.skipped,
        machine.read_timeout,
        machine.over,
        repr(error) + error.message if error else None,
        interrupted.message if interrupted else None,
    )


def pieces_of(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [*(stream[start:end] for start, end in itertools.pairwise(edges) if end > start), b""]


def play(machine: AnswerMachine, pieces: Sequence[bytes]) -> Iterator[Heard]:
    for piece in pieces:
        if not machine.over and not machine.interrupted:
            yield step(machine, piece)


def heard(pieces: Sequence[bytes], encoder: ChunkEncoder, second: Sequence[bytes]) -> list[Heard]:
    """A stream that has begun, and after an interruption another one that goes on."""
    machine = AnswerMachine(decoder(), encoder, STALL, resumable=True)
    told = [*play(machine, [encode(OPENING.encode()), *pieces])]
    if machine.interrupted:
        fresh = decoder()
        machine.resume(fresh, fresh.feed(encode(OPENING.encode())), "another", restarted=False)
        told += play(machine, second)
    return told


def decoder() -> ChunkDecoder:
    return ChunkDecoder(NOW, Rendered(b"", choices=1))


@given(streams, cuts, streams, cuts, st.sampled_from([None, "alias"]), st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the code
def test_what_passes_is_what_decoder_and_encoder_give(
    stream: bytes, places: list[int], second: bytes, others: list[int], model: str | None, usage: bool
) -> None:
    naming = Naming(model, usage)
    came, further = pieces_of(stream, places), pieces_of(second, others)
    assert heard(came, ChunkEncoder(naming, unmasked), further) == heard(came, SlowEncoder(naming, unmasked), further)


class CountingDecoder(ChunkDecoder):
    """Counts the events that it decodes."""

    decoded = 0

    def chunk(self, event: object) -> ChatChunk | None:
        self.decoded += 1
        return super().chunk(event)  # type: ignore[arg-type]


def event_of(shape: str, text: str, pad: str = "x") -> bytes:
    return encode(SHAPES[shape].replace("HEAD", HEAD).replace("TEXT", text).replace("PAD", pad).encode())


@pytest.mark.parametrize("shape", USUAL)
@pytest.mark.parametrize("together", [1, 7, 100_000])
def test_of_a_usual_stream_one_event_is_decoded_for_all(shape: str, together: int) -> None:
    reader = CountingDecoder(NOW, Rendered(b"", choices=1))
    answer = AnswerMachine(reader, ChunkEncoder(Naming("alias", usage=False), unmasked), STALL, resumable=True)
    answer.received(encode(OPENING.encode()))
    texts = [f"w\\u00f6rd {number} \\n" for number in range(100)]
    stream = b"".join(event_of(shape, text, pad="x" * (number % 5)) for number, text in enumerate(texts))
    size = together if together == 100_000 else len(stream) // 100 * together
    out = b"".join(answer.received(stream[at : at + size]) for at in range(0, len(stream), size))
    assert reader.decoded <= 4
    assert out.count(b"\n\n") == 100 and b"theirs" not in out
    said = "" if shape == "one that thinks" else "".join(json.loads(f'"{each}"') for each in texts)
    assert answer.text_so_far == "A" + said


def test_it_is_not_learned_again_and_again_where_no_event_is_like_another() -> None:
    reader = CountingDecoder(NOW, Rendered(b"", choices=1))
    answer = AnswerMachine(reader, ChunkEncoder(Naming("alias", usage=False), unmasked), STALL)
    answer.received(encode(OPENING.encode()))
    for number in range(100):
        body = loads(OPENING.encode())
        assert isinstance(body, dict)
        answer.received(encode(dumps({**body, "number": number})))
    assert reader.decoded <= 1 + 100 + CREDIT // PRICE


def test_an_answer_too_long_to_be_said_again_is_not_kept_for_it_either_where_it_passes() -> None:
    answer = AnswerMachine(decoder(), ChunkEncoder(Naming("alias", usage=False), unmasked), STALL, resumable=True)
    answer.received(encode(OPENING.encode()))
    piece = "x" * 60_000
    for _ in range(MAX_RESUMABLE_CHARS // len(piece) + 1):
        assert answer.read_timeout == STALL.replaceable
        answer.received(event_of("OpenAI's", piece))
    assert answer.text_so_far == "" and answer.read_timeout == STALL.alone


def test_what_is_said_after_a_finish_is_seen() -> None:
    answer = AnswerMachine(decoder(), ChunkEncoder(Naming("alias", usage=False), unmasked), STALL)
    answer.received(encode(OPENING.encode()))
    answer.received(event_of("OpenAI's", "a"))
    answer.received(event_of("with a finish", "b"))
    assert answer.read_timeout == AFTER_FINISH
    answer.received(event_of("OpenAI's", "c"))
    assert answer.read_timeout == STALL.alone


def test_there_is_no_way_past_a_decoder_of_another_wire() -> None:
    encoder = OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=False))
    assert encoder.passthrough(OpenAIChatProvider().decoder(NOW, Rendered(b""))) is not None
    assert encoder.passthrough(EventDecoder(NOW, Rendered(b""), ReasoningMemory())) is None
