"""A body in chunks: its data comes out, however it is cut, or an error of ours does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.buffers import OverflowableBuffer

from gateway.core.errors import BadHttp
from gateway.http1.request_body import LONGEST_SIZE_LINE, LONGEST_TRAILER, ChunkedBody


def body() -> ChunkedBody:
    return ChunkedBody(OverflowableBuffer(1 << 20))


def outcome(pieces: list[bytes]) -> tuple[object, ...]:
    """The data and how much was taken, an error, or nothing yet."""
    reading, taken = body(), 0
    for piece in pieces:
        try:
            taken += reading.received(piece)
        except BadHttp as error:
            return (error.message,)
        if reading.completed:
            return (reading.getfile().read(), taken)
    return ("unfinished",)


@pytest.mark.parametrize(
    ("framed", "data"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na;x\r\nabcdefghij\r\n000\r\n\r\n", b"0123456789abcdefghij"),
        (b'2 ;name="a;b" \t;c\r\nhi\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n', b"hi"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"1;" + b"a" * (LONGEST_SIZE_LINE - 4) + b"\r\nx\r\n0\r\n\r\n", b"x"),
        (b"0\r\nX:" + b"a" * (LONGEST_TRAILER - 6) + b"\r\n\r\n", b""),
    ],
)
def test_the_data_of_the_chunks_comes_out(framed: bytes, data: bytes) -> None:
    assert outcome([framed + b"next"]) == (data, len(framed))
    assert outcome([bytes([each]) for each in framed]) == (data, len(framed))


@pytest.mark.parametrize(
    "framed",
    [
        b"1;" + b"a" * (LONGEST_SIZE_LINE - 3) + b"\r\nx\r\n0\r\n\r\n",
        b"0\r\nX:" + b"a" * (LONGEST_TRAILER - 5) + b"\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * (LONGEST_TRAILER // 6) + b"X: y\r\n\r\n",
    ],
)
def test_a_line_longer_than_its_limit_is_refused(framed: bytes) -> None:
    with pytest.raises(BadHttp):
        body().received(framed)


def test_how_much_of_a_chunk_is_to_come_is_known() -> None:
    reading = body()
    reading.received(b"ffffffffffffffff\r\nabc")
    assert reading.remaining == 2**64 - 4
    assert len(reading) == 3


PARTS = st.sampled_from(
    [b"0", b"2", b"a", b"\r\n", b"\r", b"\n", b"hi", b";", b" ", b"x=y", b"X: y\r\n", b"\0", b"0\r\n\r\n"]
)


@given(st.one_of(st.binary(max_size=60), st.lists(PARTS, max_size=16).map(b"".join)), st.lists(st.integers(0, 60)))
def test_how_a_body_is_cut_makes_no_difference(framed: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut % (len(framed) + 1) for cut in cuts), len(framed)]
    pieces = [framed[start:end] for start, end in pairwise(places)]
    assert outcome(pieces) == outcome([framed])


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_what_is_put_into_chunks_comes_out(chunks: list[bytes]) -> None:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert outcome([framed]) == (b"".join(chunks), len(framed))
