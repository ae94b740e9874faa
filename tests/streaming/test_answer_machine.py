"""The rules for a stream whose first content has gone out: the machine, tested with values alone."""

import itertools
import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, Usage
from gateway.core.errors import DeadlineExceeded, GatewayError
from gateway.core.provider_failures import (
    ContextTooLong,
    Evidence,
    GenerationFailed,
    InvalidAnswer,
    ProviderFailure,
    StreamBroken,
)
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import DONE, encode
from gateway.core.strict_json import dumps
from gateway.streaming.answer_machine import AFTER_FINISH, MAX_RESUMABLE_CHARS, AnswerMachine, Stall
from gateway.wires.base import Decoder, Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.chats import ASKED

STALL = 20.0
END = b"<end>"


def chunk(word: str, usage: Usage | None = None) -> ChatChunk:
    return ChatChunk(has_content=True, usage=usage, source=Source("words", {"word": word}))


class WordDecoder:
    """Each letter is an event: `!` the provider's error, `.` a finish, `#` the end, a digit usage, `?` unreadable."""

    def __init__(self) -> None:
        self.fault: ProviderFailure | None = None
        self.done = False
        self.complete = False
        self.skipped = 0
        self.held: list[ChatChunk] = []

    def feed(self, data: bytes) -> list[ChatChunk]:
        return [chunk for letter in data.decode() for chunk in self._letter(letter)]

    def close(self) -> list[ChatChunk]:
        held, self.held = self.held, []
        return held

    def _letter(self, letter: str) -> list[ChatChunk]:
        if self.fault or self.done:
            return []
        self.done = letter == "#"
        self.complete |= letter == "."
        self.skipped += letter == "?"
        if letter == "!":
            evidence = Evidence(status=503, retry_after=7.0)
            self.fault = InvalidAnswer("Out of memory.", evidence=evidence, param="n", type="oom", code="own")
        if letter in "!#?":
            return []
        return [chunk(letter, Usage(9, int(letter)) if letter.isdigit() else None)]


class WordEncoder:
    def passthrough(self, decoder: Decoder) -> None:
        return None

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        if chunk.source.body["word"] == "X":
            raise InvalidAnswer("This wire has no X.")
        return str(chunk.source.body["word"])[skip:].encode()

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        return f"<resumed on {provider}>".encode()

    def heartbeat(self) -> bytes:
        return b"<heartbeat>"

    def end(self) -> bytes:
        return END

    def error(self, error: GatewayError) -> bytes:
        return f"<{type(error).__name__}: {error.message}>".encode()


def machine() -> tuple[AnswerMachine, WordDecoder]:
    decoder = WordDecoder()
    return AnswerMachine(decoder, WordEncoder(), Stall(5.0, STALL)), decoder


def test_what_is_received_goes_out_and_the_end_is_written_once() -> None:
    answer, _ = machine()
    assert answer.begin([chunk("a"), chunk("b")]) == b"ab"
    assert answer.received(b"c?") == b"c"
    assert not answer.over
    assert answer.received(b".#late") == b"." + END
    assert answer.over and answer.error is None and answer.skipped == 1


def test_an_answer_may_be_over_with_what_was_read_before_it_was_committed_to() -> None:
    answer, decoder = machine()
    first = decoder.feed(b"ab.#")
    assert answer.begin(first) == b"ab." + END
    assert answer.over and answer.error is None


def test_an_error_that_came_with_the_first_content_follows_it() -> None:
    answer, decoder = machine()
    assert answer.begin(decoder.feed(b"a!")) == b"a<StreamBroken: Out of memory.>"
    assert answer.over


def test_what_the_callers_wire_cannot_express_ends_the_answer_also_behind_a_finish() -> None:
    told = b"<StreamBroken: This wire has no X. The answer above is incomplete.>"
    answer, decoder = machine()
    assert answer.begin(decoder.feed(b"aXb.#")) == b"a" + told
    assert answer.over and isinstance(answer.error, StreamBroken)
    answer, _ = machine()
    assert answer.received(b"a") + answer.received(b"bX.") == b"ab" + told
    assert answer.over


def test_the_last_usage_counts() -> None:
    answer, decoder = machine()
    answer.begin(decoder.feed(b"1"))
    answer.received(b"2a")
    assert answer.usage == Usage(9, 2)
    answer.received(b"3.#")
    assert answer.usage == Usage(9, 3)


def test_the_read_timeout_is_the_stall_time_and_after_a_finish_a_moment() -> None:
    answer, _ = machine()
    assert answer.read_timeout == STALL
    answer.received(b"a.")
    assert answer.read_timeout == AFTER_FINISH


Ending = Literal["end", "timeout", "failure"]


def end(answer: AnswerMachine, how: Ending) -> bytes:
    if how == "failure":
        return answer.failed(DeadlineExceeded("Too late."))
    return answer.received(b"") if how == "end" else answer.timed_out()


@pytest.mark.parametrize("how", ["end", "timeout", "failure"])
def test_after_a_finish_any_end_is_the_end(how: Ending) -> None:
    answer, _ = machine()
    answer.received(b"a.")
    assert end(answer, how) == END
    assert answer.over and answer.error is None


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("end", b"<StreamBroken: The provider's stream ended without a finish; the answer above is incomplete.>"),
        ("timeout", b"<StreamBroken: The provider's stream sent nothing for 20 s; the answer above is incomplete.>"),
        ("failure", b"<DeadlineExceeded: Too late.>"),
    ],
)
def test_before_a_finish_any_end_is_an_error_and_nothing_that_looks_like_an_end(how: Ending, message: bytes) -> None:
    answer, _ = machine()
    answer.received(b"a")
    assert end(answer, how) == message
    assert answer.over and answer.error is not None


@pytest.mark.parametrize(("length", "resumable"), [(MAX_RESUMABLE_CHARS, True), (MAX_RESUMABLE_CHARS + 1, False)])
def test_an_answer_too_long_for_another_target_is_not_kept(length: int, resumable: bool) -> None:
    answer = AnswerMachine(WordDecoder(), WordEncoder(), Stall(5.0, STALL), resumable=True)
    text = "a" * length
    answer.begin([ChatChunk(has_content=True, usage=None, source=Source("words", {"word": text}), plain=text)])
    assert answer.text_so_far == (text if resumable else "")
    out = answer.timed_out()
    assert (answer.interrupted is not None, answer.over, bool(out)) == (resumable, not resumable, not resumable)


def test_what_the_decoder_still_held_goes_out_at_the_end() -> None:
    answer, decoder = machine()
    answer.received(b"a.")
    decoder.held = [chunk("z")]
    assert answer.received(b"") == b"z" + END


def test_the_providers_error_keeps_its_evidence_and_becomes_a_broken_stream() -> None:
    answer, _ = machine()
    assert answer.received(b"ab!c") == b"ab<StreamBroken: Out of memory.>"
    error = answer.error
    assert isinstance(error, StreamBroken)
    assert (error.type, error.param, error.code) == ("oom", "n", "stream_interrupted")
    assert error.evidence == Evidence(status=503, retry_after=7.0)


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (GenerationFailed("No JSON."), b"<StreamBroken: No JSON.>"),  # the answer is broken, whoever is to blame
        (ContextTooLong("Full."), b"<ContextTooLong: Full.>"),
    ],
)
def test_a_failure_that_the_target_is_not_blamed_for_still_breaks_its_answer(
    fault: ProviderFailure, shown: bytes
) -> None:
    answer, decoder = machine()
    answer.received(b"ab")
    decoder.fault = fault
    assert answer.received(b"") == shown
    assert answer.over


def test_the_providers_error_counts_even_after_a_finish() -> None:
    answer, _ = machine()
    assert answer.received(b"a.!") == b"a.<StreamBroken: Out of memory.>"


@given(st.text("abc.?9!#", max_size=12), st.lists(st.integers(0, 12), max_size=4), st.sampled_from(["end", "timeout"]))
def test_however_a_stream_is_cut_its_output_is_the_same_and_ends_once(
    text: str, places: list[int], how: Ending
) -> None:
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    outcomes = []
    for pieces in ([text], [text[start:end] for start, end in itertools.pairwise(edges)]):
        answer, _ = machine()
        out = b"".join(answer.received(piece.encode()) for piece in pieces if piece and not answer.over)
        if not answer.over:
            out += end(answer, how)
        assert answer.over
        assert out.count(END) + out.count(b"<StreamBroken") == 1 and out.endswith(b">")
        assert (END in out) == (answer.error is None)
        outcomes.append((out, answer.usage, answer.skipped))
    assert outcomes[0] == outcomes[1]


def test_on_the_real_wire_a_broken_stream_has_no_finish_and_no_done() -> None:
    answer = AnswerMachine(
        OpenAIChatProvider().decoder(1, Rendered(b"")),
        OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=False)),
        Stall(5.0, STALL),
    )
    out = answer.received(
        encode(
            dumps({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]})
        )
    )
    out += answer.timed_out()
    chunk, error = (json.loads(event.removeprefix(b"data: ")) for event in out.strip().split(b"\n\n"))
    assert DONE not in out and chunk["choices"][0]["finish_reason"] is None
    assert set(error["error"]) == {"message", "type", "param", "code"}
    assert error["error"]["code"] == "stream_interrupted"
