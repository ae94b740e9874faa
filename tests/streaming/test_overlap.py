"""What a caller gets of a resumed stream, and which streams are refused."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk
from gateway.core.source import Source
from gateway.core.text_end import anchor
from gateway.streaming.overlap import HOLD_CHARACTERS, MAX_EMPTY_CHUNKS, MAX_PLACES, AnswersDiffer, OverlapFilter, Piece

LETTERS = st.text("ab ", max_size=8)
"""Few letters, so that a text that differs often begins alike."""
TEXT = "The quick brown fox jumps over the lazy dog, and the dog "
REST = "does not mind that at all."


def text_chunk(text: str | None) -> ChatChunk:
    """A chunk of plain text; None makes a chunk of something else, such as a tool call."""
    return ChatChunk(has_content=True, usage=None, source=Source("words", {"text": text}), plain=text)


CALL, EMPTY, FINISH = text_chunk(None), text_chunk(""), text_chunk("")


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


def continuation(text: str = TEXT) -> OverlapFilter:
    return OverlapFilter(text, restarted=False)


def refused(overlap: OverlapFilter, *texts: str | None) -> None:
    """The stream is refused, and nothing of it is written."""
    out = list[Piece]()
    with pytest.raises(AnswersDiffer):
        through(overlap, [text_chunk(text) for text in texts], out)
    assert written(out) == ""


@st.composite
def cuts(draw: st.DrawFn, text: str) -> list[ChatChunk]:
    """The text as a stream, cut anywhere; some chunks are empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = zip([0, *places], [*places, len(text)], strict=True)
    return [text_chunk(text[begin:end]) for begin, end in bounds]


# A stream that was asked to continue ---------------------------------------------------------------------------------


@given(st.data(), st.integers(0, len(TEXT) - len(anchor(TEXT))))
def test_however_much_is_repeated_and_however_it_is_cut_the_rest_is_joined_at_the_end_of_the_text(
    data: st.DataObject, start: int
) -> None:
    chunks = data.draw(cuts(TEXT[start:] + REST))
    pieces = through(continuation(), [EMPTY, *chunks, FINISH])
    assert written(pieces) == REST
    assert pieces[-1] == (FINISH, 0)


@given(st.data(), st.integers(0, len(TEXT)), st.integers(1, 20))
def test_a_stream_that_repeats_less_or_not_at_all_is_refused(data: st.DataObject, gap: int, short: int) -> None:
    start = len(TEXT) - len(anchor(TEXT)) + short
    for said in (TEXT[start:] + REST, (TEXT + REST)[len(TEXT) + gap :] or "x", " " + TEXT + REST):
        refused(continuation(), *(chunk.plain for chunk in data.draw(cuts(said))))


@given(st.data(), st.integers(0, len(TEXT) - 1))
def test_a_long_matching_beginning_that_then_differs_is_refused(data: st.DataObject, place: int) -> None:
    said = TEXT[:place] + "X" + TEXT[place + 1 :] + REST
    refused(continuation(), *(chunk.plain for chunk in data.draw(cuts(said))))


def test_blanks_and_line_ends_at_the_seam_come_from_the_stream_that_repeats_them() -> None:
    for text, rest in ((TEXT.rstrip(), "\n\n  ok"), (TEXT.rstrip() + "\n", "\nok"), (TEXT, "ok"), (TEXT, " ok")):
        assert written(through(continuation(text), [text_chunk(text[-40:]), text_chunk(rest)])) == rest


def test_the_chunk_in_which_the_repetition_ends_is_written_from_there_on() -> None:
    overlap = continuation()
    assert overlap.take(text_chunk(TEXT[-50:-10])) == []
    assert overlap.take(last := text_chunk(TEXT[-10:] + "does")) == [(last, 10)]
    assert overlap.over
    assert overlap.take(further := text_chunk(TEXT)) == [(further, 0)], "later text may repeat"


def test_what_a_stream_thinks_before_it_repeats_is_not_written() -> None:
    pieces = through(continuation(), [EMPTY] * 5_000 + [text_chunk(TEXT), EMPTY, text_chunk(REST), FINISH])
    assert written(pieces) == REST
    assert len(pieces) <= 4


def test_a_tool_call_proves_no_place_and_may_follow_a_proof() -> None:
    refused(continuation(), None)
    refused(continuation(), TEXT[-40:-1], None)
    overlap = continuation()
    assert overlap.take(text_chunk(TEXT)) == []
    assert overlap.take(CALL)[-1] == (CALL, 0)


def test_an_empty_rest_is_an_end_where_a_whole_text_may_end() -> None:
    for said in ([], [TEXT + REST], [(TEXT + REST)[-40:]], [(TEXT + REST)[-40:], "\n"]):
        pieces = through(continuation(TEXT + REST), [*map(text_chunk, said), FINISH])
        assert written(pieces) == ("\n" if len(said) == 2 else "")
        assert pieces[-1] == (FINISH, 0)


def test_an_empty_rest_is_refused_in_the_middle_of_a_sentence_or_of_a_fence() -> None:
    fenced = "This prints a line that says so:\n```python\nprint('It boils, and that is all.')\n"
    for text in (TEXT, TEXT.rstrip(), fenced):
        refused(continuation(text), "")
        refused(continuation(text), text[-40:], "")
        refused(continuation(text), text, "\n", " ")


def test_of_a_stream_without_text_only_the_last_chunks_are_kept() -> None:
    pieces = through(continuation(TEXT + REST), [EMPTY] * 5_000 + [FINISH])
    assert len(pieces) == MAX_EMPTY_CHUNKS and pieces[-1] == (FINISH, 0)


def test_no_more_than_some_blanks_are_held_back() -> None:
    overlap = continuation()
    assert overlap.take(text_chunk(TEXT)) == []
    assert overlap.take(text_chunk(" " * (HOLD_CHARACTERS - 1))) == []
    assert overlap.holds
    assert written(overlap.take(text_chunk(" "))) == " " * HOLD_CHARACTERS
    assert overlap.over and not overlap.holds


def test_a_text_that_repeats_itself_around_the_cut_proves_nothing() -> None:
    line = "The quick brown fox jumps over lazy dogs\n"
    for text in (line * 3)[: len(line) + 7], line, line * 2:
        refused(continuation(text), (line * 4)[len(text) :], "the end.")


def test_a_short_rest_that_is_like_the_repetition_is_written_when_the_stream_ends() -> None:
    repeated = TEXT[-40:]
    overlap = continuation()
    assert overlap.take(text_chunk(repeated)) == []
    assert overlap.take(like := text_chunk(repeated[:3])) == []
    assert overlap.end()[-1] == (like, 0)


def test_a_stream_may_begin_as_one_part_of_the_text_and_turn_out_to_be_another() -> None:
    phrase = "and so it went on, as it always did there, for a long time"
    text = f"First a storm, {phrase}. Then came the long silence, {phrase}"
    for start in (text.index(phrase), text.rindex(phrase) - 24):
        assert written(through(continuation(text), [text_chunk(text[start:]), text_chunk(REST)])) == REST


def test_of_a_text_that_says_one_thing_very_often_only_the_first_places_are_tried() -> None:
    line = "One and the same line, which is long enough to be asked for.\n"
    text = line * (2 * MAX_PLACES) + TEXT
    assert written(through(continuation(text), [text_chunk(text), text_chunk(REST)])) == REST
    assert written(through(continuation(text), [text_chunk(TEXT), text_chunk(REST)])) == REST
    refused(continuation(text), text[len(line) * (MAX_PLACES + 1) :], REST)


def test_who_falls_silent_before_its_place_is_proved_is_refused() -> None:
    overlap = continuation()
    assert not overlap.holds
    assert overlap.take(text_chunk(TEXT[-40:-10])) == []
    assert overlap.holds
    with pytest.raises(AnswersDiffer):
        overlap.silent()


def test_who_falls_silent_behind_the_proof_is_written_and_still_has_to_say_something() -> None:
    overlap = continuation()
    assert overlap.take(text_chunk(TEXT)) == []
    assert not overlap.holds, "the caller has all of it"
    assert overlap.take(text_chunk("\n")) == []
    assert overlap.holds
    assert written(overlap.silent()) == "\n"
    assert not overlap.holds and not overlap.over
    with pytest.raises(AnswersDiffer):
        overlap.end()


# A stream that was restarted -----------------------------------------------------------------------------------------


@given(st.data(), LETTERS, LETTERS)
def test_however_a_restart_is_cut_the_joined_answer_has_the_text_once(
    data: st.DataObject, text: str, rest: str
) -> None:
    chunks = data.draw(cuts(text + rest))
    pieces = through(OverlapFilter(text, restarted=True), [*chunks, FINISH])
    assert written(pieces) == rest
    assert pieces[-1] == (FINISH, 0), "what follows the text is never held back"


@given(st.data(), LETTERS, LETTERS)
def test_a_restart_that_differs_anywhere_is_another_answer_and_none_of_it_is_written(
    data: st.DataObject, text: str, other: str
) -> None:
    overlap, chunks, out = OverlapFilter(text, restarted=True), data.draw(cuts(other)), list[Piece]()
    if other.lstrip().startswith(text.lstrip()) if text.strip() else other.startswith(text):
        assert (text + written(through(overlap, chunks))).lstrip() == other.lstrip()
        return
    with pytest.raises(AnswersDiffer):
        through(overlap, chunks, out)
    assert out == []


@pytest.mark.parametrize(("text", "other"), [("one ", "\n\none two"), (" one ", "one two"), ("\none ", " one two")])
def test_a_blank_before_the_first_word_of_a_restart_does_not_count(text: str, other: str) -> None:
    assert written(through(OverlapFilter(text, restarted=True), [text_chunk(letter) for letter in other])) == "two"


def test_a_restart_may_end_where_the_text_ends() -> None:
    overlap = OverlapFilter("one", restarted=True)
    assert written(overlap.take(text_chunk("one"))) == ""
    assert overlap.take(FINISH) == [(FINISH, 0)]
    assert overlap.end() == []


def test_a_restart_that_ends_before_the_place_or_calls_a_tool_there_is_another_answer() -> None:
    refused(OverlapFilter("one two", restarted=True), "one")
    refused(OverlapFilter("one two", restarted=True), "")
    refused(OverlapFilter("one two", restarted=True), "one", None)


@pytest.mark.parametrize("restarted", [True, False])
def test_after_an_empty_text_everything_passes(restarted: bool) -> None:
    overlap = OverlapFilter("", restarted=restarted)
    chunks = [text_chunk(""), CALL, text_chunk("one")]
    assert through(overlap, chunks) == [(chunk, 0) for chunk in chunks]
