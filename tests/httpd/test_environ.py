"""What the application is told of a request is the same, whatever the connection has served before."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.httpd.interfaces import CALLER, LEFT, NOTES
from tests.support.edge import HEAD, Answer, Served, chunked, get, post, read_answer
from tests.support.examples import examples

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REQUESTS = [
    post(b"/a", b"12"),
    post(b"/a", b"123456"),
    post(b"/a?q=1", b"12"),
    post(b"/%41//b", b"12", b"X-A: b"),
    post(b"/a", b"12", b"X-A: b"),
    post(b"/a", b"1", b"X-Content-Length: 7"),
    post(b"http://localhost/a", b"12"),
    post(b"/a", b""),
    chunked(b"/a", [b"1", b"23"]),
    get(b"/a"),
    b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\n" + HEAD + b"Content-Length: 2\r\n\r\n12",
]
OF_THE_CONNECTION = {CALLER, LEFT, NOTES, "REMOTE_PORT", "wsgi.input", "wsgi.errors"}


def told(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answers with environ and the body. It changes environ, as an application may."""
    found: dict[str, Any] = {name: str(value) for name, value in environ.items() if name not in OF_THE_CONNECTION}
    body = json.dumps({**found, "body": environ["wsgi.input"].read().decode()}).encode()
    environ.clear()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(told) as server:
        yield server


@pytest.fixture(scope="module")
def alone(served: Served) -> dict[bytes, object]:
    """What is told of each request on a connection of its own."""
    found: dict[bytes, object] = {}
    for request in REQUESTS:
        with served.connect() as connection:
            connection.sendall(request)
            found[request] = read_answer(connection).json
    return found


def next_answer(answers: BinaryIO) -> object:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = answers.readline()
        assert line, "the server has closed the connection"
        head += line
    answer = Answer(head)
    assert answer.status == 200
    return json.loads(answers.read(int(answer.headers["content-length"])))


@settings(max_examples=examples(150))
@given(requests=st.lists(st.sampled_from(REQUESTS), min_size=2, max_size=6), ahead=st.booleans())
def test_it_is_told_the_same_as_of_a_first_request(
    served: Served, alone: dict[bytes, object], requests: list[bytes], ahead: bool
) -> None:
    with served.connect() as connection, connection.makefile("rb") as answers:
        if ahead:
            connection.sendall(b"".join(requests))
        for request in requests:
            if not ahead:
                connection.sendall(request)
            assert next_answer(answers) == alone[request]


def test_what_is_noted_of_a_head_is_found_with_the_next_of_the_same_connection_alone() -> None:
    found: list[object] = []

    def notes(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found.append(environ.get(NOTES, {}).setdefault("number", len(found)))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with Served(notes) as server, server.connect() as one, server.connect() as other:
        for connection, request in (
            (one, post(b"/", b"1")),
            (one, post(b"/", b"1234567890")),
            (other, post(b"/", b"1")),
            (one, post(b"/", b"1", b"X-A: b")),
            (one, post(b"/", b"1")),
            (one, get()),
            (other, post(b"/", b"12")),
        ):
            connection.sendall(request)
            read_answer(connection)
    assert found == [0, 0, 2, 3, 4, 5, 2]
