"""The rules for a broken stream that another target continues: the machine, tested with values alone."""

import pytest

from gateway.core.answer import ChatChunk
from gateway.core.provider_failures import NotContinued
from gateway.core.source import Source
from gateway.streaming.answer_machine import HOLD_SECONDS, AnswerMachine, Stall
from tests.streaming.test_answer_machine import END, STALL, Ending, WordDecoder, WordEncoder, end

SO_FAR = "Water boils at a lower temperature on a high mountain, "


def text(said: str) -> ChatChunk:
    return ChatChunk(has_content=True, usage=None, source=Source("words", {"word": said}), plain=said)


class TextDecoder(WordDecoder):
    """Each piece is a text; the last may end with a finish, and with the end behind it."""

    def feed(self, data: bytes) -> list[ChatChunk]:
        said = data.decode()
        self.complete |= "$" in said
        self.done |= said.endswith("#")
        return [text(said.rstrip("$#"))]


def resumed(*pieces: bytes, restarted: bool = False) -> tuple[AnswerMachine, bytes]:
    """An answer that broke behind SO_FAR, and what the caller gets of the pieces of the next target."""
    answer = AnswerMachine(TextDecoder(), WordEncoder(), Stall(STALL, 120.0), resumable=True)
    answer.begin([text(SO_FAR)])
    assert answer.timed_out() == b"" and answer.interrupted
    out = answer.resume(TextDecoder(), [], "b", restarted=restarted).removeprefix(b"<resumed on b>")
    for piece in pieces:
        assert not answer.over and answer.interrupted is None
        out += answer.received(piece)
    return answer, out


OVERLAP = SO_FAR[-40:].encode()
DIFFERS = (
    b"<NotContinued: The provider's stream broke, and another one began another answer; "
    b"the answer above is incomplete.>"
)


def test_a_continuation_that_begins_as_asked_is_joined() -> None:
    answer, out = resumed(OVERLAP[:30], OVERLAP[30:] + b"as ", b"pressure is lower.$#")
    assert (out, answer.over, answer.error) == (b"as pressure is lower." + END, True, None)
    assert answer.text_so_far == SO_FAR + "as pressure is lower."


def test_a_continuation_that_does_not_is_replaced_by_a_whole_answer_and_nothing_of_it_is_written() -> None:
    answer, out = resumed(b"as pressure")
    assert (out, answer.over) == (b"", False)
    assert isinstance(answer.interrupted, NotContinued) and not answer.interrupted.counts_against_target
    answer.resume(TextDecoder(), [], "b", restarted=True)
    assert answer.received(SO_FAR.encode()) == b""
    assert answer.received(b"as it does.$#") == b"as it does." + END
    assert answer.error is None


def test_a_whole_answer_that_differs_is_the_end() -> None:
    answer, out = resumed(b"Well,", restarted=True)
    assert (out, answer.over, answer.interrupted) == (DIFFERS, True, None)


def test_where_nobody_gives_a_whole_answer_the_answer_is_told_as_cut() -> None:
    answer, _ = resumed(b"as pressure")
    assert answer.give_up() == DIFFERS
    assert answer.error is not None and answer.error.code == "stream_interrupted"


@pytest.mark.parametrize("how", ["end", "timeout", "failure"])
def test_a_finish_does_not_make_a_continuation_of_what_proved_no_place(how: Ending) -> None:
    answer, out = resumed(OVERLAP[:-2] + b"$")
    assert out + end(answer, how) == b""
    assert answer.interrupted is not None and not answer.over


@pytest.mark.parametrize("how", ["end", "timeout", "failure"])
def test_what_is_held_back_is_written_at_the_end_of_a_stream_without_done(how: Ending) -> None:
    answer, out = resumed(OVERLAP, SO_FAR[-40:-38].encode() + b"$")
    assert out == b""
    assert end(answer, how) == SO_FAR[-40:-38].encode() + END


def test_text_is_held_back_for_a_moment_and_what_the_caller_has_for_longer() -> None:
    answer, _ = resumed()
    assert answer.read_timeout == STALL, "nothing is held back"
    answer.received(OVERLAP[:10])
    assert answer.read_timeout == HOLD_SECONDS
    answer.received(OVERLAP[10:])
    assert answer.read_timeout == STALL
    answer.received(b"\n")
    assert answer.read_timeout == HOLD_SECONDS
    assert answer.timed_out() == b"\n"
    assert (answer.read_timeout, answer.interrupted) == (STALL, None)
    assert answer.received(b"as ") == b"as "


def test_who_falls_silent_without_a_proof_is_replaced() -> None:
    answer, _ = resumed(OVERLAP[:10])
    assert answer.timed_out() == b""
    assert isinstance(answer.interrupted, NotContinued)


def test_a_stall_time_that_is_shorter_is_a_stall() -> None:
    answer = AnswerMachine(TextDecoder(), WordEncoder(), Stall(HOLD_SECONDS - 1, 120.0), resumable=True)
    answer.begin([text(SO_FAR)])
    answer.timed_out()
    answer.resume(TextDecoder(), [text(SO_FAR[-40:-10])], "b", restarted=False)
    assert answer.read_timeout == HOLD_SECONDS - 1
    answer.timed_out()
    assert answer.interrupted is not None and not isinstance(answer.interrupted, NotContinued)


def test_a_continuation_that_breaks_again_is_interrupted_and_its_held_text_dropped() -> None:
    answer, out = resumed(OVERLAP, b"\n")
    assert out + answer.received(b"") == b""
    assert answer.interrupted is not None and not isinstance(answer.interrupted, NotContinued)
    assert answer.text_so_far == SO_FAR
