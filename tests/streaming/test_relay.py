"""Streams on the relay's thread: the caller gets the same bytes as from a thread of its own, and nothing leaks."""

import gzip
import json
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from gateway.httpd.response import Response
from gateway.streaming.relay import MAX_UNTAKEN
from gateway.upstream.byte_stream import READ_SIZE
from tests.support import gemini_answers as gemini
from tests.support.edge import until
from tests.support.many_streams import LIMIT, Caller, unchunked
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import (
    Body,
    Cut,
    Done,
    Head,
    Request,
    Reset,
    ScriptedUpstream,
    Send,
    Sse,
    Stall,
    Status,
    Step,
    WaitFor,
    sse_answer,
    sse_events,
)

WORDS = "one two three four five six"
PIECES = sse_events(WORDS)
SSE = {"content-type": "text/event-stream"}
CHANGES = re.compile(rb"(?im)^(date|x-request-id|x-gateway-queue-ms): .*$|\"created\":\d+|chatcmpl-[0-9a-f]{8,}")


@pytest.fixture(autouse=True)
def short_wait_after_a_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streaming.answer_machine.AFTER_FINISH", 0.2)


def text_of(body: bytes) -> str:
    """The text of a stream's events."""
    return "".join(re.findall(r'"content":"([^"]*)"', body.decode()))


def scene(closing: ExitStack, *, stall: float = 20.0, **settings: object) -> tuple[Running, Sequence[ScriptedUpstream]]:
    """A gateway and its two scripted providers, a and b; `best` is both, `plain` and `google` one alone."""
    ups = [closing.enter_context(ScriptedUpstream()) for _ in "ab"]
    timeouts = {"timeouts": {"stallSeconds": stall}}
    native = {"type": "gemini", "apiEndpoint": f"{ups[0].url}/v1beta", "apiKey": "k"}
    config: Mapping[str, object] = {
        "gateway": settings,
        "providers": {"a": provider(ups[0].base_url, **timeouts), "b": provider(ups[1].base_url), "g": native},
        "modelAliases": [alias("best", "a/m", "b/m"), alias("plain", "a/m"), alias("google", "g/gemini-2.5-pro")],
    }
    return closing.enter_context(running(config)), ups


# The same bytes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    """What a provider plays around an event that the test sets, and whether the caller gets a whole answer."""

    before: Sequence[Step]
    after: Sequence[Step]
    whole: bool = True
    model: str = "plain"
    stall: float = 20.0


BEFORE: Sequence[Step] = (Sse(PIECES[:3]),)
HALF = f"data: {PIECES[3]}\n\n".encode()
SCRIPTS: Mapping[str, Script] = {
    "whole": Script(BEFORE, (Sse(PIECES[3:]), Done())),
    "until the connection closes": Script((Head(200, SSE, "close"), *BEFORE), (Sse(PIECES[3:]), Done(), Cut())),
    "no [DONE]": Script(BEFORE, (Sse(PIECES[3:]),)),
    "no finish": Script(BEFORE, (Sse(PIECES[3:5]),), whole=False),
    "cut": Script(BEFORE, (Sse(PIECES[3:5]), Cut(b"data: {")), whole=False),
    "cut in the framing of the end": Script(BEFORE, (Sse(PIECES[3:]), Done(), Cut())),
    "reset": Script(BEFORE, (Reset(),), whole=False),
    "not HTTP any more": Script(BEFORE, (Send(b"what?\r\n"), Stall()), whole=False),
    "idle": Script(BEFORE, (Sse(PIECES[3:5]), Stall()), whole=False, stall=0.1),
    "idle after the finish": Script(BEFORE, (Sse(PIECES[3:]), Stall())),
    "an event that is no JSON": Script(BEFORE, (Sse(["{no", *PIECES[3:]]), Done())),
    "an error": Script(BEFORE, (Sse(['{"error":{"message":"overloaded"}}']),), whole=False),
    "an event in two halves": Script((*BEFORE, Body(HALF[:30])), (Body(HALF[30:]), Sse(PIECES[4:]), Done())),
    "translated": Script(
        gemini.stream(gemini.said(gemini.text("one two "), finish=None)),
        (
            gemini.event(gemini.said(gemini.text("three four "), finish=None)),
            gemini.event(gemini.said(gemini.text("five six"))),
        ),
        model="google",
    ),
    "resumed by another target": Script(BEFORE, (Sse(PIECES[3:5]), Cut()), model="best"),
    "resumed by another target after a timeout": Script(BEFORE, (Stall(),), model="best", stall=0.1),
}


def continues(request: Request) -> Sequence[Step]:
    """Continue the answer that has begun."""
    last = request.json()["messages"][-1]
    return sse_answer(WORDS.removeprefix(last["content"] if last["role"] == "assistant" else ""))


def heard(script: str, monkeypatch: pytest.MonkeyPatch, *, relayed: bool) -> bytes:
    """What the caller of a script gets, without what differs from call to call."""
    played = SCRIPTS[script]
    monkeypatch.setattr("tests.support.running.RELAYED", relayed)
    with ExitStack() as closing:
        gateway, (up, other) = scene(closing, stall=played.stall)
        go = threading.Event()
        closing.callback(go.set)
        up.plays(*played.before, WaitFor(go), *played.after)
        up.answers(lambda request: [Status(503)])
        other.answers(continues)
        caller = Caller(gateway, played.model)
        caller.until(b"one")
        go.set()
        answer = caller.rest()
        head, _, _ = answer.partition(b"\r\n\r\n")
        return CHANGES.sub(b"-", head + b"\r\n\r\n" + unchunked(answer))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_relayed_stream_is_byte_for_byte_that_of_a_thread(
    script: str, carried: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_thread = heard(script, monkeypatch, relayed=False)
    assert not carried
    assert (WORDS in text_of(on_a_thread), b"[DONE]" in on_a_thread) == (SCRIPTS[script].whole, SCRIPTS[script].whole)
    assert heard(script, monkeypatch, relayed=True) == on_a_thread
    assert len(carried) == 1


# Many, slow and leaving --------------------------------------------------------------------------------------------


def test_the_provider_of_a_caller_that_takes_nothing_is_not_read_and_others_are(
    carried: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    most, full = [0], threading.Event()
    write = Response.send

    def measured(self: Response, piece: bytes) -> bool:
        written = write(self, piece)
        most[0] = max(most[0], self.untaken)
        if self.untaken > MAX_UNTAKEN:
            full.set()
        return written

    monkeypatch.setattr(Response, "send", measured)
    words = ["w" * 4000] * 4000
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing)
        up.plays(*sse_answer(" ".join(words)))
        caller = Caller(gateway, "plain", buffer=4096)
        caller.until(b"www")
        assert full.wait(LIMIT), "the caller took everything"
        go = threading.Event()
        closing.callback(go.set)
        up.plays(Sse(PIECES[:3]), WaitFor(go), Sse(PIECES[3:]), Done())
        other = Caller(gateway, "plain")
        other.until(b"one")
        go.set()
        assert unchunked(other.rest()).endswith(b"data: [DONE]\n\n")
        body = unchunked(caller.rest()).decode()
        assert re.findall(r'"content":"(w+) ?"', body) == words
        assert most[0] < MAX_UNTAKEN + 2 * READ_SIZE
    assert len(carried) == 2


def test_a_stream_to_http_1_0_keeps_its_thread(carried: list[object]) -> None:
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing)
        up.plays(Sse(PIECES), Done())
        answer = Caller(gateway, "plain", version="1.0").rest()
        assert answer.endswith(b"data: [DONE]\n\n")
    assert not carried


def test_a_stream_that_only_a_thread_can_resume_is_finished_on_one(carried: list[object]) -> None:
    packed = gzip.compress(
        "".join(f"data: {each}\n\n" for each in (*sse_events("one two three four five six"), "[DONE]")).encode()
    )
    with ExitStack() as closing:
        gateway, (up, other) = scene(closing)
        go = threading.Event()
        closing.callback(go.set)
        up.plays(Sse(PIECES[:4]), WaitFor(go), Cut())
        other.plays(Head(200, {**SSE, "content-encoding": "gzip"}), Body(packed))
        caller = Caller(gateway, "best")
        caller.until(b"three")
        go.set()
        body = unchunked(caller.rest())
        assert text_of(body) == WORDS
        assert body.endswith(b"data: [DONE]\n\n")
    assert len(carried) == 1


def test_the_provider_s_connection_serves_again_after_a_relayed_stream(carried: list[object]) -> None:
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing)
        for _ in range(3):
            go = threading.Event()
            up.plays(Sse(PIECES[:3]), WaitFor(go), Sse(PIECES[3:]), Done())
            caller = Caller(gateway, "plain")
            caller.until(b"one")
            go.set()
            assert unchunked(caller.rest()).endswith(b"data: [DONE]\n\n")
        assert up.connections == 1
    assert len(carried) == 3


# The stop of the gateway ---------------------------------------------------------------------------------------------


def drained(gateway: Running) -> tuple[threading.Thread, list[int]]:
    """A thread that drains the gateway, and the number of answers that it cut."""
    cut: list[int] = []
    thread = threading.Thread(target=lambda: cut.append(gateway.gateway.drain()))
    thread.start()
    return thread, cut


def test_a_relayed_stream_may_end_while_the_gateway_drains(carried: list[object]) -> None:
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing, drainSeconds=LIMIT)
        go = threading.Event()
        closing.callback(go.set)
        up.plays(Sse(PIECES[:3]), WaitFor(go), Sse(PIECES[3:]), Done())
        caller = Caller(gateway, "plain")
        caller.until(b"one")
        thread, cut = drained(gateway)
        while not gateway.gateway.runtime.drain_state.draining:
            threading.Event().wait(0.001)
        assert not gateway.gateway.idle(timeout=0.05), "the stream is not counted"
        go.set()
        assert unchunked(caller.rest()).endswith(b"data: [DONE]\n\n")
        thread.join(LIMIT)
        assert cut == [0]
    assert len(carried) == 1


def test_a_relayed_stream_that_does_not_end_in_time_ends_with_an_error(carried: list[object]) -> None:
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing, drainSeconds=0)
        up.plays(Sse(PIECES[:3]), Stall())
        caller = Caller(gateway, "plain")
        caller.until(b"one")
        thread, cut = drained(gateway)
        body = unchunked(caller.rest()).decode()
        thread.join(LIMIT)
        assert cut == [1]
        last = json.loads(body.strip().split("data: ")[-1])
        assert last["error"]["message"] == "The gateway was stopped before the answer was complete."
    assert len(carried) == 1


def test_closing_the_gateway_ends_a_relayed_stream(carried: list[object]) -> None:
    with ExitStack() as closing:
        gateway, (up, _) = scene(closing)
        up.plays(Sse(PIECES[:3]), Stall())
        caller = Caller(gateway, "plain")
        caller.until(b"one")
        (asked,) = up.requests
        until(lambda: len(carried) == 1)
        gateway.gateway.close()
        caller.connection.close()
        assert asked.client_gone.wait(LIMIT)
    assert len(carried) == 1
