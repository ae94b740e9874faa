"""Requests that hide another one: two readers could disagree about where they end. One answer, then a close.

Each attack is sent with a second request behind it. The second one is never answered, and the application never asked.
"""

import socket
from collections.abc import Iterable

import pytest

from gateway.core.errors import GatewayError
from gateway.httpd.request import RequestParser
from tests.support.cases import each_case
from tests.support.edge import HEAD, MIB, Answer, App, Served, chunked, get, post, read_all, read_answer, statuses

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\n" + HEAD
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def coded(*fields: bytes) -> bytes:
    """A POST with these framing fields, and the end of a chunked body behind it."""
    return POST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + END


ATTACKS = {
    "CL.TE": coded(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "TE.CL": coded(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "TE.CL, small letters": coded(b"transfer-encoding: chunked", b"content-length: 0"),
    "TE twice": coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "TE twice, one unknown": coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: cow"),
    "TE and a list": coded(b"Transfer-Encoding: chunked, chunked"),
    "TE not last": coded(b"Transfer-Encoding: chunked, identity"),
    "TE identity": coded(b"Transfer-Encoding: identity"),
    "TE identity and CL": coded(b"Transfer-Encoding: identity", b"Content-Length: 5"),
    "TE with a parameter": coded(b"Transfer-Encoding: chunked;q=1"),
    "TE almost": coded(b"Transfer-Encoding: xchunked"),
    "TE in quotes": coded(b'Transfer-Encoding: "chunked"'),
    "TE empty": coded(b"Transfer-Encoding:"),
    "TE of a comma": coded(b"Transfer-Encoding: ,"),
    "TE before a comma": coded(b"Transfer-Encoding: chunked,"),
    "TE with VT": coded(b"Transfer-Encoding: \x0bchunked"),
    "TE with FF": coded(b"Transfer-Encoding: chunked\x0c"),
    "TE with NEL": coded(b"Transfer-Encoding: chunked\x85"),
    "TE with NBSP": coded(b"Transfer-Encoding:\xa0chunked"),
    "TE with NUL": coded(b"Transfer-Encoding: chunked\0"),
    "TE folded": coded(b"Transfer-Encoding:\r\n chunked"),
    "TE before a space": coded(b"Transfer-Encoding : chunked"),
    "TE before a tab": coded(b"Transfer-Encoding\t: chunked"),
    "TE behind a space": coded(b"X: y", b" Transfer-Encoding: chunked"),
    "TE behind a CR": coded(b"X: y\rTransfer-Encoding: chunked"),
    "TE behind a LF": coded(b"X: y\nTransfer-Encoding: chunked"),
    "TE in HTTP/1.0": coded(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "CL twice": coded(b"Content-Length: 5", b"Content-Length: 0"),
    "CL twice, the same": coded(b"Content-Length: 5", b"Content-Length: 5"),
    "CL twice, one empty": coded(b"Content-Length: 5", b"Content-Length:"),
    "CL as a list": coded(b"Content-Length: 5, 5"),
    "CL signed": coded(b"Content-Length: +5"),
    "CL negative": coded(b"Content-Length: -5"),
    "CL hexadecimal": coded(b"Content-Length: 0x5"),
    "CL in parts": coded(b"Content-Length: 1_0"),
    "CL with a space": coded(b"Content-Length: 5 5"),
    "CL with a fraction": coded(b"Content-Length: 5.0"),
    "CL empty": coded(b"Content-Length:"),
    "CL in other digits": coded(b"Content-Length: \xb2"),
    "CL folded": coded(b"Content-Length:\r\n 5"),
    "CL before a space": coded(b"Content-Length : 5"),
    "LF ends a line": POST.replace(b"Host: localhost\r\n", b"Host: localhost\n") + b"\r\n",
    "LF ends the head": POST + b"\n",
    "CR ends the head": POST + b"\r\r\n",
    "a CR alone": POST + b"\r" + HIDDEN,
    "NUL in the request line": b"POST /\0 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "NUL in a name": coded(b"X\0Y: z"),
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 with a head": b"GET /\r\nHost: localhost\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: localhost\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HEAD + b"Host: evil.example\r\n\r\n",
    "a Host behind a space": b"GET / HTTP/1.1\r\nX: y\r\n Host: evil.example\r\n" + HEAD + b"\r\n",
    "a target with a space": b"GET /a b HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a target in two lines": b"GET /a\r\n HTTP/1.1\r\n" + HEAD + b"\r\n",
    "an authority with a user": b"GET http://localhost@evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a target that urlsplit trips over": b"GET http://[ HTTP/1.1\r\n" + HEAD + b"\r\n",
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a chunk size with a sign": CHUNKED + b"+0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x0\r\n\r\n",
    "a chunk size in parts": CHUNKED + b"0_0\r\n\r\n",
    "a chunk size behind a space": CHUNKED + b" 0\r\n\r\n",
    "a chunk size before a space": CHUNKED + b"0 \r\n\r\n",
    "no chunk size": CHUNKED + b"\r\n" + END,
    "no chunk size but an extension": CHUNKED + b";a=b\r\n" + END,
    "a chunk size of 17 digits": CHUNKED + b"00000000000000000\r\n\r\n",
    "LF ends a chunk size": CHUNKED + b"0\n\r\n",
    "LF ends an extension": CHUNKED + b"0;a\n\r\n",
    "CR in an extension": CHUNKED + b"0;a\rb\r\n\r\n",
    "NUL in an extension": CHUNKED + b"0;\0\r\n\r\n",
    "an extension without end": CHUNKED + b"1;" + b"a" * 2_000,
    "LF ends a chunk": CHUNKED + b"1\r\na\n" + END,
    "nothing ends a chunk": CHUNKED + b"1\r\na" + END,
    "a chunk longer than its size": CHUNKED + b"1\r\nab\r\n" + END,
    "LF ends a trailer": CHUNKED + b"0\r\nX: y\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: y\r\n z\r\n\r\n",
    "a trailer without end": CHUNKED + b"0\r\n" + b"X: y\r\n" * 4_000,
    "an expectation and both framings": coded(
        b"Expect: 100-continue", b"Content-Length: 5", b"Transfer-Encoding: chunked"
    ),
}
KINDS = {"bad_http": 400, "not_implemented": 501, "http_version_not_supported": 505}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_what_could_be_read_in_two_ways_gets_one_refusal_and_a_close(app: App, attack: bytes) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(attack + HIDDEN)
        text = read_all(connection)
    answer = Answer(text)
    assert KINDS[str(answer.error["code"])] == answer.status
    assert statuses(text) == [answer.status], "something behind it was answered"
    assert not app.overloaded, "the application was asked"


@each_case("attack", ATTACKS.values(), ids=ATTACKS)
def test_it_is_refused_for_the_same_reason_when_it_comes_byte_by_byte(attack: bytes) -> None:
    assert str(outcome([attack + HIDDEN])) == str(outcome(bytes([each]) for each in attack + HIDDEN))


def outcome(pieces: Iterable[bytes]) -> GatewayError | None:
    """What a parser says of a request that comes in these pieces."""
    parser = RequestParser(MIB)
    for piece in pieces:
        rest = piece
        while rest and not parser.completed:
            rest = rest[parser.feed(rest) :]
        assert not rest or not parser.refusal, "where the next request begins is not known"
        if parser.completed:
            break
    return parser.refusal


def test_a_refusal_tells_nothing_of_what_was_sent(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-key\nx: y\r\n\r\n")
    assert answer.status == 400
    assert b"secret" not in answer.body


def test_a_name_with_an_underscore_is_not_taken_for_the_one_with_a_hyphen(app: App) -> None:
    """WSGI writes both the same way, so a field that nobody checked could pass for one that decides."""
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n"
    with Served(app) as served, served.connect() as connection:
        connection.sendall(request + get(b"/next"))
        assert read_answer(connection).json["length"] == 0


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_body_that_is_followed_by_a_request_ends_where_it_says(app: App, before: bytes) -> None:
    body = b"GET /hidden HTTP/1.1\r\n\r\n"
    with Served(app) as served, served.connect() as connection:
        connection.sendall(post(b"/", body) + before + chunked(b"/", [body, body]) + before + get(b"/last"))
        answers = [read_one(connection) for _ in range(3)]
    assert [(each["path"], each["length"]) for each in answers] == [
        ("/", len(body)),
        ("/", 2 * len(body)),
        ("/last", 0),
    ]


def read_one(connection: socket.socket) -> dict[str, object]:
    """One answer, and nothing of the next."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += connection.recv(1)
    answer = Answer(text)
    answer.body = connection.recv(int(answer.headers["content-length"]), socket.MSG_WAITALL)
    return answer.json
