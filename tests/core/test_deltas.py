"""Deltas are joined in the order of the answer, or merged without one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, ToolCallDelta, Usage
from gateway.core.deltas import assemble, has_content, joined, merged, plain_text
from gateway.core.request import Media
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject

SIGNED: JsonObject = {"vendor": {"signature": "c2ln"}}
IMAGE = Media("image", "image/png", "AA==")


def call(index: int, arguments: str = "", *, begins: bool = False, ended: bool = False) -> ToolCallDelta:
    return ToolCallDelta(index, f"call_{index}" if begins else "", "get" if begins else "", arguments, ended=ended)


BEGUN, MORE, END = call(0, '{"a"', begins=True), call(0, ":1}"), call(0, ended=True)
WHOLE = ToolCallDelta(0, "call_0", "get", '{"a":1}', ended=True)
SECOND = ToolCallDelta(1, "call_1", "get", "{}", ended=True)


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([], []),
        ([ChoiceDelta(0, "a"), ChoiceDelta(0, "b", finish="stop")], [ChoiceDelta(0, "ab", finish="stop")]),
        ([ChoiceDelta(0, reasoning="r"), ChoiceDelta(0, "a")], [ChoiceDelta(0, "a", "r")]),
        (
            [ChoiceDelta(0, "a"), ChoiceDelta(0, reasoning="r"), ChoiceDelta(0, "b")],
            [ChoiceDelta(0, "a"), ChoiceDelta(0, "b", "r")],
        ),
        (
            [ChoiceDelta(0, "a"), ChoiceDelta(0, calls=(WHOLE,)), ChoiceDelta(0, "b")],
            [ChoiceDelta(0, "a", calls=(WHOLE,)), ChoiceDelta(0, "b")],
        ),
        ([ChoiceDelta(0, calls=(piece,)) for piece in (BEGUN, MORE, END)], [ChoiceDelta(0, calls=(WHOLE,))]),
        (
            [ChoiceDelta(0, calls=(BEGUN,)), ChoiceDelta(0, "a"), ChoiceDelta(0, calls=(MORE, END, SECOND))],
            [ChoiceDelta(0, calls=(WHOLE,)), ChoiceDelta(0, "a", calls=(SECOND,))],
        ),
        (
            [ChoiceDelta(0, calls=(BEGUN,)), ChoiceDelta(0, calls=(call(1, "{", begins=True),)),
             ChoiceDelta(0, calls=(MORE,)), ChoiceDelta(0, calls=(call(1, "}", ended=True), END))],
            [ChoiceDelta(0, calls=(WHOLE, SECOND))],
        ),
        (
            [ChoiceDelta(0, reasoning="r", reasoning_extra=SIGNED), ChoiceDelta(0, reasoning="s")],
            [ChoiceDelta(0, reasoning="r", reasoning_extra=SIGNED), ChoiceDelta(0, reasoning="s")],
        ),
        (
            [ChoiceDelta(0, reasoning="r"), ChoiceDelta(0, reasoning_extra=SIGNED), ChoiceDelta(0, "a")],
            [ChoiceDelta(0, "a", "r", reasoning_extra=SIGNED)],
        ),
        (
            [ChoiceDelta(0, images=(IMAGE,)), ChoiceDelta(0, "a", extra=SIGNED)],
            [ChoiceDelta(0, images=(IMAGE,)), ChoiceDelta(0, "a", extra=SIGNED)],
        ),
        ([ChoiceDelta(1, "b"), ChoiceDelta(0, "a"), ChoiceDelta(1, "c")], [ChoiceDelta(0, "a"), ChoiceDelta(1, "bc")]),
    ],
)  # fmt: skip
def test_neighbours_are_joined_as_long_as_the_order_stays(
    deltas: list[ChoiceDelta], expected: list[ChoiceDelta]
) -> None:
    assert joined(deltas) == tuple(expected)
    assert joined(joined(deltas)) == tuple(expected)


def test_merged_deltas_have_no_order() -> None:
    said = [ChoiceDelta(1, "c"), ChoiceDelta(0, "a", calls=(BEGUN,)), ChoiceDelta(0, "b", calls=(MORE, END))]
    assert merged(said) == (ChoiceDelta(1, "c"), ChoiceDelta(0, "ab", calls=(WHOLE,)))


@pytest.mark.parametrize(
    ("deltas", "plain", "content"),
    [
        ((), "", False),
        ((ChoiceDelta(0, "a"),), "a", True),
        ((ChoiceDelta(0, reasoning="r"),), "", True),
        ((ChoiceDelta(0, "a", "r"), ChoiceDelta(0, "b")), "ab", True),
        ((ChoiceDelta(0, finish="stop"),), "", False),
        ((ChoiceDelta(0, extra=SIGNED),), "", False),
        ((ChoiceDelta(1, "a"),), None, True),
        ((ChoiceDelta(0, calls=(BEGUN,)),), None, True),
        ((ChoiceDelta(0, refusal="No."),), None, True),
        ((ChoiceDelta(0, images=(IMAGE,)),), None, True),
    ],
)
def test_what_deltas_add_is_known(deltas: tuple[ChoiceDelta, ...], plain: str | None, content: bool) -> None:
    assert plain_text(deltas) == plain
    assert has_content(deltas) is content


def test_a_stream_adds_up_with_its_latest_counts() -> None:
    source = Source("x", {})
    envelope = Envelope("id", 1, "m")
    chunks = [
        ChatChunk(True, Usage(9, 1), source, "a", Envelope("", 1, ""), (ChoiceDelta(0, "a"),)),
        ChatChunk(True, Usage(9, 2), source, "b", envelope, (ChoiceDelta(0, "b"),)),
        ChatChunk(False, None, source),
    ]
    whole = assemble(chunks, source)
    assert (whole.usage, whole.envelope, whole.deltas) == (Usage(9, 2), envelope, (ChoiceDelta(0, "ab"),))


deltas_of_any_kind = st.lists(
    st.one_of(
        st.builds(ChoiceDelta, st.integers(0, 1), st.sampled_from(["a", "b", ""]), st.sampled_from(["", "r"])),
        st.builds(
            lambda index, piece: ChoiceDelta(index, calls=(piece,)),
            st.integers(0, 1),
            st.builds(call, st.integers(0, 2), st.sampled_from(["", "x"])),
        ),
        st.builds(ChoiceDelta, st.integers(0, 1), refusal=st.just("n"), images=st.sampled_from([(), (IMAGE,)])),
    ),
    max_size=12,
)


@given(deltas_of_any_kind)
def test_joining_loses_nothing_and_keeps_the_order_of_each_kind(deltas: list[ChoiceDelta]) -> None:
    found = joined(deltas)
    for index in (0, 1):
        for name in ("text", "reasoning", "refusal", "images"):
            was = [part for one in deltas if one.index == index for part in getattr(one, name)]
            assert [part for one in found if one.index == index for part in getattr(one, name)] == was
        for number in range(3):
            written = [piece.arguments for one in deltas if one.index == index for piece in one.calls]
            assert "".join(written).count("x") == sum(
                piece.arguments.count("x") for one in found if one.index == index for piece in one.calls
            )
            assert sum(piece.index == number for one in found if one.index == index for piece in one.calls) <= 1
    assert joined(found) == found
