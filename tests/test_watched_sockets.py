"""The loop looks at a connection when something has happened to it, and at no other."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.server.watched_sockets import WatchedSockets


class Dispatcher:
    """One end of a pair of sockets, that counts how often it is asked."""

    accepting = False

    def __init__(self, watched: WatchedSockets, stack: ExitStack) -> None:
        self.near, self.far = (stack.enter_context(each) for each in socket.socketpair())
        self.near.setblocking(False)
        self.reads = self.writes = True
        self.asked = 0
        self.events: list[object] = []
        self.fails = False
        self._watched = watched
        watched[self.near.fileno()] = self  # type: ignore[assignment]  # as waitress does

    def readable(self) -> bool:
        self.asked += 1
        return self.reads

    def writable(self) -> bool:
        return self.writes

    def handle_read_event(self) -> None:
        if self.fails:
            raise RuntimeError
        self.events.append(self.near.recv(100))

    def handle_write_event(self) -> None:
        self.events.append("writes")
        self.writes = False

    def handle_error(self) -> None:
        self.events.append("failed")
        self.close()

    def close(self) -> None:
        del self._watched[self.near.fileno()]
        self.near.close()


@pytest.fixture
def watched() -> Iterator[WatchedSockets]:
    sockets = WatchedSockets([])
    yield sockets
    sockets.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def test_what_came_is_delivered_until_nothing_is_waited_for(watched: WatchedSockets, stack: ExitStack) -> None:
    one = Dispatcher(watched, stack)
    one.far.sendall(b"a")
    watched.turn(0)
    assert one.events == [b"a", "writes"]
    watched.turn(0)
    assert one.events == [b"a", "writes"]
    one.reads = False
    one.far.sendall(b"b")
    watched.turn(0)
    assert one.events == [b"a", "writes", b"b"]  # nobody has said that it reads no more
    one.far.sendall(b"c")
    watched.turn(0)
    assert one.events == [b"a", "writes", b"b"]
    one.reads = True
    watched.changed(one.near.fileno())
    watched.turn(0)
    assert one.events == [b"a", "writes", b"b", b"c"]


def test_idle_connections_are_not_looked_at(watched: WatchedSockets, stack: ExitStack) -> None:
    idle = [Dispatcher(watched, stack) for _ in range(50)]
    one = Dispatcher(watched, stack)
    watched.turn(0)
    before = [each.asked for each in idle]
    for _ in range(10):
        one.far.sendall(b"a")
        watched.turn(0)
    assert one.events.count(b"a") == 10
    assert [each.asked for each in idle] == before


def test_a_listening_socket_is_looked_at_before_every_wait(stack: ExitStack) -> None:
    near, far = (stack.enter_context(each) for each in socket.socketpair())
    watched = WatchedSockets([near.fileno()])
    try:
        listening = Dispatcher(watched, stack)
        del watched[listening.near.fileno()]
        watched[near.fileno()] = listening  # type: ignore[assignment]
        listening.near = near
        listening.accepting = True
        listening.reads = False
        far.sendall(b"a")
        watched.turn(0)
        assert listening.events == []
        listening.reads = True
        watched.turn(0)
        assert listening.events == [b"a"]
    finally:
        watched.close()


def test_one_that_fails_is_closed_and_the_others_go_on(watched: WatchedSockets, stack: ExitStack) -> None:
    bad, good = Dispatcher(watched, stack), Dispatcher(watched, stack)
    bad.fails, bad.writes = True, False
    for each in (bad, good):
        each.far.sendall(b"a")
    watched.turn(0)
    watched.turn(0)
    assert (bad.events, good.events[0]) == (["failed"], b"a")


def test_one_that_another_has_closed_is_left_alone(watched: WatchedSockets, stack: ExitStack) -> None:
    one, two = Dispatcher(watched, stack), Dispatcher(watched, stack)
    for each, other in ((one, two), (two, one)):
        each.writes = False
        each.handle_read_event = other.close  # type: ignore[method-assign]
        each.far.sendall(b"a")
    watched.turn(0)
    assert len(watched) == 1


def test_a_descriptor_that_is_reused_is_watched_anew(watched: WatchedSockets, stack: ExitStack) -> None:
    old = Dispatcher(watched, stack)
    old.writes = False
    watched.turn(0)
    number = old.near.fileno()
    old.close()
    new = Dispatcher(watched, stack)
    new.writes = False
    if new.near.fileno() != number:
        pytest.skip("the system has given another descriptor, so this shows nothing")
    new.far.sendall(b"n")
    watched.turn(0)
    assert (old.events, new.events) == ([], [b"n"])
