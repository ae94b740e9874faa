"""Whether bytes have come on one socket, for a thread that has no selector."""

import select
import socket
import sys

if sys.platform == "win32":

    def is_readable(connection: socket.socket, seconds: float) -> bool:
        """Whether there is something to read, or nothing will come any more; waits for it.

        Args:
            connection: of any kind, non-blocking ones too.
            seconds: the longest wait.

        Raises:
            OSError, ValueError: it is closed.
        """
        return bool(select.select([connection], [], [], max(0.0, seconds))[0])

else:

    def is_readable(connection: socket.socket, seconds: float) -> bool:
        """Whether there is something to read, or nothing will come any more; waits for it.

        Args:
            connection: of any kind, non-blocking ones too.
            seconds: the longest wait.

        Raises:
            OSError, ValueError: it is closed.
        """
        poll = select.poll()  # select fails past descriptor 1023
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))
