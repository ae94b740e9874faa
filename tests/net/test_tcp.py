"""The socket options of connections to providers."""

import socket
import sys

import pytest

from gateway.net.tcp import (
    KEEPALIVE_SECONDS,
    PROBE_SECONDS,
    PROBES,
    UNACKNOWLEDGED_SECONDS,
    is_unheard,
    limit_unacknowledged,
    tune,
)
from tests.support.ports import open_listener

linux = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's numbers")


@linux
def test_bytes_that_nobody_acknowledges_end_a_connection() -> None:
    with socket.socket() as one:
        tune(one)
        assert option(one, "TCP_USER_TIMEOUT") == UNACKNOWLEDGED_SECONDS * 1000
        limit_unacknowledged(one, 0)
        assert option(one, "TCP_USER_TIMEOUT") == 0


@linux
def test_the_other_side_of_a_silent_connection_is_probed() -> None:
    with socket.socket() as one:
        tune(one)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert option(one, "TCP_NODELAY")
        found = [option(one, name) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")]
        assert found == [KEEPALIVE_SECONDS, PROBE_SECONDS, PROBES]


def option(one: socket.socket, name: str) -> int:
    return one.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))


def test_what_was_taken_is_heard() -> None:
    with open_listener() as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        with theirs:
            assert not is_unheard(ours)


def test_what_is_no_tcp_socket_says_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not is_unheard(ours)
        limit_unacknowledged(ours, 15)
