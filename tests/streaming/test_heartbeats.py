"""Signs of life through the whole gateway: a caller that waits for a stream hears that it still waits.

The gateway's clock runs fast, so that its fifteen seconds are over in a moment. When a
provider goes on is the test's to say.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.running import Running, alias, chat, events, provider, running
from tests.support.fakes import FastClock
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
SIGN = b": keep-alive\n"
HEAD = Head(headers={"content-type": "text/event-stream"})


class Waiting:
    """A gateway in a hurry, a provider that waits for `go`, and a caller that reads line by line."""

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


def hears(reply: HTTPResponse) -> bytes:
    """What comes up to the first sign of life."""
    came = b""
    while not came.endswith(SIGN):
        line = reply.readline()
        assert line, f"no sign of life: {came!r}"
        came += line
    return came


def test_a_caller_hears_before_the_first_content_and_then_gets_the_whole_answer(waiting: Waiting) -> None:
    waiting.up.plays(WaitFor(waiting.go), *sse_answer("one two three"))
    reply = waiting.asks(stream=True)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert hears(reply) == SIGN
    waiting.go.set()
    rest = reply.read().decode()
    assert rest.endswith("data: [DONE]\n\n")
    said = [event for event in events(rest) if isinstance(event, dict)]
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in said) == "one two three"


def test_a_caller_hears_between_two_pieces(waiting: Waiting) -> None:
    pieces = sse_events("one two three")
    waiting.up.plays(Sse(pieces[:2]), WaitFor(waiting.go), Sse(pieces[2:]), Done())
    reply = waiting.asks(stream=True)
    before = hears(reply).decode()
    assert '"one "' in before
    waiting.go.set()
    whole = before + reply.read().decode()
    assert whole.count('"finish_reason":"stop"') == 1
    assert whole.endswith("data: [DONE]\n\n")


def test_a_failure_after_a_sign_of_life_is_told_in_the_stream(waiting: Waiting) -> None:
    waiting.up.plays(WaitFor(waiting.go), Status(503))
    waiting.up.answers(lambda request: [Status(503)])
    reply = waiting.asks(stream=True)
    hears(reply)
    waiting.go.set()
    told = events(reply.read().decode())
    assert len(told) == 1
    assert isinstance(told[0], dict)
    assert told[0]["error"]["code"] == "provider_unavailable"


def test_a_caller_that_wants_a_whole_answer_gets_nothing_but_that(waiting: Waiting) -> None:
    looked = threading.Event()

    def looks() -> None:
        """As long as it takes another caller, who asks later, to hear a sign of life."""
        waiting.up.wait_for_requests(1)
        with ExitStack() as closing:
            connection = HTTPConnection(waiting.gateway.url.removeprefix("http://"), timeout=30)
            closing.callback(connection.close)
            body = json.dumps(chat("best", stream=True))
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            hears(connection.getresponse())
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
