"""The head of a request: what is read of it, and that nothing but it or an error of ours can come out."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadHttp, GatewayError
from gateway.http1.request_head import RequestHead
from gateway.http1.request_reader import UNBOUNDED, HeadReader
from tests.support.cases import each_case

LINE = b"GET /v1/models?x=1 HTTP/1.1\r\nHost: localhost:8080\r\n"


def read(data: bytes) -> RequestHead:
    found = HeadReader().feed(data)
    assert found is not None
    return found[0]


def test_a_head_is_read() -> None:
    head = read(b"POST /v1/x%2Fy?a=%20b HTTP/1.1\r\nhost: LocalHost\r\nContent-Length: 12\r\nX-A:  b c \t\r\n\r\n")
    assert head == RequestHead(
        method="POST",
        target="/v1/x%2Fy?a=%20b",
        path="/v1/x%2Fy",
        query="a=%20b",
        authority=None,
        version="1.1",
        fields={"HTTP_HOST": "LocalHost", "CONTENT_LENGTH": "12", "HTTP_X_A": "b c"},
        length=12,
        chunked=False,
        persistent=True,
        expects_continue=False,
    )


def test_what_stands_behind_the_head_is_not_taken() -> None:
    reader = HeadReader()
    assert reader.feed(LINE) is None
    found = reader.feed(b"\r\nbody")
    assert found is not None
    assert found[1] == 2


@pytest.mark.parametrize(
    ("target", "read_as"),
    [
        ("/", ("/", "", None)),
        ("/?", ("/", "", None)),
        ("//a.example/b", ("//a.example/b", "", None)),
        ("/a;b=c:@!$&'()*+,~-._", ("/a;b=c:@!$&'()*+,~-._", "", None)),
        ("/a?b/c?d", ("/a", "b/c?d", None)),
        ("http://a.example", ("/", "", "a.example")),
        ("HTTPS://a.example:81?b", ("/", "b", "a.example:81")),
        ("http://[::1]:8080/a?b", ("/a", "b", "[::1]:8080")),
    ],
)
def test_a_target_is_taken_apart(target: str, read_as: tuple[str, str, str | None]) -> None:
    head = read(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert (head.target, head.path, head.query, head.authority) == (target, *read_as)


@each_case(
    "target",
    [
        *("a", "?a", "*", "/a#b", "/<a>", '/"', "/\\", "/^", "/`", "/{a}", "/a|b", "/[a]", "/%", "/%4", "/%zz", "/a?%"),
        *("http://", "http:///", "http:/a", "http://a b/", "http://a@b/", "http://a/#b", "http://[::1/", "ftp://a/"),
    ],
)
def test_a_target_that_is_none_is_refused(target: str) -> None:
    with pytest.raises(BadHttp):
        read(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def test_repeated_fields_are_joined_and_names_with_an_underscore_left_out() -> None:
    head = read(LINE + b"X-A: 1\r\nx-a: 2\r\nX_A: 3\r\n\r\n")
    assert head.fields == {"HTTP_HOST": "localhost:8080", "HTTP_X_A": "1, 2"}


@pytest.mark.parametrize(
    ("digits", "length"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("1" + "0" * 18, UNBOUNDED), ("9" * 9, 10**9 - 1)],
)
def test_a_length_is_what_it_says_or_more_than_any_limit(digits: str, length: int) -> None:
    assert read(LINE + f"Content-Length: {digits}\r\n\r\n".encode()).length == length


def test_chunks_leave_no_field_that_the_application_could_take_for_its_own() -> None:
    head = read(LINE + b"Transfer-Encoding: Chunked \r\n\r\n")
    assert (head.chunked, head.length) == (True, 0)
    assert "HTTP_TRANSFER_ENCODING" not in head.fields


@pytest.mark.parametrize(("version", "expects"), [("1.1", True), ("1.0", False)])
def test_an_expectation_counts_in_http_1_1(version: str, expects: bool) -> None:
    head = read(f"POST / HTTP/{version}\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n".encode())
    assert head.expects_continue is expects


def test_a_reader_knows_how_far_it_got() -> None:
    reader = HeadReader()
    reader.feed(b"HEAD / HT")
    assert (reader.has_request_line, reader.is_head_request) == (False, True)
    reader.feed(b"TP/1.1\r\n")
    assert reader.has_request_line


def test_many_spaces_take_no_time() -> None:
    """A pattern that goes back would take minutes over these, and the suite's time limit would tell."""
    for line in (b"X: " + b" " * 30_000 + b"\0", b"X" * 30_000, b"a b " * 7_000):
        with pytest.raises(BadHttp):
            read(LINE + line + b"\r\n\r\n")


# Any bytes ----------------------------------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        *(b"GET", b"POST", b"OPTIONS", b"CONNECT", b"get", b" ", b"/", b"*", b"http://a", b"?", b"#", b"%41", b"%4"),
        *(b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b"\t", b"\xff", b":"),
        *(b"Host: localhost\r\n", b"Host:", b"Content-Length: 5\r\n", b"Content-Length:", b"Transfer-Encoding: "),
        *(b"chunked", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X_Y: z\r\n", b",", b"5", b"x" * 9_000),
        *(b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n" * 60, b"\x0b", b"\x85"),
    ]
)
ANYTHING = st.one_of(st.binary(max_size=300), st.lists(PARTS, max_size=14).map(b"".join))


def outcome(pieces: list[bytes]) -> tuple[object, ...]:
    """What comes of a head in these pieces: the head and how much was taken, an error, or nothing yet."""
    reader, taken = HeadReader(), 0
    for piece in pieces:
        try:
            found = reader.feed(piece)
        except GatewayError as error:
            return (type(error), error.message)
        if found is not None:
            return (found[0], taken + found[1])
        taken += len(piece)
    return ("unfinished",)


@given(ANYTHING, st.lists(st.integers(0, 20_000), max_size=6))
def test_how_a_head_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    whole = outcome([data])
    assert outcome([data[start:end] for start, end in pairwise(places)]) == whole
    if len(data) < 1_000:
        assert outcome([bytes([each]) for each in data]) == whole


@given(ANYTHING)
def test_whatever_comes_is_a_request_or_an_error_of_ours(data: bytes) -> None:
    result = outcome([data + b"\r\n\r\n"])
    head = result[0]
    if isinstance(head, RequestHead):
        text = data.decode("latin-1")
        assert head.method in text and head.target in text
        assert all(value.isprintable() or "\t" in value or not value.isascii() for value in head.fields.values())
        assert not (head.chunked and "CONTENT_LENGTH" in head.fields)


NAME = st.text("abcXYZ019!#$%&'*+-.^`|~", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)


@given(st.dictionaries(NAME.filter(lambda name: name.lower() not in {"host", "te"}), VALUE, max_size=20))
def test_every_valid_field_comes_out_as_it_went_in(fields: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    told = read(LINE + lines.encode("latin-1") + b"\r\n").fields
    expected: dict[str, str] = {"HTTP_HOST": "localhost:8080"}
    for name, value in fields.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        expected[key] = f"{expected[key]}, {value.strip(' ')}" if key in expected else value.strip(" ")
    assert told == expected
