"""Sockets that another thread may be using: how it is woken, and how one is found inside what a library made of it."""

import contextlib
import socket


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
