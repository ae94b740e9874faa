"""waitress's channel: one connection, with a caller who may be slow, take nothing, or leave.

waitress closes who is idle, and counts every byte as a sign of life: one byte a minute keeps a connection for ever, and
so does an answer that nobody takes. Here a request has a time in which it must have come whole, and an answer one in
which some of it must have been taken. Time is the server's clock; waitress's own stamps are wall-clock time and are
not read. Methods belong to the loop's thread unless they say otherwise.
"""

import socket
import threading
from typing import TYPE_CHECKING, Final, cast

from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from gateway.core.errors import ReceivedTooSlowly
from gateway.server.relayed import Handed, HandedOver, RelayedAnswer
from gateway.server.waitress_parser import Parser
from gateway.server.waitress_tasks import JsonErrorTask, Request

if TYPE_CHECKING:
    from gateway.server.waitress_server import Server

IDLE_SECONDS: Final = 60.0
"""After which a connection without a request is closed."""
STALL_SECONDS: Final = 60.0
"""After which an answer is given up of which the caller has taken nothing more."""
RECEIVE_SECONDS: Final = 30.0
"""From a request's first byte to its last, and one second more for each LEAST_RATE bytes of its body that have come."""
LEAST_RATE: Final = 65_536
"""Bytes a second. A client on this machine sends thousands of times as many."""

UNREAD_READS: Final = 16
UNREAD_BYTES: Final = 65_536
"""At most these many reads of these many bytes before a connection is closed."""


class Channel(HTTPChannel):
    """One connection.

    Attributes:
        overloaded: set by the lanes.
        handed: an answer under way that the relay is to carry, once the thread that began it leaves it.
        left: whether the caller will send nothing more: it has hung up, or it has closed its half and waits.
    """

    task_class = Request
    error_task_class = JsonErrorTask
    parser_class = Parser
    overloaded = False
    handed: Handed | None = None
    left = False
    requests_lock: threading.Lock
    _active_at = 0.0
    _receiving_since = 0.0
    _untaken_since: float | None = None

    @property
    def last_activity(self) -> float:  # an attribute in waitress
        """When a byte last came or went, on the server's clock."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, wall: float) -> None:
        self._active_at = cast("Server", self.server).clock.monotonic()

    @property
    def is_model_call(self) -> bool:
        """Whether the first request may take as long as a provider does. Refused ones are answered at once."""
        request = cast(Parser, self.requests[0])
        return request.method == "POST" and request.refusal is None

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits, or bytes of an answer have not left. Any thread may ask."""
        # In this order: a request is taken off the list after its last bytes were put into the buffer.
        return bool(self.requests) or self.total_outbufs_len > 0

    @property
    def is_receiving(self) -> bool:
        """Whether a part of a request has come."""
        return self.request is not None

    @property
    def waiting_since(self) -> float:
        """When the request began that has not come whole, else when a byte last came or went."""
        return self._active_at if self.request is None else self._receiving_since

    def check_client_disconnected(self) -> bool:  # type: ignore[override]  # the stub says None
        """Whether nobody waits for the answer. Any thread may ask."""
        return self.left or not self.connected

    def readable(self) -> bool:
        return not self.left and super().readable()

    def handle_read(self) -> None:
        """Take what came. waitress closes when there is nothing more; but who has sent everything may close its half,
        and still waits for the answer (RFC 9112 section 9.6)."""
        if self.socket is None:
            return
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if data:
            self._active_at = cast("Server", self.server).clock.monotonic()
            self.received(data)
        else:
            self._end_of_input()

    def received(self, data: bytes) -> bool:
        before = self.request
        taken = super().received(data)
        if self.request is not before:
            self._receiving_since = self._active_at
        return taken

    def service(self) -> None:
        """Answer the first request; on a worker thread. A stream is only begun here, where a relay can carry it."""
        try:
            super().service()
        except HandedOver as over:
            self._relay(over.task)
            return
        except BaseException:  # waitress answers for an Exception; of the others nobody would close the connection
            self.cancel()
            raise
        if self.left or cast("Server", self.server).draining:
            with self.requests_lock:
                if self.requests:
                    return
                self.close_when_flushed = True
            self.server.pull_trigger()

    def cancel(self) -> None:
        """Give every request up and close. Any thread."""
        with self.requests_lock:
            for request in self.requests:
                request.close()
            self.requests = []
            self.connected = False
            self.will_close = True
        self.server.pull_trigger()

    def look_after(self, now: float) -> None:
        """Close it, or answer with 408, if its time is over.

        Args:
            now: seconds on the server's clock.
        """
        if self.total_outbufs_len:
            self._check_untaken(now)
        else:
            self._untaken_since = None
        if self.busy:
            self._receiving_since = now  # of the next request no more is read, so its time has not begun
        elif self.request is not None:
            parser = cast(Parser, self.request)
            if now - self._receiving_since > RECEIVE_SECONDS + parser.body_bytes_received / LEAST_RATE:
                self._refuse_slow(parser)
        elif now - self._active_at > IDLE_SECONDS:
            self.handle_close()

    def close_if_idle(self) -> bool:
        """Close unless something runs, waits, or has just come; whether it did."""
        with self.requests_lock:
            if self.busy or self.request is not None or self.has_input():
                return False
        self.handle_close()
        return True

    def handle_close(self) -> None:
        """Close at once. Input that nobody will read goes first: left there, it would turn the close into a reset, and
        a reset can take the answer away from a client that has not read it yet."""
        self.left = True  # also where the connection broke
        if self.connected and self.socket is not None:
            _throw_input_away(self.socket)
        super().handle_close()

    def has_input(self) -> bool:
        """Whether there are bytes that have not been read."""
        if self.socket is None:
            return False
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _end_of_input(self) -> None:
        self.left = True
        with self.requests_lock:
            if self.requests:
                return  # `service` closes behind the last answer
            if self.total_outbufs_len:
                self.close_when_flushed = True
                return
        self.handle_close()

    def _check_untaken(self, now: float) -> None:
        """Bytes wait. Since when is known by looking only: a provider may have been silent for longer than a caller may
        be, and then the answer has waited for no time at all."""
        if self._untaken_since is None:
            self._untaken_since = now
        if now - max(self._untaken_since, self._active_at) > STALL_SECONDS:
            self.handle_close()  # wakes a worker that waits for room

    def _refuse_slow(self, parser: Parser) -> None:
        if not parser.can_be_answered:
            self.handle_close()
            return
        parser.refuse(ReceivedTooSlowly(f"The request did not come whole within {RECEIVE_SECONDS:g} s."))
        with self.requests_lock:
            self.request = None
            self.requests = [parser]
            self.server.add_task(self)  # type: ignore[arg-type]  # waitress's own word for what it hands over

    @property
    def can_be_relayed(self) -> bool:
        """Whether the answer to the first request may be handed over."""
        relay = cast("Server", self.server).relay
        return relay is not None and bool(self.requests) and self.requests[0].version == "1.1"

    def relayed(self) -> None:
        """The answer that was handed over has its end: close behind it, as waitress does after any of unknown length.
        Any thread."""
        with self.requests_lock:
            self.close_when_flushed = True
            for request in self.requests:
                request.close()
            self.requests = []
        if self.connected:
            self.server.pull_trigger()

    def _relay(self, task: WSGITask) -> None:
        handed, self.handed = self.handed, None
        relay = cast("Server", self.server).relay
        if handed is not None and relay is not None:
            relay.carry(handed.drive, handed.source, RelayedAnswer(self, task, handed.body))

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
