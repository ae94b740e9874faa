"""More connections than there is room for: /health is answered all the same, and nobody loses a running call."""

import contextlib
import errno
import socket
from contextlib import ExitStack

import pytest

from gateway.httpd.listener import CONNECTIONS, SPARE
from tests.support.edge import LIMIT, App, Served, get, post, read_answer, room_for_descriptors
from tests.support.fakes import FakeClock

CROWD = 1_100


def crowd(served: Served, count: int, said: bytes, stack: ExitStack) -> list[socket.socket]:
    """So many connections that have said that."""
    connections = []
    for _ in range(count):
        connection = stack.enter_context(served.connect())
        with contextlib.suppress(ConnectionError):  # who is old may be closed while it speaks
            connection.sendall(said)
        connections.append(connection)
    return connections


def under_way(served: Served, app: App, stack: ExitStack) -> socket.socket:
    """A connection whose request is held. The last place is free for whoever speaks first, so one that was closed
    before its request had come tries again."""
    for _ in range(1_000):
        (connection,) = crowd(served, 1, post(b"/hold", b"{}"), stack)
        while not is_closed(connection):
            if app.held.acquire(timeout=0.05):
                return connection
    raise AssertionError("no request is held")


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(LIMIT)


def health(served: Served) -> int:
    with served.connect() as connection:
        connection.sendall(get(b"/health"))
        return read_answer(connection).status


def closed(connections: list[socket.socket]) -> list[int]:
    """The numbers of those that the server has closed."""
    found = []
    for number, connection in enumerate(connections):
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                found += [] if connection.recv(1) else [number]
            except ConnectionError:
                found.append(number)
    return found


@pytest.mark.parametrize("said", [b"", b"GET /health HTTP/1.1\r\nHost: loc"], ids=["idle", "half a head"])
def test_1100_connections_do_not_shut_the_door(app: App, said: bytes) -> None:
    with room_for_descriptors(3 * CROWD), Served(app) as served, ExitStack() as stack:
        crowd(served, CROWD, said, stack)
        assert health(served) == 200
        assert served.open <= CONNECTIONS


def test_the_longest_idle_connection_makes_room_first(app: App) -> None:
    clock = FakeClock()
    with Served(app, connections=2 * SPARE, clock=clock) as served, ExitStack() as stack:
        connections = []
        for _ in range(SPARE):
            connections += crowd(served, 1, b"", stack)
            served.let_time_be_read()
            clock.advance(1)
        connections[0].sendall(get())
        assert read_answer(connections[0]).status == 200
        while served.server.busy:  # with it for a moment after its answer has left
            served.let_time_be_read()
        assert closed(connections) == []
        connections += crowd(served, 2, b"", stack)
        served.let_time_be_read()
        assert closed(connections) == [1, 2]


def test_a_slow_head_makes_room_before_a_connection_that_has_just_come(app: App) -> None:
    clock = FakeClock()
    with Served(app, connections=2 * SPARE, clock=clock) as served, ExitStack() as stack:
        connections = crowd(served, SPARE, get()[:10], stack)
        served.let_time_be_read()
        clock.advance(1)
        for connection in connections:
            connection.sendall(b"/")  # a byte more makes none of them younger
        connections += crowd(served, 3, b"", stack)
        served.let_time_be_read()
        assert len(closed(connections[:SPARE])) == 3


def test_no_connection_with_a_request_under_way_is_closed_for_another(app: App) -> None:
    with Served(app, connections=2 * SPARE, threads=4) as served, ExitStack() as stack:
        (call,) = crowd(served, 1, post(b"/hold", b"{}"), stack)
        assert app.held.acquire(timeout=LIMIT)
        crowd(served, 4 * SPARE, b"", stack)
        assert health(served) == 200
        app.let_go.set()
        assert read_answer(call).status == 200


def test_where_every_connection_is_busy_the_next_one_waits_for_its_turn(app: App) -> None:
    with Served(app, connections=2, threads=4) as served, ExitStack() as stack:
        calls = [under_way(served, app, stack) for _ in range(2)]
        waiting = stack.enter_context(served.connect())
        waiting.sendall(get(b"/health"))
        served.let_time_be_read()
        assert served.open == 2
        app.let_go.set()
        assert read_answer(waiting).status == 200
        assert [read_answer(call).status for call in calls] == [200, 200]


def test_where_the_system_gives_no_more_descriptors_idle_connections_make_room(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    with Served(app) as served, ExitStack() as stack:
        crowd(served, 2 * SPARE, b"", stack)
        while served.open < 2 * SPARE:  # the loop accepts one a round
            served.let_time_be_read()
        (listener,) = served.server.listeners
        accept, refusals = listener.accept, [OSError(errno.EMFILE, "Too many open files")]

        def accept_later() -> object:
            if refusals:
                raise refusals.pop()
            return accept()

        listener.accept = accept_later  # type: ignore[method-assign, assignment]
        assert health(served) == 200
        assert served.open - SPARE in (-1, 0, 1)  # the newcomer may have idled for a moment, and may have left
        assert caplog.text.count("Too many open files") == 1


def test_where_there_is_no_descriptor_and_nobody_idle_nobody_is_accepted_for_a_second(app: App) -> None:
    clock = FakeClock()
    with Served(app, clock=clock) as served, served.connect() as call, ExitStack() as stack:
        call.sendall(post(b"/hold", b"{}"))
        assert app.held.acquire(timeout=LIMIT)
        (listener,) = served.server.listeners
        accept, asked = listener.accept, []

        def refuse() -> object:
            asked.append(True)
            raise OSError(errno.EMFILE, "Too many open files")

        listener.accept = refuse  # type: ignore[method-assign, assignment]
        waiting = stack.enter_context(served.connect())
        waiting.sendall(get(b"/health"))
        served.let_time_be_read()
        served.let_time_be_read()
        assert len(asked) == 1
        listener.accept = accept  # type: ignore[method-assign]
        clock.advance(1)
        served.let_time_be_read()
        assert read_answer(waiting).status == 200
        app.let_go.set()
