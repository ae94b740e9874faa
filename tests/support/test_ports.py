"""The ports of tests."""

import socket

import pytest

from tests.support.ports import BLOCK, BLOCKS, FIRST, free_port, open_listener


def test_no_port_is_taken_twice_until_all_were() -> None:
    ports = {free_port() for _ in range(BLOCK // 2)}
    assert len(ports) == BLOCK // 2
    assert FIRST <= min(ports) <= max(ports) < min(32_768, FIRST + BLOCKS * BLOCK)
    assert max(ports) // BLOCK == min(ports) // BLOCK


def test_a_port_that_somebody_has_is_passed_over() -> None:
    with open_listener() as taken:
        port = taken.getsockname()[1]
        assert port not in {free_port() for _ in range(BLOCK)}


def test_nobody_listens_at_a_free_port() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()), timeout=10)
