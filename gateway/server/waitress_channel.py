"""waitress's channel: one connection, its requests one after the other, and a caller who may be slow or leave.

waitress closes who is idle, and counts every byte as a sign of life: one byte a minute keeps a connection for ever.
Here a request has a time in which it must have come whole. And waitress hands a connection from its loop to a worker
and back for every request, which takes longer than all that is done for a short answer. Here the worker that has
answered a model call waits a moment for the next one on the same connection: a program that works through a list asks
again at once. Whoever reads does so under `requests_lock`, so that bytes stay in order; who has the connection is said
by `kept`, on which nothing depends but who is woken.
"""

import contextlib
import socket
import threading
from typing import Final

from waitress.channel import ClientDisconnected

from gateway.core.errors import ReceivedTooSlowly
from gateway.net.readiness import Readable, readable
from gateway.server.relayed import Handed, RelayedAnswer
from gateway.server.waitress_output import OutputChannel
from gateway.server.waitress_parser import READ_SIZE, Parser
from gateway.server.waitress_tasks import Answer, JsonErrorTask, Request

IDLE_SECONDS: Final = 60.0
"""After which a connection without a request is closed."""
RECEIVE_SECONDS: Final = 30.0
"""From a request's first byte to its last, and one second more for each LEAST_RATE bytes of its body that have come."""
LEAST_RATE: Final = 65_536
"""Bytes a second. A client on this machine sends thousands of times as many."""
KEPT_CALL_SECONDS: Final = 0.05
"""How long a call runs until the loop watches its connection again, to notice a caller who leaves."""


class Channel(OutputChannel):
    """One connection.

    Attributes:
        overloaded: set by the lanes.
        handed: an answer under way that the relay is to carry, once the thread that began it leaves it.
        kept: whether a worker reads it, not the loop.
    """

    overloaded = False
    handed: Handed | None = None
    kept = False
    requests_lock: threading.Lock
    requests: list[Parser]
    request: Parser | None
    _receiving_since = 0.0
    _kept_call_since = 0.0
    _has_come: Readable | None = None

    @property
    def is_model_call(self) -> bool:
        """Whether the first request may take as long as a provider does. Refused ones are answered at once."""
        request = self.requests[0]
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

    @property
    def can_be_relayed(self) -> bool:
        """Whether the answer to the first request may be handed over."""
        return self.listener.relay is not None and bool(self.requests) and self.requests[0].version == "1.1"

    def check_client_disconnected(self) -> bool:  # type: ignore[override]  # the stub says None
        """Whether nobody waits for the answer. Any thread may ask. Where a worker has the connection nobody would see
        the caller leave, so the loop gets it back in good time."""
        if self.kept and self.listener.clock.monotonic() - self._kept_call_since > KEPT_CALL_SECONDS:
            self.let_go()
        return self.left or not self.connected

    def readable(self) -> bool:
        return not self.left and not self.kept and super().readable()

    def handle_read(self) -> None:
        """Take what came, and have it answered if it is a request."""
        try:
            with self.requests_lock:
                if self.kept:
                    return
                runs = bool(self.requests)
                more = self._read()
                if self.requests and not runs:
                    self._have_served()
        except OSError:
            self.handle_close()
            return
        if not more:
            self._end_of_input()

    def received(self, data: bytes) -> bool:
        """Take bytes: whole requests go to `requests`, of which one more may come while one is answered."""
        if self.will_close or self.close_when_flushed:
            return False
        while data:
            if self.request is None:
                self.request = Parser(self.adj)
                self._receiving_since = self._active_at
            request = self.request
            taken = request.received(data)
            if not self.requests:
                self._continue()
            if request.completed:
                self.sent_continue = False
                self.requests.append(request)
                self.request = None
            data = data[taken:]
        return True

    def service(self) -> None:
        """Answer the first request; on a worker thread. A stream is only begun here, where a relay can carry it."""
        request = self.requests[0]
        task = Request(self, request) if request.error is None else JsonErrorTask(self, request)
        try:
            persists = self._answer(task)
        except BaseException:  # not an Exception: waitress answers for those, and of the others nobody would close
            self.cancel()
            raise
        handed, self.handed = self.handed, None
        if handed is None:
            self.answered(persists=persists)
        else:
            self._relay(handed, task)

    def answered(self, *, persists: bool) -> None:
        """The answer to the first request has left, or is in the buffer: go on with the next, or close. Any thread."""
        if persists and len(self.requests) > 1:
            self._flush_outbufs_below_high_watermark()
        if self.current_outbuf_count:  # the next answer gets another buffer, or none would ever be freed
            self.current_outbuf_count = self.adj.outbuf_high_watermark
        with self.requests_lock:
            self._active_at = self.listener.clock.monotonic()
            for request in self.requests[: 1 if persists else None]:
                request.close()
            self.requests = self.requests[1:] if persists else []
            if self.requests and self.connected:
                self._have_served()
            elif not persists or self.left or self.listener.draining:
                self.close_when_flushed = True
            else:
                if self.request is not None and self.request.expect_continue:
                    self.listener.call_in_loop(self._continue_now)  # a failure to send closes, which is the loop's
                return  # the loop has nothing else to look at: it goes on reading
        self.tell()

    def await_call(self, seconds: float) -> bool:
        """Wait on this thread for the next request; a worker, after an answer.

        Args:
            seconds: the longest wait.

        Returns:
            Whether a model call has come, for this thread to serve. Otherwise the loop has the connection again.
        """
        with self.requests_lock:
            waits = not (self.requests or self.left or self.will_close or self.close_when_flushed)
            self.kept = self.kept or waits  # where it does not wait, `let_go` has to tell the loop
        clock = self.listener.clock
        until = clock.monotonic() + seconds
        try:
            has_come = self._has_come = self._has_come or readable(self.socket)
            while waits and self.kept and has_come(until - clock.monotonic()):
                with self.requests_lock:
                    if self.requests or not self.connected or not self._read():
                        break  # it was taken from us, or has ended, which is the loop's to find out
                    if self.requests and self.is_model_call:
                        self.overloaded = False
                        self._kept_call_since = clock.monotonic()
                        return True
                    if self.requests:
                        self._have_served()
                        break
        except (OSError, ValueError):  # broken, or closed by the loop
            pass
        self.let_go()
        return False

    def let_go(self) -> None:
        """Let the loop read again. Any thread."""
        if self.kept:
            self.kept = False
            self.tell()

    def cancel(self) -> None:
        """Give every request up and close. Any thread."""
        with self.requests_lock:
            for request in self.requests:
                request.close()
            self.requests = []
            self.connected = False
            self.will_close = True
        self.tell()

    def look_after(self, now: float) -> None:
        """Close it, or answer with 408, if its time is over.

        Args:
            now: seconds on the server's clock.
        """
        self.close_untaken(now)
        if self.busy:
            self._receiving_since = now  # of the next request no more is read, so its time has not begun
        elif self.request is not None:
            parser = self.request
            if now - self._receiving_since > RECEIVE_SECONDS + parser.body_bytes_received / LEAST_RATE:
                self._refuse_slow(parser)
        elif now - self._active_at > IDLE_SECONDS:
            self.handle_close()

    def close_if_idle(self) -> None:
        """Close unless something runs, waits, or has just come; behind what has not left."""
        with self.requests_lock:
            if self.requests or self.request is not None or self.has_input():
                return
            if self.total_outbufs_len:
                self.close_when_flushed = True
                return
        self.handle_close()

    def has_input(self) -> bool:
        """Whether there are bytes that have not been read."""
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

    def _refuse_slow(self, parser: Parser) -> None:
        if not parser.can_be_answered:
            self.handle_close()
            return
        with self.requests_lock:
            parser.refuse(ReceivedTooSlowly(f"The request did not come whole within {RECEIVE_SECONDS:g} s."))
            self.request = None
            self.requests = [parser]
            self._have_served()

    def _relay(self, handed: Handed, task: Answer) -> None:
        relay = self.listener.relay
        self.let_go()  # whoever leaves a stream is noticed by the loop
        if relay is not None:
            relay.carry(handed.drive, handed.source, RelayedAnswer(self, task, handed.body))

    def _answer(self, task: Answer) -> bool:
        """Answer its request; whether the connection may serve another one."""
        if not self.connected:
            return False
        try:
            task.service()
        except ClientDisconnected:
            return False
        except Exception:
            self.logger.exception("Exception while serving %s", task.request.path)
            if not task.wrote_header:
                with contextlib.suppress(ClientDisconnected):
                    JsonErrorTask(self, task.request).service()
            return False
        return not task.close_on_finish

    def _have_served(self) -> None:
        self.server.add_task(self)  # type: ignore[arg-type]  # waitress's own word for what it hands over

    def _read(self) -> bool:
        """Take what came, under the lock; whether more may come. Raises OSError: the connection is broken."""
        try:
            data = self.socket.recv(READ_SIZE if self.request is None else self.request.awaits)
        except BlockingIOError:
            return True
        if data:
            self._active_at = self.listener.clock.monotonic()
            self.received(data)
        return bool(data)

    def _continue_now(self) -> None:
        """On the loop's thread: the last answer is out."""
        with self.requests_lock:
            if self.connected and not self.requests:
                self._continue()

    def _continue(self) -> None:
        """Let the client send the body that it has announced: answers stand in order, so not before the last one."""
        request = self.request
        if request is not None and request.expect_continue and request.headers_finished and not self.sent_continue:
            self.send_continue()
