"""Waiting for the head of an answer, in a way that can be ended from another thread.

A model may take minutes to its first byte, and while a call connects and waits nobody else holds its socket. So it is
shown which socket the call is on, and whoever wants the call to end shuts that down.
"""

import socket
import threading
from collections.abc import Callable

from gateway.net.sockets import shut_down


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
