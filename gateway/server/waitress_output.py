"""The way out of a connection: bytes to a caller who may be slow, take nothing, or leave.

waitress copies every piece into a buffer and sends it from there. Here it is sent at once by who wrote it, and only
what the caller does not take goes into the buffer, for the loop to send. An answer has a time in which some of it must
have been taken. Time is the server's clock; waitress's own stamps are wall-clock time and are not read.
"""

import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from waitress.adjustments import Adjustments
from waitress.channel import ClientDisconnected, HTTPChannel

from gateway.server.watched_sockets import WatchedSockets

if TYPE_CHECKING:
    from gateway.server.waitress_server import Server

STALL_SECONDS: Final = 60.0
"""After which an answer is given up of which the caller has taken nothing more."""

UNREAD_READS: Final = 16
UNREAD_BYTES: Final = 65_536
"""At most these many reads of these many bytes before a connection is closed."""


Socket: TypeAlias = socket.socket


class OutputChannel(HTTPChannel):
    """One connection, as far as writing and closing go. Methods belong to the loop's thread unless they say otherwise.

    Attributes:
        listener: through which it came.
        left: whether the caller will send nothing more: it has hung up, or it has closed its half and waits.
    """

    left = False
    socket: Socket
    _fileno: int | None
    _active_at = 0.0
    _untaken_since: float | None = None

    def __init__(
        self, listener: "Server", connection: Socket, address: object, adj: Adjustments, loop_map: WatchedSockets
    ) -> None:
        self.listener = listener  # before waitress sets a time, which is the listener's clock's
        super().__init__(listener, connection, address, adj, map=loop_map)

    @property
    def last_activity(self) -> float:  # an attribute in waitress
        """When a byte last came or went, on the server's clock."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, wall: float) -> None:
        self._active_at = self.listener.clock.monotonic()

    def tell(self) -> None:
        """Have the loop look at what this waits for, because another thread has changed it. Any thread."""
        self.listener.look_again(self._fileno)

    def write_soon(self, data: bytes) -> int:
        """Send it, as far as it is taken; the loop sends the rest. Any thread.

        Returns:
            The length of `data`.

        Raises:
            ClientDisconnected: nobody is there.
        """
        with self.outbuf_lock:
            sent = 0 if self.total_outbufs_len else self._send_now(data)
            if sent < len(data):
                super().write_soon(data[sent:])
                self.tell()
            elif not data and not self.connected:
                raise ClientDisconnected
        return len(data)

    def send_continue(self) -> None:
        super().send_continue()
        if self.total_outbufs_len:
            self.tell()

    def handle_close(self) -> None:
        """Close at once. Input that nobody will read goes first: left there, it would turn the close into a reset, and
        a reset can take the answer away from a client that has not read it yet."""
        self.left = True  # also where the connection broke
        if self.connected and self.socket is not None:
            _throw_input_away(self.socket)
        super().handle_close()

    def close_untaken(self, now: float) -> None:
        """Close if bytes have waited for too long. Since when is known by looking only: a provider may have been silent
        for longer than a caller may be, and then the answer has waited for no time at all.

        Args:
            now: seconds on the server's clock.
        """
        if not self.total_outbufs_len:
            self._untaken_since = None
            return
        if self._untaken_since is None:
            self._untaken_since = now
        if now - max(self._untaken_since, self._active_at) > STALL_SECONDS:
            self.handle_close()  # wakes a worker that waits for room

    def _send_now(self, data: bytes) -> int:
        """How many bytes were taken. What is wrong with the connection is waitress's to find out."""
        if not self.connected or self.socket is None:
            return 0
        try:
            sent = self.socket.send(data)
        except OSError:
            return 0
        self._active_at = self.listener.clock.monotonic()
        return sent

    def _flush_outbufs_below_high_watermark(self) -> None:
        """waitress waits here for the loop to take bytes away, and would wait for ever if the loop closed the channel
        between its look and its lock."""
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            with self.outbuf_lock:
                if self.connected:
                    super()._flush_outbufs_below_high_watermark()  # type: ignore[misc]  # not in the stubs


def _throw_input_away(connection: socket.socket) -> None:
    try:
        for _ in range(UNREAD_READS):
            if not connection.recv(UNREAD_BYTES):
                return
    except OSError:
        return  # nothing there, or a connection that is broken already
