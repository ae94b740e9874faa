"""/health and /v1/models are answered while every thread is busy, clients are slow and a crowd is connected.

The plain tests say that they are answered; the slow ones, with a gateway as it comes, how soon.
"""

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from gateway.httpd.thread_pools import LONGEST_WAIT, WAITING_PER_THREAD
from tests.support.edge import HEAD, connect_to, get, post, read_answer, room_for_descriptors
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Step, WaitFor, json_answer

CROWD = 1_100
SLOW = 100
SOON = 0.05
"""Seconds; for the median, since the machine may be busy with other things."""
UNTAKEN = json_answer("x" * (8 << 20))
BODY = json.dumps(chat("best")).encode()


@contextmanager
def served(threads: int) -> Iterator[Running]:
    """A gateway whose provider answers when the test is over, and at once with too much who asks for much."""
    over = threading.Event()

    def answer(request: Request) -> tuple[Step, ...]:
        much = "much" in request.json()["messages"][0]["content"]
        return (UNTAKEN,) if much else (WaitFor(over), json_answer("late"))

    with ScriptedUpstream() as up:
        up.answers(answer)
        config = {
            "gateway": {"threads": threads},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        with running(config) as gateway:
            try:
                yield gateway
            finally:
                over.set()


class Others:
    """Those who burden the gateway. Where they are slow, each says a byte a second more."""

    def __init__(self, gateway: Running, closing: ExitStack) -> None:
        self.gateway = gateway
        self._closing = closing
        self._slow: list[socket.socket] = []

    def say(self, count: int, said: bytes, *, slow: bool = False) -> None:
        """So many connections that say that."""
        for _ in range(count):
            connection = self._closing.enter_context(connect_to(self.gateway))
            connection.sendall(said)
            self._slow += [connection] if slow else []

    @contextmanager
    def dripping(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._drip, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _drip(self, over: threading.Event) -> None:
        while not over.wait(1.0):
            for connection in self._slow:
                connection.sendall(b"a")


def nobody_else(others: Others) -> None:
    """To compare with."""


def every_thread_busy_and_the_line_full(others: Others) -> None:
    threads = others.gateway.gateway.threads
    others.say(threads + WAITING_PER_THREAD * threads, post(b"/v1/chat/completions", BODY))


def slow_heads(others: Others) -> None:
    others.say(SLOW, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-", slow=True)


def slow_bodies(others: Others) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n"
    others.say(SLOW, head, slow=True)


def answers_that_nobody_takes(others: Others) -> None:
    others.say(6, post(b"/v1/chat/completions", json.dumps(chat("best", "much")).encode()))
    others.say(SLOW, get(b"/v1/models") * 20)


def a_crowd(others: Others) -> None:
    others.say(CROWD, b"")


BURDENS = [
    every_thread_busy_and_the_line_full,
    slow_heads,
    slow_bodies,
    answers_that_nobody_takes,
    a_crowd,
]


Burden = Callable[[Others], None]


def seconds_for(gateway: Running, path: bytes) -> float:
    began = time.perf_counter()
    with connect_to(gateway) as connection:
        connection.sendall(get(path))
        assert read_answer(connection).status == 200
    return time.perf_counter() - began


@pytest.mark.parametrize("burden", BURDENS)
def test_health_and_models_are_answered(burden: Burden) -> None:
    with room_for_descriptors(3 * CROWD), served(8) as gateway, ExitStack() as stack:
        burden(Others(gateway, stack))
        for path in (b"/health", b"/v1/models"):
            assert seconds_for(gateway, path) > 0


@pytest.mark.slow
@pytest.mark.parametrize("burden", [nobody_else, *BURDENS])
def test_health_and_models_are_answered_soon(burden: Burden) -> None:
    with room_for_descriptors(3 * CROWD), served(64) as gateway, ExitStack() as stack:
        others = Others(gateway, stack)
        burden(others)
        stack.enter_context(others.dripping())
        seconds_for(gateway, b"/health")
        times = sorted(seconds_for(gateway, path) for _ in range(100) for path in (b"/health", b"/v1/models"))
        print(f"{burden.__name__}: median {1000 * statistics.median(times):.1f} ms, worst {1000 * times[-1]:.1f} ms")
        assert statistics.median(times) < SOON


MODEL_THREADS = 3
"""Of the four that a gateway has at least."""


@pytest.mark.slow
def test_a_call_that_waits_too_long_for_a_thread_is_told_so() -> None:
    with served(4) as gateway, ExitStack() as stack:
        Others(gateway, stack).say(MODEL_THREADS, post(b"/v1/chat/completions", BODY))
        while len(gateway.gateway.runtime.watchdog) < MODEL_THREADS:
            gateway.get("/health")
        began = time.monotonic()
        reply = gateway.post(chat("best"))
        waited = time.monotonic() - began
    assert_overloaded(reply)
    assert LONGEST_WAIT <= waited < LONGEST_WAIT + 2


def test_a_call_too_many_is_told_at_once() -> None:
    with served(4) as gateway, ExitStack() as stack:
        Others(gateway, stack).say(MODEL_THREADS + 4 * WAITING_PER_THREAD, post(b"/v1/chat/completions", BODY))
        while gateway.gateway.server.pools.waiting < 4 * WAITING_PER_THREAD:
            gateway.get("/health")
        reply = gateway.post(chat("best"))
    assert_overloaded(reply)


def assert_overloaded(reply: requests.Response) -> None:
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["x-request-id"]
