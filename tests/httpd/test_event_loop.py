"""The loop looks at a socket when something has happened to it, and at no other."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.httpd.event_loop import READ, WRITE, EventLoop
from tests.support.edge import LIMIT


class Source:
    """One end of a pair of sockets, that counts how often it is looked at."""

    registered = 0

    def __init__(self, loop: EventLoop, stack: ExitStack) -> None:
        self.socket, self.far = (stack.enter_context(each) for each in socket.socketpair())
        self.socket.setblocking(False)
        self.loop = loop
        self.interest = READ
        self.looks = 0
        self.events: list[object] = []
        self.act: Callable[[], None] = lambda: None
        self.settle()

    def settle(self) -> None:
        self.looks += 1
        self.loop.watch(self, self.interest)

    def ready(self, events: int) -> None:
        if events & WRITE:
            self.events.append("writes")
            self.interest &= ~WRITE
        if events & READ:
            self.act()
            self.events.append(self.socket.recv(100))
        self.settle()

    def failed(self, error: BaseException) -> None:
        self.events.append(type(error))
        self.close()

    def close(self) -> None:
        self.loop.watch(self, 0)
        self.socket.close()


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    with closing(EventLoop()) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def test_what_came_is_delivered_until_nothing_is_watched(loop: EventLoop, stack: ExitStack) -> None:
    one = Source(loop, stack)
    one.interest |= WRITE
    one.far.sendall(b"a")
    loop.look_at(one)
    loop.run_once(0)  # read; and from here on watched for writing too
    loop.run_once(0)
    loop.run_once(0)
    assert one.events == [b"a", "writes"]
    one.interest = 0
    one.far.sendall(b"b")
    loop.run_once(0)
    assert one.events == [b"a", "writes", b"b"]  # nobody has asked the loop to look
    one.far.sendall(b"c")
    loop.run_once(0)
    assert one.events == [b"a", "writes", b"b"]
    one.interest = READ
    loop.look_at(one)
    loop.run_once(0)
    loop.run_once(0)
    assert one.events == [b"a", "writes", b"b", b"c"]


def test_idle_sockets_are_not_looked_at(loop: EventLoop, stack: ExitStack) -> None:
    idle = [Source(loop, stack) for _ in range(50)]
    one = Source(loop, stack)
    for _ in range(10):
        one.far.sendall(b"a")
        loop.run_once(0)
    assert one.events == [b"a"] * 10
    assert [each.looks for each in idle] == [1] * 50


def test_another_thread_wakes_the_loop(loop: EventLoop, stack: ExitStack) -> None:
    one, ran = Source(loop, stack), threading.Event()
    loop.run_once(0)

    def ask() -> None:
        loop.look_at(one)
        loop.call(ran.set)

    thread = threading.Thread(target=ask)
    thread.start()
    while not ran.is_set():
        loop.run_once(LIMIT)
    thread.join()
    loop.run_once(0)
    assert one.looks == 2


def test_one_that_fails_is_told_and_the_others_go_on(loop: EventLoop, stack: ExitStack) -> None:
    bad, good = Source(loop, stack), Source(loop, stack)
    bad.act = lambda: bad.socket.setblocking(None)  # type: ignore[arg-type]
    for each in (bad, good):
        each.far.sendall(b"a")
    loop.run_once(0)
    loop.run_once(0)
    assert (bad.events, good.events) == ([TypeError], [b"a"])


def test_one_that_another_has_closed_is_left_alone(loop: EventLoop, stack: ExitStack) -> None:
    one, two = Source(loop, stack), Source(loop, stack)
    for each, other in ((one, two), (two, one)):
        each.act = other.close
        each.far.sendall(b"a")
    loop.run_once(0)
    assert sorted(len(each.events) for each in (one, two)) == [0, 1]


def test_a_descriptor_that_is_reused_is_watched_anew(loop: EventLoop, stack: ExitStack) -> None:
    old = Source(loop, stack)
    number = old.socket.fileno()
    old.close()
    new = Source(loop, stack)
    if new.socket.fileno() != number:
        pytest.skip("the system has given another descriptor, so this shows nothing")
    new.far.sendall(b"n")
    loop.run_once(0)
    assert (old.events, new.events) == ([], [b"n"])
