"""Sockets that another thread may be using: how it is woken, how one is found inside what a library made of it, and how
what came last is passed over."""

import contextlib
import socket
from typing import Final

UNREAD_READS: Final = 16
UNREAD_BYTES: Final = 65_536
"""At most these many reads of these many bytes of what nobody will read."""


def shut_down(connection: socket.socket | None) -> None:
    """Wake whoever reads from it. Not SSLSocket.shutdown: that takes the TLS object away under a reader."""
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(plain(connection), socket.SHUT_RDWR)


def plain(connection: object) -> socket.socket:
    """The socket of a connection. Inside a proxy's TLS, urllib3 has an object of its own around it (SSLTransport)."""
    found = connection if isinstance(connection, socket.socket) else getattr(connection, "socket", None)
    if not isinstance(found, socket.socket):
        raise TypeError(f"{type(connection).__name__} has no socket")
    return found


def discard_input(connection: socket.socket) -> None:
    """Read what has come and forget it, up to a bound; of a socket that does not block."""
    with contextlib.suppress(OSError):  # nothing is there, or the connection is broken already
        for _ in range(UNREAD_READS):
            if not connection.recv(UNREAD_BYTES):
                return
