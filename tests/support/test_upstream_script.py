"""The scripted upstream does what its steps say, so that the tests that lean on it can trust it."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.upstream_script import (
    Body,
    Cut,
    Done,
    Head,
    Json,
    Request,
    Reset,
    ScriptedUpstream,
    Send,
    Sse,
    Stall,
    Status,
    Step,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)

LIMIT = 10.0  # seconds; only a hang takes so long


@pytest.fixture
def client(up: ScriptedUpstream) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(up.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)) as connection:
        yield connection


def connect(up: ScriptedUpstream) -> socket.socket:
    address = urlsplit(up.url)
    return socket.create_connection((address.hostname, address.port), timeout=LIMIT)


def ask(client: http.client.HTTPConnection, body: bytes = b"{}") -> http.client.HTTPResponse:
    client.request("POST", "/v1/chat/completions?x=1", body, {"Content-Type": "application/json", "X-Two": "a"})
    return client.getresponse()


def test_answers_follow_the_script_on_one_kept_connection(
    up: ScriptedUpstream, client: http.client.HTTPConnection
) -> None:
    up.plays(Status(503, {"Retry-After": "2"}, b"later"))
    up.plays(Json(200, {"fine": True}, [("set-cookie", "a"), ("set-cookie", "b")]))
    first = ask(client)
    assert (first.status, first.read(), first.getheader("retry-after")) == (503, b"later", "2")
    second = ask(client)
    assert json.loads(second.read()) == {"fine": True}
    assert second.headers.get_all("set-cookie") == ["a", "b"]
    assert up.connections == 1


def test_every_request_is_recorded_whole(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    ask(client, b'{"model": "gpt-4"}').read()
    client.request("PUT", "/chunked", iter([b"ab", b"cd"]), encode_chunked=True)
    client.getresponse().read()
    one, two = up.wait_for_requests(2)
    assert (one.method, one.path, one.json()) == ("POST", "/v1/chat/completions?x=1", {"model": "gpt-4"})
    assert one.headers["x-TWO"] == "a" and "X-two" in one.headers and "other" not in one.headers
    assert (two.method, two.body, two.connection) == ("PUT", b"abcd", 0)


def test_a_stream_leaves_event_by_event(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    go_on = threading.Event()
    up.plays(Sse(["one"]), WaitFor(go_on), Sse(["two"]), Done())
    answer = ask(client)
    assert answer.getheader("content-type") == "text/event-stream"
    assert [answer.readline(), answer.readline()] == [b"data: one\n", b"\n"]
    go_on.set()
    assert answer.read() == b"data: two\n\ndata: [DONE]\n\n"


def test_with_the_script_over_it_is_a_healthy_provider(up: ScriptedUpstream) -> None:
    whole = requests.post(f"{up.base_url}/chat/completions", json={"model": "x"}, timeout=LIMIT).json()
    assert (whole["model"], whole["choices"][0]["finish_reason"]) == ("x", "stop")
    streamed = requests.post(f"{up.base_url}/chat/completions", json={"model": "x", "stream": True}, timeout=LIMIT)
    assert streamed.content.endswith(b"data: [DONE]\n\n")


def test_the_events_of_a_text_add_up_to_it() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    events = [json.loads(event) for event in sse_events("a  b c", usage=usage)]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "a  b c"
    assert (deltas[0]["role"], events[-1]["usage"], events[-2]["choices"][0]["finish_reason"]) == (
        "assistant",
        usage,
        "stop",
    )
    assert sse_answer("a", done=False) == (Sse(sse_events("a")),)


@pytest.mark.parametrize(
    ("steps", "read"),
    [
        ((Sse(["one"]), Cut()), b"data: one\n\n"),
        ((Head(framing=100), Body(b"short"), Cut()), b"short"),
    ],
)
def test_a_cut_body_is_seen_to_be_cut(
    up: ScriptedUpstream, client: http.client.HTTPConnection, steps: tuple[Step, ...], read: bytes
) -> None:
    up.plays(*steps)
    answer = ask(client)
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == read


def test_a_cut_may_come_inside_an_event(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    up.plays(Sse(["one"]), Cut(b"data: tw"))
    answer = ask(client)
    assert [answer.read1(), answer.read1()] == [b"data: one\n\n", b"data: tw"]
    with pytest.raises(http.client.IncompleteRead):
        answer.read1()


def test_a_body_may_end_with_its_connection(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    up.plays(Head(200, {"content-type": "text/event-stream"}, framing="close"), Sse(["one"]), Done())
    assert ask(client).read() == b"data: one\n\ndata: [DONE]\n\n"
    ask(client).read()
    assert [request.connection for request in up.requests] == [0, 1]


def test_raw_bytes_leave_as_they_are(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    up.plays(Send(b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\n"), Send(b"ok"))
    answer = ask(client)
    assert (answer.status, answer.reason, answer.read()) == (299, "Odd", b"ok")


def test_a_reset_is_a_reset(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    up.plays(Reset())
    with pytest.raises(ConnectionResetError):
        ask(client)


def test_a_cut_without_an_answer_is_a_closed_connection(
    up: ScriptedUpstream, client: http.client.HTTPConnection
) -> None:
    up.plays(Cut())
    with pytest.raises(http.client.RemoteDisconnected):
        ask(client)


@pytest.mark.parametrize("silence", [Stall(), WaitFor(threading.Event())])
def test_silence_notices_that_the_client_left(
    up: ScriptedUpstream, client: http.client.HTTPConnection, silence: Step
) -> None:
    up.plays(Sse(["one"]), silence)
    answer = ask(client)
    answer.readline()
    (request,) = up.wait_for_requests(1)
    assert not request.client_gone.is_set()
    answer.close()
    client.close()
    assert request.client_gone.wait(LIMIT)


def test_a_client_that_leaves_after_the_answer_has_not_left_early(
    up: ScriptedUpstream, client: http.client.HTTPConnection
) -> None:
    ask(client).read()
    client.close()
    up.close()
    assert not up.requests[0].client_gone.is_set()


@pytest.mark.parametrize("silence", [Stall(), WaitFor(threading.Event())])
def test_closing_ends_every_thread_and_blames_no_client(silence: Step) -> None:
    before = set(threading.enumerate())
    with ScriptedUpstream() as up, connect(up) as idle:
        up.plays(silence)
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        (request,) = up.wait_for_requests(1)
        up.close()
        assert idle.recv(1) == b""
    assert set(threading.enumerate()) == before
    assert not request.client_gone.is_set()


def test_hundreds_of_kept_connections_are_answered_at_once(up: ScriptedUpstream) -> None:
    clients, rounds = 200, 2
    together = threading.Barrier(clients, timeout=LIMIT)

    def respond(request: Request) -> list[Step]:
        together.wait()
        return [json_answer(str(request.json()["number"]))]

    up.answers(respond)
    address = urlsplit(up.url)

    def run(number: int) -> list[str]:
        with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)) as client:
            bodies = [json.loads(ask(client, b'{"number": %d}' % number).read()) for _ in range(rounds)]
            return [body["choices"][0]["message"]["content"] for body in bodies]

    with ThreadPoolExecutor(clients) as pool:
        said = list(pool.map(run, range(clients)))
    assert said == [[str(number)] * rounds for number in range(clients)]
    assert (len(up.requests), up.connections) == (clients * rounds, clients)


def test_a_client_that_leaves_inside_a_request_has_not_asked(up: ScriptedUpstream) -> None:
    for half in (b"POST / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc"):
        with connect(up) as client:
            client.sendall(half)
    up.close()
    assert up.requests == []


def test_what_goes_wrong_in_the_script_reaches_the_test() -> None:
    def respond(request: Request) -> list[Step]:
        raise LookupError("a mistake in the test")

    up = ScriptedUpstream()
    up.answers(respond)
    with connect(up) as asking:
        asking.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert asking.recv(1) == b""
    with pytest.raises(LookupError):
        up.close()
    up.close()


def test_too_few_requests_are_told_with_what_came(up: ScriptedUpstream, client: http.client.HTTPConnection) -> None:
    ask(client).read()
    with pytest.raises(AssertionError, match=r"1 of 2 requests came in 0 s: \['POST /v1/chat/completions\?x=1'\]"):
        up.wait_for_requests(2, timeout=0)


def test_an_answer_needs_a_step(up: ScriptedUpstream) -> None:
    with pytest.raises(ValueError, match="needs a step"):
        up.plays()
