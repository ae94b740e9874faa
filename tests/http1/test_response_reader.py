"""HTTP/1.1 without a socket: what goes out, and every way in which an answer may be framed, cut or wrong."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.http1.head_writer import HeadWriter
from gateway.http1.response_body import MAX_SIZE_LINE, MAX_TRAILER, ProtocolError
from gateway.http1.response_reader import (
    MAX_FIELDS,
    MAX_HEAD,
    MAX_INTERIM,
    Headers,
    ResponseReader,
)
from tests.support.cases import each_case

HEAD = HeadWriter("api.acme.example", {"Accept-Encoding": "identity"})
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Read:
    """What was read of an answer whose connection has ended."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    ended: bool
    fault: str | None


def read(pieces: Sequence[bytes], *, closed: bool = True) -> Read:
    reader = ResponseReader()
    body = b"".join(reader.feed(piece) for piece in pieces)
    if closed:
        reader.close()
    assert not (reader.ended and reader.fault)
    return Read(
        reader.status, dict(reader.headers), body, reader.ended, None if reader.fault is None else str(reader.fault)
    )


def body_of(*pieces: bytes) -> bytes:
    """The body of an answer that says by itself where it ends."""
    got = read(pieces, closed=False)
    assert got.fault is None
    assert got.ended
    return got.body


def fault_of(*pieces: bytes, closed: bool = False) -> str:
    got = read(pieces, closed=closed)
    assert got.fault is not None, got
    return got.fault


def serves_again(*pieces: bytes) -> bool:
    reader = ResponseReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.reusable


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


# Out ---------------------------------------------------------------------------------------------------------------


def test_a_head_is_written_in_one_fixed_order() -> None:
    written = HEAD.render("/v1/chat/completions?a=b", {"User-Agent": "T/1", "Authorization": "Bearer k\xe9"}, 12)
    assert written == (
        b"POST /v1/chat/completions?a=b HTTP/1.1\r\n"
        b"Host: api.acme.example\r\n"
        b"Accept-Encoding: identity\r\n"
        b"User-Agent: T/1\r\n"
        b"Authorization: Bearer k\xe9\r\n"
        b"Content-Length: 12\r\n\r\n"
    )


@pytest.mark.parametrize(
    "value", ["a\r\nX: 1", "a\n", "\r", "a\0b", " a", "a ", "\ta", "\u2026", "\ud800", "\x7f", "\x1b"]
)
def test_a_value_that_cannot_stand_in_a_head_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        HEAD.render("/", {"Authorization": f"{value}"}, 0)
    assert str(caught.value) == "a header of its request has characters that cannot be sent"


@pytest.mark.parametrize("value", ["", "a", "a b\tc", "\xe9", "ab"])
def test_a_value_of_visible_text_is_sent(value: str) -> None:
    assert f"\r\nX: {value}\r\n".encode("latin-1") in HEAD.render("/", {"X": value}, 0)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "\xe9", "a\0"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError):
        HEAD.render("/", {name: "x"}, 0)


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "Upgrade", "accept-encoding"]
)
def test_what_decides_on_framing_or_is_set_already_is_not_set_by_a_call(name: str) -> None:
    with pytest.raises(ProtocolError):
        HEAD.render("/", {name: "x"}, 0)


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nX: 1", "/\xe9", "/a#b", "/\0"])
def test_a_target_that_cannot_be_sent_is_refused(target: str) -> None:
    with pytest.raises(ProtocolError):
        HEAD.render(target, {}, 0)


def test_a_head_is_that_of_its_own_request_whatever_was_asked_before() -> None:
    key, other = {"Authorization": "Bearer k"}, {"Authorization": "Bearer other"}
    asked = [("/a", key, 1), ("/a", key, 22), ("/a", other, 22), ("/b", other, 22), ("/b", {}, 0), ("/a", key, 1)]
    head = HeadWriter("a.example", {})
    assert [head.render(*each) for each in asked] == [HeadWriter("a.example", {}).render(*each) for each in asked]
    for _ in range(2):
        with pytest.raises(ProtocolError):
            head.render("/a b", key, 1)


@pytest.mark.parametrize("target", ["", "/a b"])
def test_a_first_request_that_cannot_be_sent_is_refused(target: str) -> None:
    with pytest.raises(ProtocolError):
        HeadWriter("a.example", {}).render(target, {}, 0)


@pytest.mark.parametrize(("host", "fields"), [("a b", {}), ("a", {"Host": "b"}), ("a", {"TE": "trailers"})])
def test_the_fields_of_every_request_are_checked_too(host: str, fields: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        HeadWriter(host, fields)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_to_be_sent_makes_one_head_or_is_refused(target: str, name: str, value: str) -> None:
    try:
        written = HEAD.render(target, {name: value}, 3)
    except ProtocolError:
        return
    assert written.count(b"\r\n") == 6
    assert written.count(b"\n") == 6
    assert written.endswith(b"\r\nContent-Length: 3\r\n\r\n")


# The head of an answer ---------------------------------------------------------------------------------------------


def test_status_and_fields_are_read() -> None:
    got = read([OK + b"X-One: 1\r\nx-two:2 \t\r\nX-Empty:\r\nX-Two: \xe9:\r\nContent-Length: 2\r\n\r\nhi"])
    assert (got.status, got.body, got.ended) == (200, b"hi", True)
    assert got.headers == {"x-one": "1", "x-two": "2, \xe9:", "x-empty": "", "content-length": "2"}


def test_fields_are_found_whatever_their_case() -> None:
    headers = Headers({"x-one": "1"})
    assert (headers["X-ONE"], headers.get("x-One"), headers.get("x"), "X-One" in headers, len(headers)) == (
        "1",
        "1",
        None,
        True,
        1,
    )
    assert list(headers.items()) == [("x-one", "1")]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 Tr\xe8s bien\tdone\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n  folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_head_that_is_unusual_but_clear_is_read(head: bytes) -> None:
    got = read([head], closed=False)
    assert (got.status, got.ended, got.fault) == (200, True, None)
    assert got.headers["content-length"] == "0"


@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"X : 1\r\n\r\n",
        OK + b": 1\r\n\r\n",
        OK + b"X: a\rb\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b"X\xe9: 1\r\n\r\n",
        OK + b"X: a\r\r\n\r\n",
    ],
)
def test_what_is_no_head_is_a_fault(head: bytes) -> None:
    assert "is not HTTP/1.1" in fault_of(head)


def test_a_head_may_be_as_long_as_the_limit_and_no_longer() -> None:
    around = len(OK + b"X: \r\nContent-Length: 0\r\n\r\n")
    fits = OK + b"X: " + b"x" * (MAX_HEAD - around) + b"\r\nContent-Length: 0\r\n\r\n"
    longer = fits.replace(b"X: ", b"X: x", 1)
    for pieces in ([fits], [fits[:-1], fits[-1:]], [fits + b"more"]):
        assert read(pieces, closed=False).status == 200
    for pieces in (
        [longer],
        [longer[:-1], longer[-1:]],
        [longer[:MAX_HEAD], longer[MAX_HEAD:]],
        [longer[:-4] + b"xxxxx"],
    ):
        assert fault_of(*pieces) == "the head of its answer is too long"


def test_a_head_has_no_more_fields_than_the_limit() -> None:
    fits = OK + b"X: y\r\n" * (MAX_FIELDS - 1) + b"Content-Length: 0\r\n\r\n"
    assert read([fits], closed=False).ended
    assert fault_of(fits.replace(b"\r\n", b"\r\nX: y\r\n", 1)) == "the head of its answer has too many fields"


def test_interim_answers_are_passed_over_but_not_for_ever() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    final = OK + b"Content-Length: 1\r\n\r\nx"
    assert body_of(interim * MAX_INTERIM + final) == b"x"
    assert fault_of(interim * (MAX_INTERIM + 1) + final) == "it does not come to an answer"


def test_nobody_asked_for_another_protocol() -> None:
    assert fault_of(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n") == "it does not come to an answer"


@pytest.mark.parametrize(
    ("came", "why"),
    [
        (b"", "it closed the connection without an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "it closed the connection without an answer"),
        (b"HTT", "it closed the connection inside the head of its answer"),
        (OK + b"Content-Length: 0\r\n", "it closed the connection inside the head of its answer"),
    ],
)
def test_a_connection_that_ends_before_the_head_does_is_a_fault(came: bytes, why: str) -> None:
    assert fault_of(came, closed=True) == why


# The body ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("fields", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_status_without_a_body_has_none(status: bytes, fields: bytes) -> None:
    assert body_of(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n") == b""


@pytest.mark.parametrize("length", [b"5", b"5, 5", b" 5\t", b"5\r\nContent-Length: 5"])
def test_a_length_may_be_said_again(length: bytes) -> None:
    assert body_of(OK + b"Content-Length: " + length + b"\r\n\r\nhello") == b"hello"


@pytest.mark.parametrize(
    "length", [b"", b"-1", b"+5", b"5, 6", b"5,", b"0x5", b"5 5", b"1e3", b"\xb2", b"9" * 19, b"5\r\nContent-Length: 6"]
)
def test_a_length_that_is_not_clear_is_a_fault(length: bytes) -> None:
    assert fault_of(OK + b"Content-Length: " + length + b"\r\n\r\nhello") == "its answer has no clear length"


def test_a_body_that_ends_before_its_length_is_a_fault() -> None:
    got = read([OK + b"Content-Length: 5\r\n\r\nhell"])
    assert (got.body, got.fault) == (b"hell", "it closed the connection before the end")


def test_a_body_without_framing_ends_with_the_connection() -> None:
    got = read([OK + b"\r\none", b"two"])
    assert (got.body, got.ended) == (b"onetwo", True)
    assert not read([OK + b"\r\none"], closed=False).ended


@each_case(
    "body",
    [
        chunked(b"hello"),
        chunked(b"he", b"llo"),
        b"005\r\nhello\r\n000\r\n\r\n",
        b"5;name=value\r\nhello\r\n0;last\r\n\r\n",
        b"5 \t\r\nhello\r\n0\r\n\r\n",
        chunked(b"hello", end=b"0\r\nX-Trailer: 1\r\nanything at all\r\n\r\n"),
        chunked(b"hello", end=b"0\r\nX-Trailer: 1\n\n"),
    ],
)
@each_case("coding", [b"chunked", b"Chunked", b" CHUNKED\t"])
def test_a_chunked_body_is_put_together(coding: bytes, body: bytes) -> None:
    assert body_of(OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + body) == b"hello"


def test_sizes_are_hexadecimal_in_any_case() -> None:
    assert body_of(CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n") == b"0123456789" * 2


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"chunked, gzip", b"identity", b""])
def test_a_transfer_coding_that_was_not_asked_for_is_a_fault(coding: bytes) -> None:
    why = "its answer has a transfer coding that was not asked for"
    assert fault_of(OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n") == why
    assert fault_of(OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: " + coding + b"\r\n\r\n") == why


@pytest.mark.parametrize(
    "body",
    [
        b"hello\r\n",
        b"\r\n",
        b"-5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r;x\r\nhello",
        b"5 x\r\nhello",
        b"5;a\0b\r\nhello",
        b"5_0\r\nhello",
        b"1" * 16 + b"\r\nhello",
    ],
)
def test_a_size_that_is_not_clear_is_a_fault(body: bytes) -> None:
    got = read([CHUNKED + body], closed=False)
    assert (got.body, got.fault) == (b"", "a piece of its answer has no clear size")


@pytest.mark.parametrize("after", [b"xx0\r\n\r\n", b"\n0\r\n\r\n", b"0\r\n\r\n"])
def test_data_that_does_not_end_where_its_size_says_is_a_fault_after_the_good(after: bytes) -> None:
    got = read([CHUNKED + b"5\r\nhello" + after], closed=False)
    assert (got.body, got.fault) == (b"hello", "a piece of its answer has no clear size")


@pytest.mark.parametrize("end", [b"", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n", b"5\r\nhello\r\n0", b"0\r"])
def test_a_chunked_body_that_ends_before_its_last_chunk_is_a_fault(end: bytes) -> None:
    assert fault_of(CHUNKED + end, closed=True) == "it closed the connection before the end"


@pytest.mark.parametrize("end", [b"0\r\n", b"0\r\n\r", b"0\r\nX: 1\r\n"])
def test_a_body_is_whole_once_its_last_chunk_is_there(end: bytes) -> None:
    got = read([CHUNKED + b"5\r\nhello\r\n" + end])
    assert (got.body, got.ended) == (b"hello", True)
    reader = ResponseReader()
    reader.feed(CHUNKED + end)
    reader.close()
    assert not reader.reusable


def test_a_size_line_is_no_longer_than_the_limit() -> None:
    fits = b"1;" + b"x" * (MAX_SIZE_LINE - 4) + b"\r\n"
    assert len(fits) == MAX_SIZE_LINE
    assert body_of(CHUNKED + fits + b"a\r\n0\r\n\r\n") == b"a"
    longer = b"1;x" + fits[2:]
    for body in (longer, longer[:MAX_SIZE_LINE], b"1\r\na\r\n" + longer):
        assert fault_of(CHUNKED + body) == "a line between the pieces of its answer is too long"


def test_a_trailer_is_no_longer_than_the_limit() -> None:
    fits = b"X: y\r\n" * ((MAX_TRAILER - 8) // 6) + b"X: y" + b"y" * ((MAX_TRAILER - 8) % 6) + b"\r\n\r\n"
    assert len(fits) == MAX_TRAILER
    assert body_of(CHUNKED + b"0\r\n" + fits) == b""
    for trailer in (b"X" + fits, b"x" * MAX_TRAILER, b"X: y\r\n" + b"x" * (MAX_TRAILER - 6)):
        assert fault_of(CHUNKED + b"0\r\n" + trailer) == "a line between the pieces of its answer is too long"


# Serving again -----------------------------------------------------------------------------------------------------


def test_a_connection_serves_again_when_its_answer_is_over() -> None:
    assert serves_again(OK + b"Content-Length: 2\r\n\r\nhi")
    assert serves_again(OK + b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\n", b"hi")
    assert serves_again(CHUNKED + chunked(b"hi"))
    assert serves_again(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (OK,),
        (OK + b"Content-Length: 2\r\n\r\nh",),
        (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi",),
        (OK + b"Content-Length: 2\r\nConnection: x, CLOSE\r\n\r\nhi",),
        (OK + b"Content-Length: 2\r\nConnection: x\r\nConnection: close\r\n\r\nhi",),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",),
        (OK + b"Content-Length: 2\r\n\r\nhi!",),
        (OK + b"Content-Length: 2\r\n\r\nhi", b"!"),
        (OK + b"Content-Length: 2\r\n\r\nhi" + OK,),
        (b"HTTP/1.1 204 No Content\r\n\r\nx",),
        (CHUNKED + chunked(b"hi") + b"x",),
        (CHUNKED + chunked(b"hi"), b"x"),
        (CHUNKED + b"2\r\nhi",),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n" + chunked(b"hi"),),
        (OK + b"\r\nhi",),
    ],
)
def test_a_connection_does_not_serve_again_where_that_is_not_certain(pieces: tuple[bytes, ...]) -> None:
    assert not serves_again(*pieces)


def test_what_has_both_framings_is_read_as_chunked_and_trusted_no_further() -> None:
    body = chunked(b"hello")
    assert body_of(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + body) == b"hello"


def test_after_a_fault_or_the_end_nothing_is_read_any_more() -> None:
    reader = ResponseReader()
    assert reader.feed(CHUNKED + b"2\r\nhixx\r\n") == b"hi"
    fault = reader.fault
    assert fault is not None
    assert reader.feed(b"2\r\nhi\r\n") == b""
    reader.close()
    assert (reader.fault, reader.ended, reader.reusable) == (fault, False, False)
    whole = ResponseReader()
    assert whole.feed(OK + b"Content-Length: 2\r\n\r\nhi") == b"hi"
    assert (whole.feed(b"more"), whole.ended, whole.reusable) == (b"", True, False)
    whole.close()
    assert (whole.fault, whole.ended, whole.reusable) == (None, True, False)


# Whatever comes ----------------------------------------------------------------------------------------------------

FIELDS = (
    b"X: 1\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 7, 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"X: a\r\n b\r\n",
    b"bad\r\n",
)
HEADS = (
    OK,
    b"HTTP/1.0 200 OK\n",
    b"HTTP/1.1 204\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 500 No\r\n",
    b"x",
)
BODIES = (
    b"5\r\nhello\r\n",
    b"2;a=b\r\nhi\r\n",
    b"0\r\n",
    b"0\r\nT: 1\r\n\r\n",
    b"\r\n",
    b"hello",
    b"zz\r\n",
    b"f" * 5_000,
    b"\0\xff",
)
answers = st.tuples(
    st.sampled_from(HEADS),
    st.lists(st.sampled_from(FIELDS), max_size=3),
    st.sampled_from((b"\r\n", b"\n", b"")),
    st.lists(st.sampled_from(BODIES), max_size=5),
).map(lambda parts: parts[0] + b"".join(parts[1]) + parts[2] + b"".join(parts[3]))


def pieces_of(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return (data[start:end] for start, end in itertools.pairwise(at))


@given(answers | st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=8))
@example(CHUNKED + chunked(b"hello", b"world"), [1])
def test_an_answer_is_read_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    whole = read([data])
    assert read(list(pieces_of(data, cuts))) == whole
    assert serves_again(*pieces_of(data, cuts)) == serves_again(data)


@given(answers)
def test_an_answer_is_read_the_same_byte_by_byte(data: bytes) -> None:
    assert read([bytes([byte]) for byte in data]) == read([data])


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_any_bytes_raise_nothing(pieces: list[bytes]) -> None:
    for start in (b"", OK, CHUNKED, OK + b"Content-Length: 9\r\n\r\n"):
        read([start, *pieces])


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.lists(st.integers(0, 10_000), max_size=8))
def test_every_body_arrives_by_every_framing(chunks: list[bytes], cuts: list[int]) -> None:
    body = b"".join(chunks)
    for answer in (
        CHUNKED + chunked(*chunks),
        OK + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        OK + b"\r\n" + body,
    ):
        got = read(list(pieces_of(answer, cuts)))
        assert (got.body, got.ended) == (body, True)
