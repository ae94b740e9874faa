"""What of a second stream reaches a caller who has the beginning of the answer already."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk
from gateway.core.request import Source
from gateway.streaming.overlap import MOST_SILENT, AnswersDiffer, OverlapFilter, Piece

LETTERS = st.text("ab ", max_size=8)
"""Few letters, so that what is not a repetition begins like one often."""


def says(text: str | None) -> ChatChunk:
    """A chunk of plain text; None is one that says something else, a tool call or a finish."""
    return ChatChunk(has_content=True, usage=None, source=Source("words", {"text": text}), plain=text)


FINISH = says(None)


def written(pieces: Sequence[Piece]) -> str:
    """The text that the caller reads."""
    assert all(0 <= skip <= len(chunk.plain or "") for chunk, skip in pieces)
    return "".join((chunk.plain or "")[skip:] for chunk, skip in pieces)


def through(repetition: OverlapFilter, chunks: Sequence[ChatChunk], out: list[Piece] | None = None) -> list[Piece]:
    """All that is written of a stream, from its begin to its end; `out` has it also where that raises."""
    out = [] if out is None else out
    for chunk in chunks:
        out += repetition.take(chunk)
    out += repetition.end()
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
    data: st.DataObject, said: str, rest: str, anew: bool
) -> None:
    chunks = data.draw(cut(said + rest))
    pieces = through(OverlapFilter(said, anew=anew), [*chunks, FINISH])
    assert said + written(pieces) == said + rest
    assert pieces[-1] == (FINISH, 0), "what follows the text is never held back"


@given(st.data(), LETTERS, LETTERS)
def test_a_restart_that_differs_anywhere_is_another_answer_and_nothing_of_it_is_written(
    data: st.DataObject, said: str, other: str
) -> None:
    repetition, chunks, out = OverlapFilter(said, anew=True), data.draw(cut(other)), list[Piece]()
    if other.startswith(said):
        assert said + written(through(repetition, chunks)) == other
        return
    with pytest.raises(AnswersDiffer):
        through(repetition, chunks, out)
    assert out == []


@given(st.data(), LETTERS, LETTERS)
def test_a_continuation_that_does_not_repeat_passes_unchanged(data: st.DataObject, said: str, rest: str) -> None:
    chunks = [*data.draw(cut(rest)), FINISH]
    pieces = through(OverlapFilter(said, anew=False), chunks)
    if said and rest.startswith(said):
        assert written(pieces) == rest[len(said) :]
    else:
        assert pieces == [(chunk, 0) for chunk in chunks]


@given(st.data(), LETTERS, LETTERS)
def test_text_is_held_back_only_as_long_as_it_may_be_a_repetition(data: st.DataObject, said: str, rest: str) -> None:
    repetition = OverlapFilter(said, anew=False)
    came = given_out = ""
    for chunk in data.draw(cut(rest)):
        came += chunk.plain or ""
        given_out += written(repetition.take(chunk))
        if came.startswith(said):
            assert given_out == came[len(said) :]
        elif said.startswith(came):
            assert given_out == ""
        else:
            assert given_out == came


# Cases -------------------------------------------------------------------------------------------------------------


def test_the_chunk_in_which_the_repetition_ends_is_written_from_there_on() -> None:
    repetition = OverlapFilter("one two", anew=False)
    assert repetition.take(says("one ")) == []
    assert repetition.take(last := says("two three")) == [(last, 7 - 4)]
    assert repetition.take(further := says("one two")) == [(further, 0)], "later it may say what it likes"


def test_a_stream_that_goes_on_without_a_word_is_not_held_back_for_ever() -> None:
    silent = says("")
    repetition, anew = OverlapFilter("one", anew=False), OverlapFilter("one", anew=True)
    assert [repetition.take(silent) for _ in range(MOST_SILENT)] == [[]] * MOST_SILENT
    assert repetition.take(silent) == [(silent, 0)] * (MOST_SILENT + 1)
    with pytest.raises(AnswersDiffer):
        through(anew, [silent] * (MOST_SILENT + 1))


@pytest.mark.parametrize("anew", [True, False])
def test_a_stream_that_says_exactly_what_is_there_adds_nothing_but_its_end(anew: bool) -> None:
    repetition = OverlapFilter("one", anew=anew)
    assert written(repetition.take(says("one"))) == ""
    assert repetition.take(FINISH) == [(FINISH, 0)]
    assert repetition.end() == []


def test_a_continuation_that_was_only_alike_is_written_when_it_ends() -> None:
    repetition = OverlapFilter("one two", anew=False)
    chunks = [says("one"), says(" ")]
    assert [repetition.take(chunk) for chunk in chunks] == [[], []]
    assert repetition.end() == [(chunk, 0) for chunk in chunks]
    assert repetition.end() == []


def test_a_continuation_that_was_only_alike_is_written_before_its_finish() -> None:
    repetition = OverlapFilter("one two", anew=False)
    alike = says("one")
    assert repetition.take(alike) == []
    assert repetition.take(FINISH) == [(alike, 0), (FINISH, 0)]


def test_a_restart_that_ends_before_the_place_is_another_answer() -> None:
    repetition = OverlapFilter("one two", anew=True)
    assert repetition.take(says("one")) == []
    with pytest.raises(AnswersDiffer):
        repetition.end()


def test_a_restart_that_calls_a_tool_before_the_place_is_another_answer() -> None:
    repetition = OverlapFilter("one two", anew=True)
    assert repetition.take(says("one")) == []
    with pytest.raises(AnswersDiffer):
        repetition.take(FINISH)


@pytest.mark.parametrize("anew", [True, False])
def test_where_nothing_was_said_everything_passes(anew: bool) -> None:
    repetition = OverlapFilter("", anew=anew)
    chunks = [says(""), FINISH, says("one")]
    assert through(repetition, chunks) == [(chunk, 0) for chunk in chunks]
