"""Whether bytes have come on one socket, for a thread that has no selector."""

import select
import socket
import sys
from collections.abc import Callable
from typing import TypeAlias

Readable: TypeAlias = Callable[[float], bool]
"""Waits for so many seconds at most; whether there is something to read, or nothing will come any more. Raises OSError
or ValueError: the socket is closed."""

if sys.platform == "win32":

    def readable(connection: socket.socket) -> Readable:
        """What tells whether a socket can be read, a non-blocking one too."""
        return lambda seconds: bool(select.select([connection], [], [], max(0.0, seconds))[0])

else:

    def readable(connection: socket.socket) -> Readable:
        """What tells whether a socket can be read, a non-blocking one too; made once for each, which is a microsecond
        less a call."""
        poll = select.poll()  # select fails past descriptor 1023
        poll.register(connection, select.POLLIN)
        return lambda seconds: bool(poll.poll(max(0.0, seconds) * 1000))
