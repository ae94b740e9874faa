"""A caller that leaves is noticed while nothing is written to it, and whatever is done for it ends."""

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway.dispatch.watchdog import CallWatchdog
from tests.support.edge import connect_to, post, received
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Sse, Stall, sse_events

LIMIT = 10
USUALLY = CallWatchdog.INTERVAL


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def gateway(upstream: ScriptedUpstream) -> Iterator[Running]:
    config = {"providers": {"a": provider(upstream.base_url)}, "modelAliases": [alias("best", "a/m")]}
    with pytest.MonkeyPatch.context() as patched, running(config) as served:
        patched.setattr(CallWatchdog, "INTERVAL", 0.01)
        yield served


@pytest.fixture
def looked_after_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallWatchdog, "INTERVAL", USUALLY)


def hang_up(connection: socket.socket) -> None:
    connection.close()


def break_off(connection: socket.socket) -> None:
    """With a reset, as a process does that is killed with an answer unread."""
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def close_its_half(connection: socket.socket) -> None:
    """It may still read, but can no longer say that it does: an answer of minutes is not made for it."""
    connection.shutdown(socket.SHUT_WR)


Leave = Callable[[socket.socket], None]
WAYS = pytest.mark.parametrize("leave", [hang_up, break_off, close_its_half])
KINDS = pytest.mark.parametrize("kind", ["whole", "before the stream", "in the stream"])


@contextmanager
def left(gateway: Running, upstream: ScriptedUpstream, kind: str, leave: Leave) -> Iterator[Request]:
    """What the provider was asked on behalf of a caller that has now left."""
    upstream.forget()
    upstream.plays(*([Sse(sse_events("one two three")[:2])] if kind == "in the stream" else []), Stall())
    body = json.dumps(chat("best", stream=kind != "whole")).encode()
    with connect_to(gateway) as connection:
        connection.sendall(post(b"/v1/chat/completions", body))
        (asked,) = upstream.wait_for_requests(1)
        text = b""
        while kind == "in the stream" and b"one" not in text:
            text += received(connection)
        leave(connection)
        yield asked


@WAYS
@KINDS
def test_the_provider_is_left_too(gateway: Running, upstream: ScriptedUpstream, kind: str, leave: Leave) -> None:
    with left(gateway, upstream, kind, leave) as asked:
        assert asked.client_gone.wait(LIMIT)


@pytest.mark.slow
@pytest.mark.usefixtures("looked_after_as_usual")
@WAYS
@KINDS
def test_it_is_left_within_a_second(gateway: Running, upstream: ScriptedUpstream, kind: str, leave: Leave) -> None:
    with left(gateway, upstream, kind, leave) as asked:
        began = time.monotonic()
        assert asked.client_gone.wait(LIMIT)
        assert time.monotonic() - began < 1.0
