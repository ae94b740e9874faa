"""The way to a caller whose answer is carried by the relay: the end of a task that has given its thread back.

waitress ends an answer on the thread that began it (task.py, channel.py of 3.0). Here that thread leaves in the middle,
and whoever carries the answer does the rest of the task: the pieces, the body's close, the last chunk, and what follows
on the connection.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from waitress.channel import ClientDisconnected

from gateway.handler.stream_drive import StreamDrive
from gateway.upstream.byte_stream import Detached

if TYPE_CHECKING:
    from gateway.server.waitress_channel import Channel
    from gateway.server.waitress_tasks import Answer


class Carried(Protocol):
    """The body of an answer that is carried, as far as its way to the caller is concerned."""

    def said(self) -> None:
        """A piece is written now."""

    def end(self) -> None:
        """Close it: what WSGI's close would have done."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A stream of which the head and the first piece are written, for the relay."""

    drive: StreamDrive
    source: Detached
    body: Carried


class RelayedAnswer:
    """A gateway.handler.relay.Outlet.

    Args:
        channel: the connection; the request stays its first until the end, so that no other is begun.
        task: which has written the beginning.
        body: of the answer.
    """

    def __init__(self, channel: "Channel", task: "Answer", body: Carried) -> None:
        self._channel = channel
        self._task = task
        self._body = body

    @property
    def untaken(self) -> int:
        return self._channel.total_outbufs_len

    @property
    def left(self) -> bool:
        return self._channel.check_client_disconnected()

    def write(self, piece: bytes) -> bool:
        """See Outlet. waitress waits only above a mark that is far beyond what the relay leaves untaken."""
        if self.left:
            return False
        self._body.said()
        try:
            self._task.write(piece)
        except (ClientDisconnected, OSError):
            return False
        return True

    def close(self) -> None:
        persists = False
        try:
            self._body.end()  # first, as waitress does it
            if self._channel.connected:
                self._task.finish()
                persists = not self._task.close_on_finish
        except (ClientDisconnected, OSError):
            return
        finally:
            self._channel.answered(persists=persists)
