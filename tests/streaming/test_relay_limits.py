"""Many streams on one relay: threads, connections and the threads that ask other targets."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import pytest

from gateway.httpd.server import HttpServer
from gateway.process import raise_descriptor_limit
from gateway.streaming.relay import Relay
from tests.streaming.test_relay import text_of
from tests.support.many_streams import TEXT, Caller, ManyStreams, unchunked
from tests.support.running import alias, provider, running
from tests.support.upstream_script import Cut, Request, ScriptedUpstream, Sse, Step, WaitFor, sse_answer, sse_events

PIECES = sse_events("one two three four")


def test_three_hundred_streams_at_once_need_eight_threads(carried: list[object]) -> None:
    raise_descriptor_limit()
    with ManyStreams() as up:
        config = {
            "gateway": {"threads": 8},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("plain", "a/m")],
        }
        with running(config) as gateway:
            callers = []
            for _ in range(300):
                caller = Caller(gateway, "plain")
                caller.until(b"one ")
                callers.append(caller)
            names = [each.name for each in threading.enumerate()]
            assert sum(name.startswith(("gateway-model", "gateway-other")) for name in names) <= 8
            assert gateway.get("/health").status_code == 200
            up.end_all()
            for caller in callers:
                body = unchunked(caller.rest())
                assert text_of(body) == TEXT
                assert body.endswith(b"data: [DONE]\n\n")
    assert len(carried) == 300


def test_more_broken_streams_than_threads_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.runtime.Relay", partial(Relay, max_resume_threads=1))
    asked: list[Request] = []
    most, lock = [0, 0], threading.Lock()

    def answers(request: Request) -> Sequence[Step]:
        with lock:
            most[0] += 1
            most[1] = max(most)
        asked.append(request)
        threading.Event().wait(0.02)  # time for another request, if it were allowed
        with lock:
            most[0] -= 1
        return sse_answer("one two three four")

    with ExitStack() as stack:
        up, other = (stack.enter_context(ScriptedUpstream()) for _ in "ab")
        config = {
            "providers": {"a": provider(up.base_url), "b": provider(other.base_url)},
            "modelAliases": [alias("best", "a/m", "b/m")],
        }
        gateway = stack.enter_context(running(config))
        go = threading.Event()
        stack.callback(go.set)
        other.answers(answers)
        callers = []
        for _ in range(5):
            up.plays(Sse(PIECES[:2]), WaitFor(go), Cut())
            callers.append(Caller(gateway, "best"))
            callers[-1].until(b"one")
        go.set()
        for caller in callers:
            assert unchunked(caller.rest()).endswith(b"data: [DONE]\n\n")
    assert (len(asked), most[1]) == (5, 1)


def test_as_many_streams_are_carried_as_there_may_be_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = 40
    monkeypatch.setattr("gateway.serve.HttpServer", partial(HttpServer, connections=connections))
    with ManyStreams() as up:
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("plain", "a/m")]}
        with running(config) as gateway:
            callers: list[Caller] = []
            while len(callers) < connections:
                caller = Caller(gateway, "plain")
                try:
                    caller.until(b"one")
                except (AssertionError, OSError):  # the last free places are kept for those that ask at once
                    caller.connection.close()
                else:
                    callers.append(caller)
            late = Caller(gateway, "plain")
            assert up.begun == connections
            callers.pop().connection.close()
            late.until(b"one")
            up.end_all()
            for caller in (*callers, late):
                assert unchunked(caller.rest()).endswith(b"data: [DONE]\n\n")
