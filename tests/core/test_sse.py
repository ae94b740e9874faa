"""Server-sent events: the standard's own examples, any cut of the bytes, and limits."""

import re
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import DONE, Event, SseDecoder, SseTooLarge, StrayLine, encode
from tests.support.cases import each_case

PIECES = [
    b"data:",
    b"data: ",
    b"data",
    b"event: ",
    b"event",
    b"id: 1",
    b"retry: 9",
    b":",
    b" ",
    b"x",
    b"{}",
    b"\0",
    b"\xff",
]
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r"]
BOM = b"\xef\xbb\xbf"

streams = st.builds(
    lambda head, pieces: head + b"".join(pieces),
    st.sampled_from([b"", b"", BOM, BOM[:1], BOM[:2], BOM + BOM]),
    st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(ENDS), st.binary(max_size=3)), max_size=30),
)
data = st.binary(max_size=40).filter(lambda data: b"\r" not in data)
kinds = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=10)


def decode(chunks: Iterable[bytes], decoder: SseDecoder | None = None) -> list[Event]:
    decoder = decoder or SseDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()


def by_the_book(stream: bytes) -> list[Event]:
    """Section 9.2.6 word by word, for a whole stream; what is open at its end is delivered."""
    events: list[Event] = []
    lines: list[bytes] = []
    kind = ""
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM)), b""]:
        if not line:
            if lines:
                events.append(Event(b"\n".join(lines), kind))
            lines, kind = [], ""
            continue
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if name == b"data":
            lines.append(value)
        elif name == b"event":
            kind = value.decode(errors="replace")
    return events


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@each_case(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n",
            [Event(b"first event"), Event(b"second event")],
        ),
        (b"data\n\ndata\ndata\n\n", [Event(b""), Event(b"\n")]),
        (b"data:test\n\ndata: test\n\n", [Event(b"test"), Event(b"test")]),
        (b"data:  third event\n\n", [Event(b" third event")]),
        (
            b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
            [Event(b"73857293", "add"), Event(b"2153", "remove")],
        ),
        (b"event: add\n\ndata: x\n\n", [Event(b"x")]),
        (b'data: {"a": "b: c"}\n\n', [Event(b'{"a": "b: c"}')]),
        (b"Data: x\nretry: 10\ndatax: y\n data: z\n\n", []),
        (b"\n\n\r\r\n", []),
        (BOM + b"data: x\n\n", [Event(b"x")]),
        (b"data: x\n\n" + BOM + b"data: y\n\n", [Event(b"x")]),
    ],
)
@each_case("end", [b"\n", b"\r", b"\r\n"])
def test_a_stream_means_the_same_whole_and_byte_by_byte_with_any_line_end(
    stream: bytes, events: list[Event], end: bytes
) -> None:
    stream = stream.replace(b"\n", end)
    assert decode([stream]) == events
    assert decode(bytes([byte]) for byte in stream) == events


def test_an_event_is_delivered_with_the_chunk_that_ends_it() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\n\ndata: b\n") == [Event(b"a")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == [Event(b"b")]
    assert decoder.feed(b"data: c\r\r") == [Event(b"c")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: d\n\n") == [Event(b"d")]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r", b"\r\n"])
def test_an_event_without_its_blank_line_is_delivered_at_the_end(ending: bytes) -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"event: e\ndata: [DONE]" + ending) == []
    assert decoder.close() == [Event(DONE, "e")]
    assert decoder.close() == []


def test_an_empty_body_has_no_events() -> None:
    assert decode([]) == decode([b""]) == decode([BOM[:2]]) == []


@given(streams)
def test_decoding_follows_the_standard(stream: bytes) -> None:
    assert decode([stream]) == by_the_book(stream)


@given(streams, st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert decode(cut(stream, places)) == decode(bytes([byte]) for byte in stream) == decode([stream])


@given(st.lists(st.tuples(data, kinds)), st.lists(st.integers(0, 500), max_size=5))
def test_what_is_encoded_is_decoded(events: list[tuple[bytes, str]], places: list[int]) -> None:
    stream = b"".join(encode(data, kind) for data, kind in events)
    decoder = SseDecoder()
    assert [event for chunk in cut(stream, places) for event in decoder.feed(chunk)] == [
        Event(*event) for event in events
    ]
    assert decoder.close() == []


@given(streams)
def test_decoded_events_encode_to_themselves(stream: bytes) -> None:
    events = decode([stream])
    assert decode([encode(event.data, event.event) for event in events]) == events


@given(streams, st.lists(st.integers(0, 200), max_size=12), st.integers(0, 12), st.integers(0, 20))
def test_a_limit_is_hit_whatever_the_cut(stream: bytes, places: list[int], line: int, event: int) -> None:
    def run(chunks: Iterable[bytes]) -> list[Event] | str:
        try:
            return decode(chunks, SseDecoder(max_line=line, max_event=event))
        except SseTooLarge:
            return "too large"

    assert run(cut(stream, places)) == run([stream])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_that_never_ends_is_refused_at_its_limit(size: int) -> None:
    decoder = SseDecoder(max_line=100)
    for _ in range(100 // size):
        assert decoder.feed(b"x" * size) == []
    with pytest.raises(SseTooLarge, match="line is over 100 bytes"):
        decoder.feed(b"x" * size)


def test_an_event_that_never_ends_is_refused_at_its_limit() -> None:
    decoder = SseDecoder(max_event=100)
    for _ in range(97):
        assert decoder.feed(b"data\n") == []
    with pytest.raises(SseTooLarge, match="event is over 100 bytes"):
        decoder.feed(b"data\n")


def test_limits_are_for_one_line_and_one_event_not_for_the_stream() -> None:
    decoder = SseDecoder(max_line=20, max_event=20)
    assert decode((b"data: " + b"x" * 14 + b"\n\n: comment\n" for _ in range(10)), decoder) == [Event(b"x" * 14)] * 10


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    line = b"data: " + b"x" * (8 << 20)
    begun = time.monotonic()
    events = decode(line[start : start + 64] for start in range(0, len(line), 64))
    assert events == [Event(line[6:])]
    assert time.monotonic() - begun < 30  # a rescan of the buffer for each piece would take far longer


def test_a_line_end_in_data_cannot_forge_a_field() -> None:
    assert encode(b"a\r\nb\rc\nevent: x") == b"data: a\ndata: b\ndata: c\ndata: event: x\n\n"
    assert decode([encode(b"a\r\nb\rc\n")]) == [Event(b"a\nb\nc\n")]


@pytest.mark.parametrize("kind", ["a\nb", "a\rb", "\n"])
def test_a_line_end_in_a_type_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(b"", kind)


def test_encoding_has_the_form_that_every_client_reads() -> None:
    assert encode(DONE) == b"data: [DONE]\n\n"
    assert encode(b"{}", "ping") == b"event: ping\ndata: {}\n\n"


# Lines of no event ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b'{"error":{}}', b"error: died", b"<html>", b"upstream connect error", b"[DONE]"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_of_no_event_is_delivered_where_it_is_wanted(line: bytes, end: bytes) -> None:
    stream = b"data: a" + end * 2 + line + end * 2 + b": ping" + end + b"id: 1" + end + b"retry: 2" + end * 2
    assert decode([stream]) == [Event(b"a")]
    for pieces in ([stream], [bytes([byte]) for byte in stream]):
        found = decode(pieces, SseDecoder(keep_strays=True))
        assert found == [Event(b"a"), StrayLine(line)] and isinstance(found[1], StrayLine)


def test_an_error_without_data_is_an_event_where_stray_lines_are_wanted() -> None:
    assert decode([b"event: error\n\n"]) == []
    assert decode([b"event: error\n\nevent: x\n\n"], SseDecoder(keep_strays=True)) == [Event(b"", "error")]


@given(streams, st.lists(st.integers(0, 60), max_size=6))
def test_stray_lines_change_no_event(stream: bytes, places: list[int]) -> None:
    found = decode(cut(stream, places), SseDecoder(keep_strays=True))
    events = [event for event in found if not isinstance(event, StrayLine) and (event.data or event.event != "error")]
    assert [event for event in events if event.data] == [event for event in by_the_book(stream) if event.data]
