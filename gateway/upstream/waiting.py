"""Waiting for the head of an answer, in a way that can be ended from another thread.

A model may take minutes to its first byte, and while a call connects and waits nobody else holds its socket. So it is
shown which socket the call is on, and whoever wants the call to end shuts that down.
"""

import contextlib
import socket
import threading
from collections.abc import Callable


class Wait:
    """One wait. From its end on `cut` does nothing, for the socket may be another call's by then.

    Args:
        begun: is called when the request has left.
    """

    def __init__(self, begun: Callable[[], None]) -> None:
        self.begun = begun
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False
        self._over = False

    def watch(self, used: socket.socket | None) -> None:
        """The socket that is used from here on."""
        with self._lock:
            self._socket = used
            if self._cut:
                shut_down(used)

    @property
    def was_cut(self) -> bool:
        return self._cut

    def over(self) -> None:
        """The head is there, or will never be."""
        with self._lock:
            self._over = True

    def cut(self) -> None:
        """End it from another thread."""
        with self._lock:
            if not self._over:
                self._cut = True
                shut_down(self._socket)


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
