"""Heartbeats through the whole gateway: a caller that waits for a stream gets SSE comments.

The gateway's clock runs fast, so that its fifteen seconds are over in a moment. The test decides when the provider
continues.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.support.fakes import FastClock
from tests.support.running import Running, alias, chat, events, provider, running
from tests.support.upstream_script import (
    Done,
    Head,
    ScriptedUpstream,
    Sse,
    Status,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)

pytestmark = pytest.mark.usefixtures("each_driver")

FACTOR = 100.0
HEARTBEAT = b": keep-alive\n"
HEAD = Head(headers={"content-type": "text/event-stream"})


class Waiting:
    """A gateway with a fast clock, a provider that waits for `go`, and a caller that reads line by line."""

    def __init__(self, closing: ExitStack) -> None:
        self.up = closing.enter_context(ScriptedUpstream())
        self.go = threading.Event()
        self.gateway: Running = closing.enter_context(
            running(
                {
                    "gateway": {"requestTimeoutSeconds": 3600},
                    "providers": {"a": provider(self.up.base_url, timeouts={"stallSeconds": 60})},
                    "modelAliases": [alias("best", "a/one")],
                },
                clock=FastClock(FACTOR),
            )
        )
        self._connection = HTTPConnection(self.gateway.url.removeprefix("http://"), timeout=30)
        closing.callback(self._connection.close)
        closing.callback(self.go.set)

    def asks(self, *, stream: bool) -> HTTPResponse:
        body = json.dumps(chat("best", stream=stream))
        self._connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        return self._connection.getresponse()


@pytest.fixture
def waiting(often_looked_after: None) -> Iterator[Waiting]:
    with ExitStack() as closing:
        yield Waiting(closing)


def until_heartbeat(reply: HTTPResponse) -> bytes:
    """What is received up to the first heartbeat."""
    received = b""
    while not received.endswith(HEARTBEAT):
        line = reply.readline()
        assert line, f"no heartbeat: {received!r}"
        received += line
    return received


def test_a_caller_gets_heartbeats_before_the_first_content_and_then_the_whole_answer(waiting: Waiting) -> None:
    waiting.up.plays(WaitFor(waiting.go), *sse_answer("one two three"))
    reply = waiting.asks(stream=True)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert until_heartbeat(reply) == HEARTBEAT
    waiting.go.set()
    rest = reply.read().decode()
    assert rest.endswith("data: [DONE]\n\n")
    chunks = [event for event in events(rest) if isinstance(event, dict)]
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks) == "one two three"


def test_a_caller_gets_heartbeats_between_two_pieces(waiting: Waiting) -> None:
    pieces = sse_events("one two three")
    waiting.up.plays(Sse(pieces[:2]), WaitFor(waiting.go), Sse(pieces[2:]), Done())
    reply = waiting.asks(stream=True)
    before = until_heartbeat(reply).decode()
    assert '"one "' in before
    waiting.go.set()
    whole = before + reply.read().decode()
    assert whole.count('"finish_reason":"stop"') == 1
    assert whole.endswith("data: [DONE]\n\n")


def test_a_failure_after_a_heartbeat_is_an_event_of_the_stream(waiting: Waiting) -> None:
    waiting.up.plays(WaitFor(waiting.go), Status(503))
    waiting.up.answers(lambda request: [Status(503)])
    reply = waiting.asks(stream=True)
    until_heartbeat(reply)
    waiting.go.set()
    errors = events(reply.read().decode())
    assert len(errors) == 1
    assert isinstance(errors[0], dict)
    assert errors[0]["error"]["code"] == "provider_unavailable"


def test_a_caller_that_wants_a_whole_answer_gets_no_heartbeats(waiting: Waiting) -> None:
    looked = threading.Event()

    def looks() -> None:
        """Wait as long as it takes another caller, who asks later, to get a heartbeat."""
        waiting.up.wait_for_requests(1)
        with ExitStack() as closing:
            connection = HTTPConnection(waiting.gateway.url.removeprefix("http://"), timeout=30)
            closing.callback(connection.close)
            body = json.dumps(chat("best", stream=True))
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            until_heartbeat(connection.getresponse())
            looked.set()
            waiting.go.set()

    waiting.up.plays(WaitFor(waiting.go), json_answer("one two three"))
    waiting.up.plays(HEAD, WaitFor(waiting.go), Sse(sse_events("x")), Done())
    other = threading.Thread(target=looks)
    other.start()
    reply = waiting.asks(stream=False)
    other.join(30)
    assert looked.is_set()
    assert json.loads(reply.read())["choices"][0]["message"]["content"] == "one two three"
