"""One connection, the owner's half: receive, serve, wait for the next request, give back.

Everything here is called by the present owner (see ownership), but for `caller_left`, which any thread may call. What
the loop does with a connection, its own or somebody else's, is in supervision.

The thread that has answered a model call may keep its caller for a moment: a program that works through a list asks
again at once, and then no thread has to be woken (103 us a small call without it, 63 us with it).
"""

import logging
import socket
from collections.abc import Callable
from typing import Final

from waitress.channel import ClientDisconnected

from gateway.http1.head_memory import HeadMemory
from gateway.httpd.event_loop import READ
from gateway.httpd.interfaces import ListenerLike
from gateway.httpd.output import Output
from gateway.httpd.ownership import LOOP, RELAY, WORKER, Owner
from gateway.httpd.request import READ_SIZE, RequestParser
from gateway.httpd.response import Response
from gateway.httpd.wsgi import respond
from gateway.net.readiness import Readable, readable

WATCH_AFTER_SECONDS: Final = 0.05
"""How long the call of a caller that was kept runs until the loop watches whether the caller leaves."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

logger = logging.getLogger(__name__)


class Connection:
    """One connection and its requests, one after the other.

    Attributes:
        owner: who has it; written by the owner only, as the last thing it does.
        socket: does not block.
        registered: events that the selector watches; written by the loop only.
        watch_leaving: whether the loop, while another has the connection, watches for the caller's end.
        left: whether the caller sends nothing more: it has hung up, or closed its half. Only ever becomes true.
        closing: whether it is closed once it is given back. Only ever becomes true.
        serving: the request that is answered.
        receiving: the request of which a part has come.
        calls: how many requests have been begun.
        peeked: the number of the call during which bytes were seen that nobody may read yet.
        overloaded: see Call.
        active_at: monotonic seconds when a byte last came or an answer last ended.
        receiving_since: monotonic seconds when the first byte of `receiving` came.

    Args:
        listener: through which it came.
        connection: its socket.
        address: the caller's.
        look: has the loop look at it; any thread may call it.
    """

    owner: Owner = LOOP
    registered = 0
    watch_leaving = True
    left: bool
    closing: bool
    serving: RequestParser | None = None
    receiving: RequestParser | None = None
    calls = 0
    peeked = 0
    overloaded = False
    receiving_since = 0.0
    _call_since = 0.0
    _ahead = b""
    _faulty = False
    _has_come: Readable | None = None

    def __init__(
        self, listener: ListenerLike, connection: socket.socket, address: tuple[str, int], look: Callable[[], None]
    ) -> None:
        self.listener = listener
        self.socket = connection
        self.address = address
        self.look = look
        self.output = Output(connection, listener.clock, look)
        self.left = self.closing = False
        self._heads = HeadMemory()
        self.active_at = listener.clock.monotonic()

    # Any thread -----------------------------------------------------------------------------------------------------

    def caller_left(self) -> bool:
        """Whether the caller has left. The call of a caller that was kept is watched from the first question on that
        comes after WATCH_AFTER_SECONDS."""
        if not self.watch_leaving and self.listener.clock.monotonic() - self._call_since > WATCH_AFTER_SECONDS:
            self.watch_leaving = True
            self.look()
        return self.left or self.output.broken

    # The owner ------------------------------------------------------------------------------------------------------

    @property
    def is_model_call(self) -> bool:
        """Whether the request may take as long as a provider does. A refused one is answered at once."""
        request = self.serving
        if request is None or request.head is None or request.refusal is not None:
            return False
        return self.listener.application.is_model_call(request.head.method, request.head.path)

    @property
    def is_crowded(self) -> bool:
        """See gateway.httpd.interfaces.Call."""
        return self.listener.is_crowded()

    def receive(self) -> None:
        """Take what has come: into the request that is being received, and to `serving` where it is whole."""
        try:
            data = self.socket.recv(READ_SIZE if self.receiving is None else self.receiving.wanted)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.left = self.closing = True
            return
        if not data:
            self.left = True
            return
        self.active_at = self.listener.clock.monotonic()
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """Take bytes of the next request; those behind it are kept."""
        request = self.receiving
        if request is None:
            request = self.receiving = RequestParser(self.listener.max_body, self._heads.read)
            self.receiving_since = self.active_at
        taken = request.feed(data)
        while taken < len(data) and not request.completed:
            taken += request.feed(data[taken:])
        if request.completed:
            self.receiving = None
            self.serving = request
            self._ahead = data[taken:]
        elif request.awaits_continue:
            self._send_continue(request)

    def submit(self) -> None:
        """Have `serving` answered by a pool. A hand-over."""
        self._begin_call()
        self.watch_leaving = True
        if self.owner is not LOOP and not self.registered & READ:
            self.look()
        self.owner = WORKER
        self.listener.pools.add_task(self)

    def service(self) -> bool:
        """See gateway.httpd.interfaces.Call."""
        request = self.serving
        if request is None:
            raise RuntimeError("there is no request to be served")
        response = Response(self, request)
        detached = respond(self, request, response)
        if detached is None:
            return self.end_of_answer(persists=response.persists)
        self.watch_leaving = True
        self.owner = RELAY
        if not self.registered & READ:
            self.look()
        detached(response)
        return False

    def end_of_answer(self, *, persists: bool) -> bool:
        """The answer has left, or what is untaken of it is kept.

        Returns:
            Whether the owner still has the connection, between two requests, and has to give it back. Otherwise the
            next request had come already, and was submitted.
        """
        try:
            self.answered(persists=persists)
        except Exception as error:  # noqa: BLE001 - logged there
            self.fault("an answer could not be ended", error)
        if self.serving is None:
            return True
        self.submit()
        return False

    def answered(self, *, persists: bool) -> None:
        """Forget the request that was answered, and take the next one out of what has come already."""
        request, self.serving = self.serving, None
        ahead, self._ahead = self._ahead, b""
        if request is not None:
            request.close()
        self.active_at = self.listener.clock.monotonic()
        if not persists:
            self.closing = True
        elif ahead:
            self.feed(ahead)

    def wait_for_next_request(self, seconds: float) -> bool:
        """See gateway.httpd.interfaces.Call."""
        self.watch_leaving = False  # the loop unregisters at the first event, and is not woken again
        try:
            if self._await_request(seconds) and self.is_model_call:
                self._begin_call()
                self.watch_leaving = False  # a late question about the last call may have set it
                return True
        except Exception as error:  # noqa: BLE001 - logged there
            self.fault("a request could not be received", error)
        if self.serving is None:
            self.give_back()
        else:
            self.submit()
        return False

    def give_back(self) -> None:
        """Let the loop have the connection. A hand-over: what is read behind it, another thread may have written."""
        self.watch_leaving = True
        self.owner = LOOP
        if (
            not self.registered & READ
            or self.left
            or self.closing
            or self.output.untaken
            or self.output.broken
            or self.listener.draining
        ):
            self.look()

    def cancel(self) -> None:
        """Give the request up. A hand-over."""
        request, self.serving = self.serving, None
        if request is not None:
            request.close()
        self.closing = True
        self.give_back()

    def fault(self, what: str, error: BaseException) -> None:
        """A fault of ours, which ends this connection and no other."""
        self.log_fault(what, error)
        request, self.serving = self.serving, None
        if request is not None:
            request.close()
        self.closing = True

    def log_fault(self, what: str, error: BaseException) -> None:
        """Log a fault of ours; the first of a connection."""
        if not self._faulty:
            self._faulty = True
            logger.error("A connection is closed for a fault of the gateway: %s.", what, exc_info=error)

    def _begin_call(self) -> None:
        self.calls += 1
        self.overloaded = False
        self._call_since = self.listener.clock.monotonic()

    def _await_request(self, seconds: float) -> bool:
        """Wait for a whole request."""
        if self.closing or self.left or self.output.untaken or self.output.broken or self.listener.draining:
            return False
        clock = self.listener.clock
        until = clock.monotonic() + seconds
        has_come = self._has_come = self._has_come or readable(self.socket)
        while has_come(until - clock.monotonic()):
            self.receive()
            if self.serving is not None:
                return True
            if self.left or self.output.untaken:
                return False
        return False

    def _send_continue(self, request: RequestParser) -> None:
        """Let the client send the body that it has announced. Answers stand in order: the last one is out."""
        request.awaits_continue = False
        try:
            self.output.write(CONTINUE)
        except ClientDisconnected:  # the output says so
            return
