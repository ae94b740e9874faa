"""Sockets for several processes: the port is theirs alone, and each accepts on what it is told to."""

import errno
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from types import SimpleNamespace

import pytest

from gateway.httpd.listening import BindError, bind, bind_shared
from gateway.httpd.server import HttpServer
from tests.support.edge import App, application, get, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several processes are POSIX's")


def close(bound: Sequence[Sequence[socket.socket]]) -> None:
    for each in [sock for sockets in bound for sock in sockets]:
        each.close()


def test_each_process_has_a_socket_of_every_address_on_one_port() -> None:
    bound = bind_shared("127.0.0.1", 0, 3)
    own = [sock for sockets in bound for sock in sockets]
    assert len(bound) == 3
    assert len({sock.getsockname() for sock in own}) == 1
    assert len(set(own)) == (3 if sys.platform == "linux" else 1)
    close(bound)


def test_where_the_system_does_not_spread_connections_all_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.httpd.listening.sys", SimpleNamespace(platform="darwin"))
    bound = bind_shared("127.0.0.1", 0, 3)
    assert bound[0] == bound[1] == bound[2]
    close(bound)


def test_a_port_of_another_program_is_refused_although_it_could_be_joined() -> None:
    with closing(bind("127.0.0.1", 0)[0]) as taken, pytest.raises(BindError, match="in use by another program"):
        bind_shared("127.0.0.1", taken.getsockname()[1], 2)
    if sys.platform == "linux":
        first = bind_shared("127.0.0.1", 0, 2)
        with pytest.raises(BindError, match="in use by another program"):
            bind_shared("127.0.0.1", first[0][0].getsockname()[1], 2)
        close(first)


def test_what_bind_refuses_is_refused() -> None:
    with pytest.raises(BindError, match="not a loopback address"):
        bind_shared("8.8.8.8", 0, 2)
    with pytest.raises(BindError, match="does not exist"):
        bind_shared("127.0.0.1", 70_000, 2)


def test_a_port_that_is_lost_between_probe_and_socket_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("the probe is the socket there")
    listened: list[int] = []

    def fails_at_the_second(sock: socket.socket) -> None:
        listened.append(sock.fileno())
        if len(listened) > 2:  # the probe, and the first of the two
            raise BindError("taken meanwhile")
        sock.listen(1)

    monkeypatch.setattr("gateway.httpd.listening._listen", fails_at_the_second)
    with pytest.raises(BindError, match="taken meanwhile"):
        bind_shared("127.0.0.1", 0, 2)
    for each in listened:
        with pytest.raises(OSError, match=r".") as fault:
            socket.socket(fileno=each)
        assert fault.value.errno == errno.EBADF


def test_a_server_accepts_on_those_sockets_that_are_its() -> None:
    bound = bind_shared("127.0.0.1", 0, 2)
    sockets = [sock for each in bound for sock in each]
    server = HttpServer(application(App()), sockets, threads=4, max_body=1024)
    server.accept_on([])
    server.start()
    with closing(socket.create_connection(sockets[0].getsockname(), timeout=20)) as caller:
        caller.sendall(get())
        server.run_in_loop(lambda: None)
        assert server.connections == [], "it is another's to accept"
        server.accept_on(sockets)
        assert caller.recv(1 << 16).startswith(b"HTTP/1.1 200")
    server.accept_on(sockets[:1])
    until(lambda: not server.busy)
    server.close()
