"""One connection, the loop's half: what it watches, what it does with a connection that is its own, and how it ends one
that somebody else has. Every method is the loop's.

The loop closes only what it owns. For a connection of somebody else it can `abort`: the caller counts as gone, nothing
is sent any more, and the socket is shut down, which wakes its owner. The descriptor stays until that gives it back.
"""

import socket
from typing import Final

from gateway.core.errors import ReceivedTooSlowly
from gateway.core.no_op import no_op
from gateway.httpd.connection import Connection
from gateway.httpd.event_loop import READ, WRITE, EventLoop
from gateway.httpd.interfaces import ListenerLike
from gateway.httpd.ownership import CLOSED, LOOP
from gateway.net.sockets import discard_input, shut_down

IDLE_SECONDS: Final = 60.0
"""After which a connection without a request is closed."""
RECEIVE_SECONDS: Final = 30.0
"""From a request's first byte to its last, and one second more for each LEAST_RATE bytes of its body that have come."""
LEAST_RATE: Final = 65_536
"""Bytes a second. A client on this machine sends thousands of times as many."""
STALL_SECONDS: Final = 60.0
"""After which an answer is given up of which the caller has taken nothing more."""


class SupervisedConnection(Connection):
    """A connection as its loop has it.

    Args:
        listener: through which it came.
        connection: its socket.
        address: the caller's.
        loop: whose thread calls these methods.
        crowd: all open connections; it leaves them when it is closed.
    """

    _untaken_since: float | None = None

    def __init__(
        self,
        listener: ListenerLike,
        connection: socket.socket,
        address: tuple[str, int],
        loop: EventLoop,
        crowd: "set[SupervisedConnection]",
    ) -> None:
        super().__init__(listener, connection, address, self._ask_loop)
        self._loop = loop
        self._crowd = crowd
        crowd.add(self)

    @property
    def busy(self) -> bool:
        """Whether somebody serves it, or bytes of an answer have not left. Any thread."""
        # in this order: an owner keeps what is untaken before it gives the connection back
        return self.owner not in (LOOP, CLOSED) or self.output.untaken > 0

    @property
    def waiting_since(self) -> float:
        """When the request began that has not come whole, else when a byte last came or went."""
        return max(self.active_at, self.output.taken_at) if self.receiving is None else self.receiving_since

    def interest(self) -> int:
        """The events to watch. Of a connection that another has only the caller's end matters, and only until bytes
        were seen that nobody may read yet: they would wake the loop again and again."""
        untaken = self.output.untaken
        events = WRITE if untaken else 0
        if self.owner is LOOP:
            if not (untaken or self.closing):
                events |= READ
        elif self.watch_leaving and not self.left and self.peeked != self.calls:
            events |= READ
        return events

    def ready(self, events: int) -> None:
        """Something has happened to the socket."""
        if events & WRITE:
            self.output.flush()
        if events & READ:
            if self.owner is not LOOP:
                if self.watch_leaving:
                    self.peek()
            elif self.interest() & READ:  # an event from before its last answer is no leave to read behind that
                self.receive()
                if self.serving is not None:
                    self.submit()
        self.settle()

    def settle(self) -> None:
        """Close it if it is over, else watch what it waits for. Decides from what it finds, never from why it was
        called, and looks again after it has written: another owner, who writes first and looks at `registered` then,
        either finds that already or is found here."""
        if self.owner is CLOSED:
            return
        while True:
            if self.owner is LOOP and self.is_over():
                self.close()
                return
            events = self.interest()
            self._loop.watch(self, events)
            if events == self.interest():
                return

    def is_over(self) -> bool:
        """Whether it is to be closed; of a connection that is the loop's."""
        if self.output.broken or self.listener.ending:
            return True
        if self.output.untaken:
            return False
        if self.left or self.closing:
            return True
        return self.listener.draining and self.receiving is None and not self.has_input()

    def peek(self) -> None:
        """See whether the caller has left, without reading what another one is to read."""
        call = self.calls  # before the look: what is seen late must not end the watching of the next call
        try:
            more = self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            more = b""
        if more:
            self.peeked = call
        else:
            self.left = True

    def has_input(self) -> bool:
        """Whether there are bytes that have not been read."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def enforce_timeouts(self, now: float) -> None:
        """Close it, abort it, or answer with 408, if its time is over.

        Args:
            now: monotonic seconds.
        """
        try:
            self._enforce_timeouts(now)
        except Exception as error:  # noqa: BLE001 - logged there
            self.failed(error)

    def end(self) -> None:
        """Close it if it is the loop's, else abort it."""
        if self.owner is LOOP:
            self.close()
        elif self.owner is not CLOSED:
            self.abort()

    def abort(self) -> None:
        """End it under its owner, which gives it back soon."""
        self.left = True
        self.output.drop()
        shut_down(self.socket)
        self._loop.watch(self, self.interest())

    def close(self) -> None:
        """Close it. Input that nobody will read goes first: left there, it would turn the close into a reset, and a
        reset can take the answer away from a client that has not read it yet."""
        self.owner = CLOSED
        self._crowd.discard(self)
        self.left = True
        try:
            self._loop.watch(self, 0)
            self.output.close()
            self.look = no_op  # else only the garbage collector would let the loop go
            if self.receiving is not None:
                self.receiving.close()
            discard_input(self.socket)
        finally:
            self.socket.close()

    def failed(self, error: BaseException) -> None:
        """A fault of ours in one of the above: it ends this connection, and no other."""
        self.log_fault("the loop could not handle it", error)
        self.end()

    def _ask_loop(self) -> None:
        self._loop.look_at(self)

    def _enforce_timeouts(self, now: float) -> None:
        if self.output.untaken:
            if self.owner is LOOP:
                self.receiving_since = now  # of the next request no more is read, so its time has not begun
            self._enforce_stall(now)
            return
        self._untaken_since = None
        if self.owner is not LOOP:
            return
        if self.receiving is None:
            if now - self.waiting_since > IDLE_SECONDS:
                self.close()
        elif now - self.receiving_since > RECEIVE_SECONDS + self.receiving.body_bytes / LEAST_RATE:
            self._refuse_slow()

    def _enforce_stall(self, now: float) -> None:
        """Since when bytes wait is known by looking only: a provider may have been silent for longer than a caller may
        be, and then the answer has waited for no time at all."""
        if self._untaken_since is None:
            self._untaken_since = now
        if now - max(self._untaken_since, self.output.taken_at) > STALL_SECONDS:
            self.end()

    def _refuse_slow(self) -> None:
        request = self.receiving
        if request is None or not request.can_be_answered:
            self.close()
            return
        request.refuse(ReceivedTooSlowly(f"The request did not come whole within {RECEIVE_SECONDS:g} s."))
        self.receiving, self.serving = None, request
        self.submit()
        self.settle()
