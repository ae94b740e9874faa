"""How another thread wakes one that waits in a selector."""

import contextlib
import socket


class SelfPipe:
    """A pair of sockets: Windows' select takes nothing else. Where many wake it at once, one byte does.

    Attributes:
        reader: for the selector.
    """

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        self._woken = False  # a byte is on its way, and not yet heard

    def wake(self) -> None:
        """Any thread, at any time, after what it wakes for is there to be seen."""
        if self._woken:
            return
        self._woken = True
        try:
            self._writer.send(b"\0")
        except OSError:
            return  # full, so it wakes anyway; or closed, so there is nobody to wake

    def hear(self) -> None:
        """It has woken; what it was woken for is to be looked at after this."""
        with contextlib.suppress(BlockingIOError):
            self.reader.recv(4096)
        self._woken = False  # last: who finds it set before has left something that is looked at now

    def close(self) -> None:
        self.reader.close()
        self._writer.close()
