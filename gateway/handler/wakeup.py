"""How another thread wakes one that waits in a selector."""

import socket


class Wakeup:
    """A pair of sockets: Windows' select takes nothing else.

    Attributes:
        reader: for the selector.
    """

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        """Any thread, at any time."""
        try:
            self._writer.send(b"\0")
        except OSError:
            return  # full, so it wakes anyway; or closed, so there is nobody to wake

    def hear(self) -> None:
        """It has woken."""
        try:
            while self.reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self.reader.close()
        self._writer.close()
