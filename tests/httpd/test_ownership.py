"""One connection through every event of its table, in any order: the five rules hold after each (a state machine).

The rules' events run on the test's own thread, which plays the loop, a pool's thread, the relay and the caller in turn:
what threads can do to each other between two statements is the model's (ownership_model), what each of them does as a
whole is looked at here, on the real connection over a pair of sockets.
"""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.clock import Clock
from gateway.httpd.event_loop import READ, WRITE, EventLoop
from gateway.httpd.interfaces import Application, Call
from gateway.httpd.output import Output
from gateway.httpd.ownership import CLOSED, RELAY, WORKER
from gateway.httpd.response import Response
from gateway.httpd.supervision import IDLE_SECONDS, RECEIVE_SECONDS, STALL_SECONDS, SupervisedConnection
from tests.httpd.checked_owner import CHECK
from tests.support.edge import MIB, application, get, post
from tests.support.examples import examples
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PIECE: Final = b"x" * 300_000  # more than a pair of sockets holds


class Pools:
    """Take what is submitted, and do nothing with it."""

    def __init__(self) -> None:
        self.line: list[Call] = []

    def add_task(self, task: Call, /) -> None:
        assert task not in self.line, "it is submitted twice"
        self.line.append(task)


class Body:
    """A stream of which the relay may take the rest."""

    def __init__(self, machine: "OneConnection") -> None:
        self._machine = machine
        self._pieces = iter([b"begin "])

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def detach(self) -> Callable[[Response], None] | None:
        return self._machine.relayed.append if self._machine.detaches else None

    def close(self) -> None:
        self._machine.closed_bodies += 1


class Listener:
    """What the connection asks of its listener."""

    def __init__(self, wsgi: Application, clock: FakeClock) -> None:
        self.application = wsgi
        self.clock: Clock = clock
        self.pools = Pools()
        self.environ: WSGIEnvironment = {}
        self.draining = self.ending = False
        self.max_body = MIB

    def is_crowded(self) -> bool:
        return False


class OneConnection(RuleBasedStateMachine):
    """The machine."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.listener = Listener(application(self.answer), self.clock)
        self.loop = EventLoop()
        self.loop.run_once(0)
        ours, self.far = socket.socketpair()
        for each in (ours, self.far):
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.crowd: set[SupervisedConnection] = set()
        self.connection = SupervisedConnection(self.listener, ours, ("127.0.0.1", 1), self.loop, self.crowd)
        self.loop.look_at(self.connection)
        self.relayed: list[Response] = []
        self.between = False  # this thread owns the connection, between two requests
        self.detaches = False
        self.streams = False
        self.asked = self.answered = self.closed_bodies = 0
        self.sent = self.came = b""
        self.far_ended = False
        self.truths: set[str] = set()
        self.faults = len(CHECK.faults)

    # What the connection is served by -------------------------------------------------------------------------------

    def answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Body | list[bytes]":
        self.asked += 1
        assert environ["QUERY_STRING"] == f"{self.asked}", "requests are served out of order, or twice"
        if self.streams:
            start_response("200 OK", [("Content-Type", "text/event-stream")])
            return Body(self)
        start_response("200 OK", [])
        return [PIECE if self.asked % 3 == 0 else b"short"]

    # The caller -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.far_ended)
    @rule(count=st.integers(1, 3), call=st.booleans(), cut=st.integers(0, 200))
    def sends(self, count: int, call: bool, cut: int) -> None:
        """Requests, perhaps several at once, perhaps the last one only in part."""
        for _ in range(count):
            self.asked_for += 1
            number = b"/?%d" % self.asked_for
            self.sent += post(number, b"{}") if call else get(number)
        self.pass_on(max(0, len(self.sent) - cut))

    asked_for = 0

    @precondition(lambda self: not self.far_ended and self.sent)
    @rule()
    def sends_the_rest(self) -> None:
        self.pass_on(len(self.sent))

    @rule()
    def takes_what_has_come(self) -> None:
        try:
            while data := self.far.recv(1 << 20):
                self.came += data
        except OSError:
            return

    @precondition(lambda self: not self.far_ended)
    @rule()
    def closes_its_half(self) -> None:
        self.far_ended = True
        self.far.shutdown(socket.SHUT_WR)

    @precondition(lambda self: not self.far_ended)
    @rule()
    def hangs_up(self) -> None:
        self.far_ended = True
        self.far.close()

    def pass_on(self, size: int) -> None:
        try:
            sent = self.far.send(self.sent[:size]) if size else 0
        except OSError:
            sent = 0
        self.sent = self.sent[sent:]

    # The loop -------------------------------------------------------------------------------------------------------

    @rule()
    def the_loop_runs(self) -> None:
        self.loop.run_once(0)

    @rule(seconds=st.sampled_from([1.0, RECEIVE_SECONDS + 1, IDLE_SECONDS + 1, STALL_SECONDS + 1]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.connection.enforce_timeouts(self.clock.monotonic())

    @rule()
    def the_server_drains(self) -> None:
        self.listener.draining = True
        self.connection.settle()

    @precondition(lambda self: self.connection.owner is not CLOSED)
    @rule()
    def the_server_ends(self) -> None:
        self.listener.draining = self.listener.ending = True
        self.connection.end()

    # A pool's thread ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.listener.pools.line)
    @rule(streams=st.booleans(), detaches=st.booleans())
    def a_thread_serves(self, streams: bool, detaches: bool) -> None:
        self.streams, self.detaches = streams, detaches
        call = self.listener.pools.line.pop()
        assert call is self.connection and self.connection.owner is WORKER and not self.between
        self.between = call.service()

    @precondition(lambda self: self.listener.pools.line)
    @rule()
    def the_line_gives_it_up(self) -> None:
        self.listener.pools.line.pop().cancel()

    @precondition(lambda self: self.between)
    @rule()
    def a_thread_waits_for_more(self) -> None:
        self.between = False
        if self.connection.wait_for_next_request(0.0):
            self.listener.pools.line.append(self.connection)

    @precondition(lambda self: self.between)
    @rule()
    def a_thread_gives_it_back(self) -> None:
        self.between = False
        self.connection.give_back()

    @rule()
    def the_watchdog_asks_whether_the_caller_left(self) -> None:
        self.connection.caller_left()

    # The relay ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.relayed)
    @rule(large=st.booleans())
    def the_relay_sends(self, large: bool) -> None:
        (response,) = self.relayed
        assert self.connection.owner is RELAY
        response.heartbeat()
        if response.untaken < len(PIECE):
            response.send(PIECE if large else b"more ")

    @precondition(lambda self: self.relayed)
    @rule()
    def the_relay_ends(self) -> None:
        self.relayed.pop().close()

    # The rules ------------------------------------------------------------------------------------------------------

    @invariant()
    def nobody_hands_over_what_is_not_theirs(self) -> None:
        assert CHECK.faults[self.faults :] == []

    @invariant()
    def one_has_it(self) -> None:
        owner, holders = self.connection.owner, len(self.listener.pools.line) + self.between + len(self.relayed)
        assert holders == (owner in (WORKER, RELAY))
        assert (owner is RELAY) == bool(self.relayed)

    @invariant()
    def what_has_become_true_stays_true(self) -> None:
        now = {name for name in ("left", "closing") if getattr(self.connection, name)}
        now |= {"broken"} if self.connection.output.broken else set()
        assert self.truths <= now
        self.truths = now

    @invariant()
    def only_the_loop_closes(self) -> None:
        closed = self.connection.owner is CLOSED
        assert (self.connection.socket.fileno() < 0) == closed == (self.connection not in self.crowd)
        assert not (closed and self.connection.registered)

    @invariant()
    def what_is_untaken_is_kept_and_watched(self) -> None:
        output: Output = self.connection.output
        assert output.untaken == sum(len(buffer) for buffer in output._buffers)

    @invariant()
    def the_selector_has_what_is_registered(self) -> None:
        keys = [key for key in self.loop._selector.get_map().values() if key.data is self.connection]
        assert [key.events for key in keys] == ([self.connection.registered] if self.connection.registered else [])
        assert self.connection.registered in (0, READ, WRITE, READ | WRITE)

    def teardown(self) -> None:
        """Everybody does what is theirs, and then it is closed."""
        self.far.close()
        self.listener.draining = self.listener.ending = True
        while self.connection.owner is not CLOSED:
            if self.listener.pools.line:
                self.listener.pools.line.pop().cancel()
            elif self.relayed:
                self.relayed.pop().close()
            elif self.between:
                self.between = False
                self.connection.give_back()
            self.loop.run_once(0)
        self.only_the_loop_closes()
        self.loop.close()


TestOneConnection = OneConnection.TestCase
TestOneConnection.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
