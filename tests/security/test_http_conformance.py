"""What HTTP/1.1 asks of a server, asked of the whole gateway: bytes in, a status or a close out.

The rows follow RFC 9112 and RFC 9110 section by section; each is a request as it goes over the wire.
"""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.edge import Answer, connect_to, read_all, read_answer, received, statuses
from tests.support.running import Running, running

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
NOT_FOUND, NOT_JSON, BAD = 404, 415, 400
"""The two words of the application (`/` is no path of ours, and no POST of these is JSON), and that of the server."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Running]:
    with running({"gateway": {"page": False}}) as served:  # "/" is then a path like any other
        yield served


class Case(NamedTuple):
    """A request, and the status that it gets."""

    section: str
    what: str
    sent: bytes
    status: int


CASES = [
    Case("9112 2.2", "empty lines before a request", b"\r\n\r\n" + GET + b"\r\n", NOT_FOUND),
    Case("9112 2.2", "LF alone ends the lines", b"GET / HTTP/1.1\nHost: localhost\n\n", BAD),
    Case("9112 2.2", "a CR inside a field", GET + b"X-A: a\rb\r\n\r\n", BAD),
    Case("9112 2.2", "a CR instead of the last line", GET + b"\rX-A: b\r\n\r\n", BAD),
    Case("9112 2.2", "white space before the first field", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", BAD),
    Case("9112 2.3", "version 2.0", b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    Case("9112 2.3", "version 9.9", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
    Case("9112 2.3", "a version in small letters", b"GET / http/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3", "a plain GET", GET + b"\r\n", NOT_FOUND),
    Case("9112 3", "no version", b"GET /\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3", "no version but its space", b"GET / \r\n\r\n", BAD),
    Case("9112 3", "two spaces", b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3", "a space behind", b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3", "a tab between", b"GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3", "words before the method", b"Extra lineGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.1", "a method that nobody knows", b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    Case("9110 9.1", "a method in small letters", b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    Case("9112 3.2", "no Host", b"GET / HTTP/1.1\r\n\r\n", BAD),
    Case("9112 3.2", "two Hosts", GET + b"Host: example.com\r\n\r\n", BAD),
    Case("9112 3.2", "the same Host twice", GET + b"Host: localhost\r\n\r\n", BAD),
    Case("9112 3.2", "a Host with a space", b"GET / HTTP/1.1\r\nHost: bad host\r\n\r\n", BAD),
    Case("9112 3.2", "a Host with a user", b"GET / HTTP/1.1\r\nHost: me@localhost\r\n\r\n", BAD),
    Case("9112 3.2", "an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", BAD),
    Case("9112 3.2.1", "a fragment", b"GET /#part HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.1", "bytes that are not encoded", b"GET /\xed\x95\x9c HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.1", "a percent sign alone", b"GET /50% HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.2", "an absolute target", b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
    Case("9112 3.2.2", "no path behind it", b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
    Case("9112 3.2.2", "its authority is not ours", b"GET http://a.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
    Case("9110 4.2.1", "it has no authority", b"GET http:///health HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.2", "of another scheme", b"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.3", "CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    Case("9112 3.2.3", "a GET of an authority", b"GET example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case("9112 3.2.4", "OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 204),
    Case("9112 3.2.4", "GET *", b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    Case(
        "9112 5", "names in any case, a tab, no value", b"GET / HTTP/1.1\r\nhoSt:\tlocalhost\r\nx:\r\n\r\n", NOT_FOUND
    ),
    Case("9112 5", "white space as a value", GET + b"X-Empty: \r\n\r\n", NOT_FOUND),
    Case("9112 5", "no colon", GET + b"X-A b\r\n\r\n", BAD),
    Case("9112 5", "no name", GET + b": b\r\n\r\n", BAD),
    Case("9112 5.1", "a space before the colon", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", BAD),
    Case("9112 5.1", "a space in a name", GET + b"Bad Header: value\r\n\r\n", BAD),
    Case("9110 5.1", "brackets in a name", GET + b"X-Invalid[]: value\r\n\r\n", BAD),
    Case("9112 5.2", "a folded field", GET + b"X-A: a\r\n  continued\r\n\r\n", BAD),
    Case("9110 5.5", "NUL in a value", b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n", BAD),
    Case("9110 5.5", "BEL in a value", GET + b"X-A: test\x07\r\n\r\n", BAD),
    Case("9110 5.5", "bytes over 127 in a value", GET + b"X-A: \xed\x95\x9c\r\n\r\n", NOT_FOUND),
    Case("9112 6.1", "chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", NOT_JSON),
    Case("9112 6.1", "chunks in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    Case("9112 6.1", "chunks and a length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", BAD),
    Case("9112 6.1", "a coding that nobody knows", POST + b"Transfer-Encoding: nonsense\r\n\r\nhello", BAD),
    Case("9112 6.1", "one that is not spoken here", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    Case(
        "9112 6.3", "chunked is not the last", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + LAST, BAD
    ),
    Case("9112 6.2", "a length", POST + b"Content-Length: 5\r\n\r\nhello", NOT_JSON),
    Case("9112 6.2", "a GET with a body", GET + b"Content-Length: 5\r\n\r\nhello", NOT_FOUND),
    Case("9110 8.6", "a length that is no number", POST + b"Content-Length: xyz\r\n\r\nhello", BAD),
    Case("9110 8.6", "a negative length", POST + b"Content-Length: -1234\r\n\r\n", BAD),
    Case("9110 8.6", "a very negative length", POST + b"Content-Length: -123456789123456789123456789\r\n\r\n", BAD),
    Case("9112 6.3", "two lengths", POST + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello!!", BAD),
    Case("9112 7.1", "no chunk size", POST + b"Transfer-Encoding: chunked\r\n\r\nZ\r\nhello\r\n0\r\n\r\n" + LAST, BAD),
    Case("9112 7.1", "a chunk too long", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n" + LAST, BAD),
    Case("9112 7.1.1", "an extension", POST + b"Transfer-Encoding: chunked\r\n\r\n0;a=b\r\n\r\n", NOT_JSON),
    Case("9112 7.1.2", "a trailer", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n\r\n", NOT_JSON),
]
BAD_ONES = [case for case in CASES if case.status in (400, 501, 505) and case.what != "an empty Host"]


def named(case: Case) -> str:
    return f"{case.section}: {case.what}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_request_gets_the_status_that_the_rfc_asks_for(gateway: Running, case: Case) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(case.sent)
        text = b""
        while b"\r\n\r\n" not in text:
            text += received(connection)
    assert Answer(text).status == case.status


@pytest.mark.parametrize("case", BAD_ONES, ids=named)
def test_a_refused_request_gets_one_error_object_and_a_close(gateway: Running, case: Case) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(case.sent)
        text = read_all(connection)
    assert statuses(text) == [case.status]
    assert Answer(text).error["message"]


@pytest.mark.parametrize("case", [case for case in CASES if case.status not in (400, 501, 505)], ids=named)
def test_a_client_that_closes_its_half_gets_its_answer(gateway: Running, case: Case) -> None:
    """RFC 9112 section 9.6 lets it: it has sent all it will."""
    with connect_to(gateway) as connection:
        connection.sendall(case.sent)
        connection.shutdown(socket.SHUT_WR)
        assert Answer(read_all(connection)).status == case.status


UNFINISHED = GET + b"\r\n"


@pytest.mark.parametrize("length", range(1, len(UNFINISHED)))
def test_an_unfinished_head_is_waited_for(gateway: Running, length: int) -> None:
    with connect_to(gateway) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(UNFINISHED[:length])
        assert gateway.get("/health").status_code == 200, "the server has had its time to refuse it"
        connection.sendall(UNFINISHED[length:])
        assert read_answer(connection).status == NOT_FOUND


def test_a_head_that_has_half_a_line_ending_is_not_waited_for(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"GET / HTTP/1.1\n")
        assert Answer(read_all(connection)).error["code"] == "bad_http"


def test_whoever_speaks_tls_is_told_at_once(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert Answer(read_all(connection)).status == BAD


# Connections (RFC 9112 section 9) -----------------------------------------------------------------------------------


def test_a_connection_is_kept_in_http_1_1(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        for _ in range(3):
            connection.sendall(GET + b"\r\n")
            assert read_answer(connection).status == NOT_FOUND


def test_requests_may_come_before_the_answers_which_keep_their_order(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(GET + b"\r\n" + LAST.replace(b"Connection: close\r\n", b"") + LAST)
        text = read_all(connection)
    assert statuses(text) == [NOT_FOUND, 200, 200]


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"Connection: close\r\n\r\n",
        GET + b"Connection: Keep-Alive, CLOSE\r\n\r\n",
        GET + b"Connection: keep-alive\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_connection_is_closed_where_the_client_says_so_or_says_nothing_in_http_1_0(
    gateway: Running, sent: bytes
) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(sent)
        answer = Answer(read_all(connection))
    assert (answer.status, answer.headers["connection"]) == (NOT_FOUND, "close")


def test_an_http_1_0_client_may_ask_to_keep_it(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: foo, keep-alive\r\n\r\n")
            assert read_answer(connection).headers["connection"] == "keep-alive"


def test_an_http_1_0_request_without_host_reaches_nothing(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert Answer(read_all(connection)).status == BAD


# Semantics (RFC 9110) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [b"/", b"/health", b"/v1/models", b"/v1/chat/completions"])
def test_the_answer_to_head_has_the_length_of_a_body_and_none(gateway: Running, path: bytes) -> None:
    """Section 9.3.2."""
    with connect_to(gateway) as connection:
        connection.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = Answer(read_all(connection))
    assert answer.body == b""
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("rest", [b"\r\n", b"Host: localhost\r\nHost: localhost\r\n\r\n", b"X\n"])
def test_a_refused_head_has_no_body_either(gateway: Running, rest: bytes) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\n" + rest)
        answer = Answer(read_all(connection))
    assert (answer.status, answer.body) == (BAD, b"")


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(gateway: Running) -> None:
    """Section 10.1.1."""
    with connect_to(gateway) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert received(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert read_answer(connection).status == NOT_JSON


def test_an_expectation_with_nothing_to_send_is_answered(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(GET + b"Expect: 100-continue\r\n\r\n")
        assert read_answer(connection).status == NOT_FOUND
