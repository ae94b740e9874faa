"""What of a second stream reaches a caller who has the beginning of the answer already."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk
from gateway.core.request import Source
from gateway.streaming.overlap import MAX_EMPTY_CHUNKS, AnswersDiffer, OverlapFilter, Piece

LETTERS = st.text("ab ", max_size=8)
"""Few letters, so that a text that differs often begins alike."""


def says(text: str | None) -> ChatChunk:
    """A chunk of plain text; None is one that says something else, a tool call or a finish."""
    return ChatChunk(has_content=True, usage=None, source=Source("words", {"text": text}), plain=text)


FINISH = says(None)


def written(pieces: Sequence[Piece]) -> str:
    """The text that the caller reads."""
    assert all(0 <= skip <= len(chunk.plain or "") for chunk, skip in pieces)
    return "".join((chunk.plain or "")[skip:] for chunk, skip in pieces)


def through(overlap: OverlapFilter, chunks: Sequence[ChatChunk], out: list[Piece] | None = None) -> list[Piece]:
    """All that is written of a stream, from its begin to its end; `out` has it also where that raises."""
    out = [] if out is None else out
    for chunk in chunks:
        out += overlap.take(chunk)
    out += overlap.end()
    return out


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[ChatChunk]:
    """The text as a stream, cut anywhere; some of its chunks say nothing."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = zip([0, *places], [*places, len(text)], strict=True)
    return [says(text[begin:end]) for begin, end in bounds]


# Properties --------------------------------------------------------------------------------------------------------


@given(st.data(), LETTERS, LETTERS, st.booleans())
def test_however_a_repetition_is_cut_the_joined_answer_has_it_once(
    data: st.DataObject, said: str, rest: str, restarted: bool
) -> None:
    chunks = data.draw(cut(said + rest))
    pieces = through(OverlapFilter(said, restarted=restarted), [*chunks, FINISH])
    assert said + written(pieces) == said + rest
    assert pieces[-1] == (FINISH, 0), "what follows the text is never held back"


@given(st.data(), LETTERS, LETTERS)
def test_a_restart_that_differs_anywhere_is_another_answer_and_nothing_of_it_is_written(
    data: st.DataObject, said: str, other: str
) -> None:
    overlap, chunks, out = OverlapFilter(said, restarted=True), data.draw(cut(other)), list[Piece]()
    if other.startswith(said):
        assert said + written(through(overlap, chunks)) == other
        return
    with pytest.raises(AnswersDiffer):
        through(overlap, chunks, out)
    assert out == []


@given(st.data(), LETTERS, LETTERS)
def test_a_continuation_that_does_not_repeat_passes_unchanged(data: st.DataObject, said: str, rest: str) -> None:
    chunks = [*data.draw(cut(rest)), FINISH]
    pieces = through(OverlapFilter(said, restarted=False), chunks)
    if said and rest.startswith(said):
        assert written(pieces) == rest[len(said) :]
    else:
        assert pieces == [(chunk, 0) for chunk in chunks]


@given(st.data(), LETTERS, LETTERS)
def test_text_is_held_back_only_as_long_as_it_may_be_a_repetition(data: st.DataObject, said: str, rest: str) -> None:
    overlap = OverlapFilter(said, restarted=False)
    came = given_out = ""
    for chunk in data.draw(cut(rest)):
        came += chunk.plain or ""
        given_out += written(overlap.take(chunk))
        if came.startswith(said):
            assert given_out == came[len(said) :]
        elif said.startswith(came):
            assert given_out == ""
        else:
            assert given_out == came


# Cases -------------------------------------------------------------------------------------------------------------


def test_the_chunk_in_which_the_repetition_ends_is_written_from_there_on() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    assert overlap.take(says("one ")) == []
    assert overlap.take(last := says("two three")) == [(last, 7 - 4)]
    assert overlap.take(further := says("one two")) == [(further, 0)], "later it may say what it likes"


def test_a_stream_that_goes_on_without_a_word_is_not_held_back_for_ever() -> None:
    silent = says("")
    overlap, restarted = OverlapFilter("one", restarted=False), OverlapFilter("one", restarted=True)
    assert [overlap.take(silent) for _ in range(MAX_EMPTY_CHUNKS)] == [[]] * MAX_EMPTY_CHUNKS
    assert overlap.take(silent) == [(silent, 0)] * (MAX_EMPTY_CHUNKS + 1)
    with pytest.raises(AnswersDiffer):
        through(restarted, [silent] * (MAX_EMPTY_CHUNKS + 1))


@pytest.mark.parametrize("restarted", [True, False])
def test_a_stream_that_says_exactly_what_is_there_adds_nothing_but_its_end(restarted: bool) -> None:
    overlap = OverlapFilter("one", restarted=restarted)
    assert written(overlap.take(says("one"))) == ""
    assert overlap.take(FINISH) == [(FINISH, 0)]
    assert overlap.end() == []


def test_a_continuation_that_was_only_alike_is_written_when_it_ends() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    chunks = [says("one"), says(" ")]
    assert [overlap.take(chunk) for chunk in chunks] == [[], []]
    assert overlap.end() == [(chunk, 0) for chunk in chunks]
    assert overlap.end() == []


def test_a_continuation_that_was_only_alike_is_written_before_its_finish() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    alike = says("one")
    assert overlap.take(alike) == []
    assert overlap.take(FINISH) == [(alike, 0), (FINISH, 0)]


def test_a_restart_that_ends_before_the_place_is_another_answer() -> None:
    overlap = OverlapFilter("one two", restarted=True)
    assert overlap.take(says("one")) == []
    with pytest.raises(AnswersDiffer):
        overlap.end()


def test_a_restart_that_calls_a_tool_before_the_place_is_another_answer() -> None:
    overlap = OverlapFilter("one two", restarted=True)
    assert overlap.take(says("one")) == []
    with pytest.raises(AnswersDiffer):
        overlap.take(FINISH)


@pytest.mark.parametrize("restarted", [True, False])
def test_where_nothing_was_said_everything_passes(restarted: bool) -> None:
    overlap = OverlapFilter("", restarted=restarted)
    chunks = [says(""), FINISH, says("one")]
    assert through(overlap, chunks) == [(chunk, 0) for chunk in chunks]
