"""Ports of 127.0.0.1 that no other test gets, whatever runs beside it.

Port 0 is one out of the system's pool, and so the next test, in this process or in one beside it, may have it while
somebody still asks there: a test that waits for a process to listen, or a page that was left open. Such a request then
comes to a server that does not expect it. The ports here lie below that pool, which begins at 49152 (RFC 6335, section
6) or, on Linux, at 32768 (`ip_local_port_range`). Every process has a block of its own, and takes each port of it once
before it takes one again.
"""

import os
import socket
from collections.abc import Iterator
from itertools import cycle

FIRST, BLOCK, BLOCKS = 12_000, 1_000, 20


def _block() -> Iterator[int]:
    """The ports of this process, beginning where another run on this machine has probably not begun."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = FIRST + int(worker) % BLOCKS * BLOCK
    begin = os.getpid() % BLOCK
    return cycle(first + (begin + number) % BLOCK for number in range(BLOCK))


_ports = _block()


def open_listener(host: str = "127.0.0.1", backlog: int | None = None) -> socket.socket:
    """A socket that listens on a port that only this test has.

    Args:
        host: the address it listens at.
        backlog: the connections that wait to be accepted; the system's number by default.

    Raises:
        OSError: no port of this process is free.
    """
    for _ in range(BLOCK):
        try:
            return socket.create_server((host, next(_ports)), backlog=backlog)
        except OSError:  # a program of this machine has it, or Windows has set it aside
            continue
    raise OSError(f"None of the {BLOCK} ports of this process is free.")


def free_port() -> int:
    """A port where nobody listens, and where only what this test starts will."""
    with open_listener() as probe:
        port: int = probe.getsockname()[1]
    return port
