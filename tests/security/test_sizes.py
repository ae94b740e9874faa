"""Every size has a limit, which itself is allowed; who is over it gets to read so."""

import pytest

from gateway.core.errors import BodyTooLarge
from gateway.http1.request_reader import MAX_EMPTY_LINES, MAX_FIELDS, MAX_HEAD, MAX_TARGET
from gateway.httpd.request import PASSED_OVER, RequestParser
from tests.support.edge import HEAD, MIB, App, Served, chunked, get, post, read_answer

CLOSING = b"Connection: close"


@pytest.mark.parametrize(("size", "status"), [(MIB - 1, 200), (MIB, 200), (MIB + 1, 413)])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(app: App, size: int, status: int, framing: str) -> None:
    body = b"x" * size
    request = post(b"/", body, CLOSING) if framing == "length" else chunked(b"/", [body[:1000], body[1000:]])
    with Served(app) as served, served.connect() as connection:
        connection.sendall(request)
        answer = read_answer(connection)
    assert answer.status == status
    if status == 200:
        assert answer.json["length"] == size


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_client_that_sends_a_body_far_too_large_gets_to_read_why(app: App, framing: str) -> None:
    body = b"x" * (40 * MIB)
    request = post(b"/", body) if framing == "length" else chunked(b"/", [body[:MIB]] * 40)
    with Served(app, max_body=32 * MIB) as served:
        answer = served.ask(request)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "32 MiB" in str(answer.error["message"])
    assert "gateway.maxBodyMiB" in str(answer.error["message"])
    assert not app.overloaded


def test_a_body_that_announces_no_end_is_refused_before_it_comes(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 999999999999\r\n\r\n")
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_a_body_without_end_is_cut(app: App) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with Served(app, max_body=MIB) as served, served.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            connection.sendall(chunk * 1024)
    assert not app.overloaded


def test_a_body_is_read_up_to_a_multiple_of_the_limit() -> None:
    parser = RequestParser(MIB)
    parser.feed(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    fed = 0
    while not parser.completed:
        fed += parser.feed(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        assert parser.body is not None
        assert len(parser.body) <= MIB
    assert isinstance(parser.refusal, BodyTooLarge)
    assert PASSED_OVER * MIB < fed <= (PASSED_OVER + 1) * MIB


def test_a_client_that_asks_before_sending_too_much_is_told_without_a_100(app: App) -> None:
    with Served(app) as served:
        head = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (2 * MIB)
        answer = served.ask(b"POST / HTTP/1.1\r\n" + HEAD + head)
    assert answer.status == 413


@pytest.mark.parametrize(("length", "status"), [(b"0" * 30 + b"5", 200), (b"9" * 19, 413), (b"9" * 5_000, 413)])
def test_a_length_is_a_number_however_many_digits_it_has(app: App, length: bytes, status: int) -> None:
    request = b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: " + length + b"\r\n\r\nhello"
    with Served(app) as served, served.connect() as connection:
        connection.sendall(request)
        assert read_answer(connection).status == status


def test_a_chunk_that_announces_no_end_is_refused_before_it_comes(app: App) -> None:
    with Served(app) as served:
        answer = served.ask(chunked(b"/", []).removesuffix(b"0\r\n\r\n") + b"ffffffffffffffff\r\n")
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


# Heads --------------------------------------------------------------------------------------------------------------


def of_size(size: int) -> bytes:
    """A request whose head has so many bytes."""
    short = get(b"/", b"X-Long: ")
    return get(b"/", b"X-Long: " + b"a" * (size - len(short)))


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (of_size(MAX_HEAD - 1), 200, None),
        (of_size(MAX_HEAD), 200, None),
        (of_size(MAX_HEAD + 1), 431, "headers_too_large"),
        (of_size(MAX_HEAD + 1)[:-4] + b"a" * 40_000, 431, "headers_too_large"),
        (get(b"/" + b"a" * (MAX_TARGET - 2)), 200, None),
        (get(b"/" + b"a" * (MAX_TARGET - 1)), 200, None),
        (get(b"/" + b"a" * MAX_TARGET), 414, "target_too_long"),
        (get(b"/" + b"a" * MAX_HEAD), 414, "target_too_long"),
        (b"GET /" + b"a" * MAX_HEAD, 414, "target_too_long"),
        (get(b"/", *[b"X-Field: x"] * (MAX_FIELDS - 3)), 200, None),
        (get(b"/", *[b"X-Field: x"] * (MAX_FIELDS - 2)), 200, None),
        (get(b"/", *[b"X-Field: x"] * (MAX_FIELDS - 1)), 431, "headers_too_large"),
        (b"\r\n" * MAX_EMPTY_LINES + get(), 200, None),
        (b"\r\n" * (MAX_EMPTY_LINES + 1) + get(), 400, "bad_http"),
    ],
    ids=lambda value: repr(value[:12] + value[-12:]) if isinstance(value, bytes) else None,
)
def test_a_head_may_be_as_large_as_its_limits_say(
    app: App, request_bytes: bytes, status: int, code: str | None
) -> None:
    with Served(app) as served, served.connect() as connection:
        connection.sendall(request_bytes)
        answer = read_answer(connection)
    assert answer.status == status
    if code:
        assert answer.error["code"] == code
        assert not app.overloaded
