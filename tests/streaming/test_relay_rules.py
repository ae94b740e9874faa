"""The relay's rules: idle timeouts, faults, limits, TLS and its end."""

import gc
import math
import re
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError
from gateway.core.provider_failures import InvalidAnswer, StreamBroken
from gateway.core.sse import DONE, encode
from gateway.net.self_pipe import SelfPipe
from gateway.process import freeze_startup_objects
from gateway.streaming.answer_machine import AnswerMachine
from gateway.streaming.body import StreamedBody
from gateway.streaming.relay import Relay
from gateway.streaming.session import StreamSession
from gateway.upstream.byte_stream import Detached
from tests.support.edge import until
from tests.support.many_streams import LIMIT, Caller, unchunked
from tests.support.running import alias, provider, running
from tests.support.tls import TRUSTED, server_context
from tests.support.upstream_script import (
    Done,
    ScriptedUpstream,
    Sse,
    WaitFor,
    sse_events,
)
from tests.test_response_transformer import FINISH, MORE, STALL, Scene, words

PIECES = sse_events("one two three four")


class Outlet:
    """A caller without a connection."""

    untaken = 0
    left = False
    last_write = math.inf

    def __init__(self, session: StreamSession) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._closed = False
        self.received: list[str] = []

    def heartbeat(self) -> bool:
        raise AssertionError("no caller waits here")

    def send(self, piece: bytes) -> bool:
        with self._changed:
            self.received += words(piece)
            self._changed.notify_all()
        return not self.left

    def close(self) -> None:
        self._session.close()
        with self._changed:
            assert not self._closed, "closed twice"
            self._closed = True
            self._changed.notify_all()

    def wait_for(self, expected: Sequence[str]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.received == expected, LIMIT), self.received

    def wait_until_closed(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._closed, LIMIT), self.received


class CarriedStream:
    """A stream for a relay, with the provider's end of its socket."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.provider, self._ours = socket.socketpair()
        self.provider.settimeout(LIMIT)
        self.outlet = Outlet(scene.session)
        scene.session.begin()

    def start(self, relay: Relay, early: bytes = b"", fault: InvalidAnswer | None = None) -> None:
        """Hand it to the relay. `early`: bytes that were received before; `fault`: what is wrong with its framing."""
        assert relay.reserve()
        relay.add(self.scene.session, self.source(early, fault), self.outlet)

    def source(self, early: bytes = b"", fault: InvalidAnswer | None = None) -> Detached:
        """What the relay reads."""

        def ended() -> bool:
            if fault is not None:
                raise fault
            return False

        return Detached(self._ours, early, lambda data: data, ended, lambda fell: InvalidAnswer(str(fell)))

    def close(self) -> None:
        self.provider.close()
        self._ours.close()

    @property
    def error(self) -> type[GatewayError] | None:
        return self.scene.ended[1]


@pytest.fixture
def stream() -> Iterator[CarriedStream]:
    with closing(CarriedStream(Scene())) as made:
        yield made


@pytest.fixture
def relay(stream: CarriedStream) -> Iterator[Relay]:
    with closing(Relay(stream.scene.clock)) as made:
        yield made
    assert len(made) == 0


def test_what_the_provider_sends_is_written_at_once(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay)
    stream.provider.sendall(MORE)
    stream.outlet.wait_for(["b"])
    stream.provider.sendall(FINISH + encode(DONE))
    stream.outlet.wait_for(["b", "stop", "[DONE]"])
    stream.provider.close()
    stream.outlet.wait_until_closed()
    assert stream.error is None


def test_what_was_received_before_is_written_even_if_the_rest_is_broken(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay, early=MORE, fault=InvalidAnswer("No chunk."))
    stream.outlet.wait_until_closed()
    assert (stream.outlet.received, stream.error) == (["b", "error stream_interrupted"], StreamBroken)


def test_an_idle_provider_ends_it(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay)
    stream.provider.sendall(MORE)
    stream.outlet.wait_for(["b"])
    stream.scene.clock.advance(STALL)
    stream.outlet.wait_until_closed()
    assert stream.error is StreamBroken


def test_the_deadline_ends_a_stream_that_is_never_idle(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay)
    expected = []
    while stream.scene.call.remaining() > STALL - 1:
        stream.provider.sendall(MORE)
        expected.append("b")
        stream.outlet.wait_for(expected)
        stream.scene.clock.advance(STALL - 1)
    stream.provider.sendall(MORE)
    stream.outlet.wait_for([*expected, "b"])
    stream.scene.clock.advance(STALL - 1)
    stream.outlet.wait_until_closed()
    assert stream.error is DeadlineExceeded


def test_a_caller_that_has_left_ends_it(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay)
    stream.outlet.left = True
    stream.provider.sendall(MORE)
    stream.outlet.wait_until_closed()
    assert stream.error is CallerLeft


def test_closing_the_relay_ends_every_stream_with_an_error(stream: CarriedStream, relay: Relay) -> None:
    stream.start(relay)
    relay.close()
    relay.close()
    stream.outlet.wait_until_closed()
    assert (stream.outlet.received, stream.error) == (["error draining"], Draining)


def test_a_closed_relay_takes_no_stream_from_its_thread(stream: CarriedStream, relay: Relay) -> None:
    relay.close()
    assert not relay.reserve()
    assert StreamedBody(stream.scene.session, relay, begun=True).detach() is None
    assert len(relay) == 0


def test_a_relay_that_closes_waits_for_a_stream_that_is_on_its_way(stream: CarriedStream, relay: Relay) -> None:
    assert relay.reserve()
    closing = threading.Thread(target=relay.close)
    closing.start()
    until(lambda: not relay.reserve())
    relay.add(stream.scene.session, stream.source(), stream.outlet)
    stream.outlet.wait_until_closed()
    closing.join(LIMIT)
    assert not closing.is_alive()
    assert stream.error is Draining


def test_the_self_pipe_holds_one_byte_for_all_wakes_until_it_is_read() -> None:
    pipe = SelfPipe()
    for _ in range(2):
        for _ in range(3):
            pipe.wake()
        assert select.select([pipe.reader], [], [], LIMIT)[0]
        assert pipe.reader.recv(10, socket.MSG_PEEK) == b"\0"
        pipe.hear()
        assert not select.select([pipe.reader], [], [], 0)[0]
    pipe.close()


def test_the_objects_of_the_start_are_frozen_for_the_garbage_collector() -> None:
    try:
        gc.disable()  # as a start does
        freeze_startup_objects()
        assert gc.get_freeze_count() > 0 and gc.isenabled()
    finally:
        gc.unfreeze()


# Through the whole gateway -----------------------------------------------------------------------------------------


def test_a_fault_of_the_gateway_ends_one_stream_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    received = AnswerMachine.received

    def faulty(self: AnswerMachine, data: bytes) -> bytes:
        if b"poison" in data:
            raise ZeroDivisionError
        return received(self, data)

    monkeypatch.setattr(AnswerMachine, "received", faulty)
    with ExitStack() as stack:
        up = stack.enter_context(ScriptedUpstream())
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("plain", "a/m")]}
        gateway = stack.enter_context(running(config))
        callers = []
        for rest in (sse_events("poison"), PIECES[2:]):
            go = threading.Event()
            up.plays(Sse(PIECES[:2]), WaitFor(go), Sse(rest), Done())
            caller = Caller(gateway, "plain")
            caller.until(b"one")
            callers.append((caller, go))
        answers = []
        for caller, go in callers:
            go.set()
            answers.append(unchunked(caller.rest()))
        assert b"a fault of its own" in answers[0] and b"[DONE]" not in answers[0]
        assert answers[1].endswith(b"data: [DONE]\n\n")


@pytest.mark.usefixtures("each_driver")
def test_a_stream_over_tls_is_whole() -> None:
    text = " ".join(f"{number:0900}" for number in range(2_000))
    events = sse_events(text)
    with ExitStack() as stack:
        up = stack.enter_context(ScriptedUpstream(server_context()))
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("plain", "a/m")]}
        gateway = stack.enter_context(running(config, TRUSTED))
        go = threading.Event()
        stack.callback(go.set)
        up.plays(Sse(events[:3]), WaitFor(go), Sse(events[3:]), Done())
        caller = Caller(gateway, "plain")
        caller.until(b"0001 ")
        go.set()
        body = unchunked(caller.rest()).decode()
        assert "".join(re.findall(r'"content":"([^"]*)"', body)) == text
        assert body.endswith("data: [DONE]\n\n")
