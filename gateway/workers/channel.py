"""One end of the socket pair between the parent and a worker, for a loop with a selector. For one thread."""

import socket
from collections.abc import Iterator
from typing import Final

from gateway.workers.messages import Message, MessageReader, lines
from gateway.workers.siblings import MAX_BODY

MAX_UNSENT: Final = 4 * MAX_BODY
"""Bytes that wait at most for an end that does not read."""
READ_BYTES: Final = 256 << 10


class Ended(Exception):
    """The other end is closed, or does not read."""


class Channel:
    """Sends and receives messages without ever waiting.

    An end that is closed is told of by `receive`, and only when everything has been read that it has said before. What
    is sent to it meanwhile is for nobody.

    Args:
        end: of the pair.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.setblocking(False)
        self._reader = MessageReader()
        self._unsent = bytearray()
        self._is_deaf = False  # the other end is closed

    def fileno(self) -> int:
        """For a selector."""
        return self._end.fileno()

    @property
    def unsent(self) -> bool:
        """Whether `flush` is to be called when the socket takes something."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Send it now, or as soon as the socket takes it. Raises Ended: the other end does not read."""
        if self._is_deaf:
            return
        for line in lines(message):
            self._unsent += line
        self.flush()
        if len(self._unsent) > MAX_UNSENT:
            raise Ended("it does not read what it is sent")

    def flush(self) -> None:
        """Send what waits."""
        while self._unsent:
            try:
                count = self._end.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._is_deaf = True
                self._unsent.clear()
                return
            del self._unsent[:count]

    def receive(self) -> Iterator[Message]:
        """The messages that have come. Raises Ended, and Broken."""
        try:
            data = self._end.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as fault:
            raise Ended(fault.strerror or "closed") from None
        if not data:
            raise Ended("closed")
        yield from self._reader.feed(data)

    def close(self) -> None:
        """Idempotent."""
        self._end.close()
