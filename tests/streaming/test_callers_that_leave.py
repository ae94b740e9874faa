"""A caller that leaves, through the whole gateway: its call ends within two seconds and counts against no target."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final

import pytest

from gateway.limits.rate_limiter import RateLimiter
from tests.support.limits import used
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Head, ScriptedUpstream, Sse, Stall, Step, sse_events

pytestmark = pytest.mark.usefixtures("each_driver", "often_looked_after")

SOON: Final = 2.0  # seconds that a caller's leaving may take to be noticed
LONG: Final = 20.0
STREAM_HEAD: Final = Head(headers={"content-type": "text/event-stream"})
WHOLE_HEAD: Final = Head(headers={"content-type": "application/json"}, framing=500)

WAITS: Mapping[str, tuple[bool, tuple[Step, ...]]] = {
    "for the head of a stream": (True, (Stall(),)),
    "for the first content": (True, (STREAM_HEAD, Stall())),
    "for the next piece": (True, (Sse(sse_events("one two three")[:2]), Stall())),
    "for the head of a whole answer": (False, (Stall(),)),
    "for the rest of a whole answer": (False, (WHOLE_HEAD, Stall())),
}


@contextmanager
def gateway_before(up: ScriptedUpstream, other: ScriptedUpstream, per_minute: int = 100) -> Iterator[Running]:
    settings = {
        "providers": {"a": provider(up.base_url), "b": provider(other.base_url)},
        "modelAliases": [alias("best", "a/one", "b/two")],
        "rateLimits": [{"provider": "a", "requestsPerMinute": per_minute, "maxQueueSize": 5, "maxWaitSeconds": 100}],
    }
    with running(settings) as gateway:
        yield gateway


def calls(gateway: Running, body: Mapping[str, object]) -> socket.socket:
    """A caller that has sent its request."""
    content = json.dumps(body).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    caller = socket.create_connection((host, int(port)), timeout=LONG)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    caller.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    return caller


def assert_no_failures(gateway: Running) -> None:
    for candidate in gateway.gateway.assembly.explainer.explain("best").candidates:
        assert (candidate.health.state, candidate.health.failures) == ("closed", 0), candidate


def limiter_of(gateway: Running) -> RateLimiter:
    limiter = gateway.gateway.runtime.limiters.of("a")
    assert limiter is not None
    return limiter


@pytest.mark.parametrize("waits", WAITS)
def test_a_caller_that_leaves_while_it_waits_closes_the_provider_too(waits: str) -> None:
    streamed, steps = WAITS[waits]
    with ScriptedUpstream() as up, ScriptedUpstream() as other, gateway_before(up, other) as gateway:
        up.plays(*steps)
        with closing(calls(gateway, chat("best", stream=streamed))) as caller:
            (asked,) = up.wait_for_requests(1)
            if waits == "for the next piece":
                assert b"one" in until(caller, b"one")
        assert asked.client_gone.wait(SOON), "the connection to the provider is still open"
        assert gateway.gateway.idle(timeout=LONG)
        assert_no_failures(gateway)
        assert not other.requests, "another target was asked for a caller that has left"
        assert gateway.post(chat("best")).headers["x-gateway-provider"] == "a"


def test_a_caller_that_leaves_the_queue_takes_no_slot_and_makes_room() -> None:
    with ScriptedUpstream() as up, ScriptedUpstream() as other, gateway_before(up, other, per_minute=1) as gateway:
        assert gateway.post(chat("a/one")).status_code == 200
        limiter = limiter_of(gateway)
        seen = threading.Event()
        with closing(calls(gateway, chat("a/one", stream=True))):
            for _ in range(2_000):  # two seconds of looking, at most
                if limiter.waiting or seen.wait(0.001):
                    break
            assert limiter.waiting == 1
        assert gateway.gateway.idle(timeout=SOON)
        assert (limiter.waiting, used(limiter), len(up.requests)) == (0, 1, 1)
        assert_no_failures(gateway)


def until(caller: socket.socket, wanted: bytes) -> bytes:
    """What the caller has received once `wanted` is in it."""
    received = b""
    while wanted not in received:
        data = caller.recv(65_536)
        assert data, f"the answer ended: {received!r}"
        received += data
    return received
