"""What a caller gets of a resumed stream whose beginning it has already."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk
from gateway.core.request import Source
from gateway.streaming.overlap import MAX_EMPTY_CHUNKS, AnswersDiffer, OverlapFilter, Piece

LETTERS = st.text("ab ", max_size=8)
"""Few letters, so that a text that differs often begins alike."""


def text_chunk(text: str | None) -> ChatChunk:
    """A chunk of plain text; None makes a chunk without text, such as a tool call or a finish."""
    return ChatChunk(has_content=True, usage=None, source=Source("words", {"text": text}), plain=text)


FINISH = text_chunk(None)


def written(pieces: Sequence[Piece]) -> str:
    """The text that the caller reads."""
    assert all(0 <= skip <= len(chunk.plain or "") for chunk, skip in pieces)
    return "".join((chunk.plain or "")[skip:] for chunk, skip in pieces)


def through(overlap: OverlapFilter, chunks: Sequence[ChatChunk], out: list[Piece] | None = None) -> list[Piece]:
    """All pieces that are written of a stream. `out` gets them too, so a test has them where the filter raises."""
    out = [] if out is None else out
    for chunk in chunks:
        out += overlap.take(chunk)
    out += overlap.end()
    return out


@st.composite
def cuts(draw: st.DrawFn, text: str) -> list[ChatChunk]:
    """The text as a stream, cut anywhere; some chunks are empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = zip([0, *places], [*places, len(text)], strict=True)
    return [text_chunk(text[begin:end]) for begin, end in bounds]


# Properties --------------------------------------------------------------------------------------------------------


@given(st.data(), LETTERS, LETTERS, st.booleans())
def test_however_a_stream_is_cut_the_joined_answer_has_the_overlap_once(
    data: st.DataObject, text: str, rest: str, restarted: bool
) -> None:
    chunks = data.draw(cuts(text + rest))
    pieces = through(OverlapFilter(text, restarted=restarted), [*chunks, FINISH])
    assert text + written(pieces) == text + rest
    assert pieces[-1] == (FINISH, 0), "what follows the text is never held back"


@given(st.data(), LETTERS, LETTERS)
def test_a_restart_that_differs_anywhere_is_another_answer_and_none_of_it_is_written(
    data: st.DataObject, text: str, other: str
) -> None:
    overlap, chunks, out = OverlapFilter(text, restarted=True), data.draw(cuts(other)), list[Piece]()
    if other.startswith(text):
        assert text + written(through(overlap, chunks)) == other
        return
    with pytest.raises(AnswersDiffer):
        through(overlap, chunks, out)
    assert out == []


@given(st.data(), LETTERS, LETTERS)
def test_a_continuation_that_does_not_repeat_passes_unchanged(data: st.DataObject, text: str, rest: str) -> None:
    chunks = [*data.draw(cuts(rest)), FINISH]
    pieces = through(OverlapFilter(text, restarted=False), chunks)
    if text and rest.startswith(text):
        assert written(pieces) == rest[len(text) :]
    else:
        assert pieces == [(chunk, 0) for chunk in chunks]


@given(st.data(), LETTERS, LETTERS)
def test_text_is_held_back_only_while_it_may_repeat_the_answer(data: st.DataObject, text: str, rest: str) -> None:
    overlap = OverlapFilter(text, restarted=False)
    arrived = out = ""
    for chunk in data.draw(cuts(rest)):
        arrived += chunk.plain or ""
        out += written(overlap.take(chunk))
        if arrived.startswith(text):
            assert out == arrived[len(text) :]
        elif text.startswith(arrived):
            assert out == ""
        else:
            assert out == arrived


# Cases -------------------------------------------------------------------------------------------------------------


def test_the_chunk_in_which_the_overlap_ends_is_written_from_there_on() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    assert overlap.take(text_chunk("one ")) == []
    assert overlap.take(last := text_chunk("two three")) == [(last, 7 - 4)]
    assert overlap.take(further := text_chunk("one two")) == [(further, 0)], "later text may repeat"


def test_a_stream_of_empty_chunks_is_not_held_back_for_ever() -> None:
    empty = text_chunk("")
    overlap, restarted = OverlapFilter("one", restarted=False), OverlapFilter("one", restarted=True)
    assert [overlap.take(empty) for _ in range(MAX_EMPTY_CHUNKS)] == [[]] * MAX_EMPTY_CHUNKS
    assert overlap.take(empty) == [(empty, 0)] * (MAX_EMPTY_CHUNKS + 1)
    with pytest.raises(AnswersDiffer):
        through(restarted, [empty] * (MAX_EMPTY_CHUNKS + 1))


@pytest.mark.parametrize("restarted", [True, False])
def test_a_stream_that_repeats_exactly_the_text_adds_nothing_but_its_end(restarted: bool) -> None:
    overlap = OverlapFilter("one", restarted=restarted)
    assert written(overlap.take(text_chunk("one"))) == ""
    assert overlap.take(FINISH) == [(FINISH, 0)]
    assert overlap.end() == []


def test_a_continuation_that_only_began_alike_is_written_when_it_ends() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    chunks = [text_chunk("one"), text_chunk(" ")]
    assert [overlap.take(chunk) for chunk in chunks] == [[], []]
    assert overlap.end() == [(chunk, 0) for chunk in chunks]
    assert overlap.end() == []


def test_a_continuation_that_only_began_alike_is_written_before_its_finish() -> None:
    overlap = OverlapFilter("one two", restarted=False)
    alike = text_chunk("one")
    assert overlap.take(alike) == []
    assert overlap.take(FINISH) == [(alike, 0), (FINISH, 0)]


def test_a_restart_that_ends_before_the_place_is_another_answer() -> None:
    overlap = OverlapFilter("one two", restarted=True)
    assert overlap.take(text_chunk("one")) == []
    with pytest.raises(AnswersDiffer):
        overlap.end()


def test_a_restart_that_calls_a_tool_before_the_place_is_another_answer() -> None:
    overlap = OverlapFilter("one two", restarted=True)
    assert overlap.take(text_chunk("one")) == []
    with pytest.raises(AnswersDiffer):
        overlap.take(FINISH)


@pytest.mark.parametrize("restarted", [True, False])
def test_after_an_empty_text_everything_passes(restarted: bool) -> None:
    overlap = OverlapFilter("", restarted=restarted)
    chunks = [text_chunk(""), FINISH, text_chunk("one")]
    assert through(overlap, chunks) == [(chunk, 0) for chunk in chunks]
