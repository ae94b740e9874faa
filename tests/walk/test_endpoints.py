"""A new endpoint is one row: its path, its wire's errors and its heartbeat come with it, and nothing else is edited."""

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from gateway.core.errors import GatewayError, InvalidRequest
from gateway.handler.reply import EVENT_STREAM, Reply
from gateway.server.routes import ENDPOINTS, Asked, Endpoint
from tests.support.edge import LIMIT, connect_to, post, read_all, until
from tests.support.running import Running, running

PATH = "/oracle/v2/ask"
CLOSE = b"Connection: close"


class OracleWire:
    """An invented wire: errors are lines of text in an envelope, a heartbeat is an event of its own."""

    beat = b"event: hum\ndata: {}\n\n"

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def heartbeat(self) -> bytes:
        return self.beat

    def error_status(self, error: GatewayError) -> int:
        return error.status

    def render_error(self, error: GatewayError) -> bytes:
        return json.dumps({"oracle_says": self._mask(error.message)}).encode()

    def error(self, error: GatewayError) -> bytes:
        return self.error_event(error)

    def error_event(self, error: GatewayError) -> bytes:
        return b"event: doom\ndata: %s\n\n" % self.render_error(error)

    def reply_headers(self, request_id: str) -> tuple[tuple[str, str], ...]:
        return (("oracle-id", request_id),)


class Oracle:
    """Answers what it is asked; a question of "wait" holds until the test lets it go."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.go = threading.Event()

    def __call__(self, asked: Asked, wire: OracleWire) -> Reply:
        self.asked.append(asked)
        call = asked.model_call
        call.heartbeats = wire
        try:
            if asked.body == b'"wait"':
                call.caller.heartbeat()
                assert self.go.wait(LIMIT)
                call.caller.commit()
                return Reply(200, EVENT_STREAM, b"event: truth\ndata: 42\n\n")
            if asked.body != b'"why"':
                raise InvalidRequest("Ask why.")
            return Reply(200, (("Content-Type", "application/json"),), b'{"truth":42}')
        finally:
            call.finish()


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.go.set()


@pytest.fixture
def gateway(oracle: Oracle) -> Iterator[Running]:
    row = Endpoint("oracle", PATH, ("POST",), OracleWire, oracle, model_call=True)
    with running(endpoints=(*ENDPOINTS, row)) as served:
        yield served


def test_it_is_served_like_any_other(gateway: Running, oracle: Oracle) -> None:
    reply = gateway.post(b'"why"', path=PATH)
    assert (reply.status_code, reply.json()) == (200, {"truth": 42})
    assert reply.headers["oracle-id"] == reply.headers["x-request-id"]
    assert oracle.asked[0].model_call.endpoint == "oracle"


def test_its_errors_are_its_wires(gateway: Running) -> None:
    refusals = {
        400: gateway.post(b'"what"', path=PATH),
        405: gateway.get(PATH),
        415: gateway.post(b"why", path=PATH, headers={"content-type": "text/plain"}),
        403: gateway.post(b'"why"', path=PATH, headers={"origin": "https://evil.example"}),
    }
    for status, reply in refusals.items():
        assert (reply.status_code, list(reply.json())) == (status, ["oracle_says"])
        assert reply.headers["oracle-id"]
    assert list(gateway.get("/v1/models/none").json()) == ["error"], "the others keep theirs"


def test_the_servers_own_refusals_are_its_wires_too(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'{"oracle_says":' in answer


def test_its_heartbeat_is_its_wires(gateway: Running, oracle: Oracle) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(post(PATH.encode(), b'"wait"', CLOSE))
        until(lambda: bool(oracle.asked))
        first = read_until(connection, OracleWire.beat)
        oracle.go.set()
        answer = first + read_all(connection)
    assert b"text/event-stream" in answer and b"event: truth" in answer
    assert answer.index(OracleWire.beat) < answer.index(b"event: truth")


def read_until(connection: socket.socket, text: bytes) -> bytes:
    came = b""
    while text not in came:
        data = connection.recv(1 << 16)
        assert data, came
        came += data
    return came


def test_a_crash_of_it_after_a_heartbeat_is_its_wires_event(
    gateway: Running, oracle: Oracle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: object) -> bool:
        raise ZeroDivisionError

    with connect_to(gateway) as connection:
        connection.sendall(post(PATH.encode(), b'"wait"', CLOSE))
        read_until(connection, OracleWire.beat)
        monkeypatch.setattr(oracle.go, "wait", crash)
        with connect_to(gateway) as other:
            other.sendall(post(PATH.encode(), b'"wait"', CLOSE))
            answer = read_all(other)
        oracle.go.set()
    assert b"event: doom" in answer and b"fault of its own" in answer
