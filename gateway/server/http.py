"""The gateway's HTTP server: waitress's loop on a thread of its own, and the way down.

waitress alone runs its loop on the caller's thread until the process dies. Here the loop is an object that starts,
drains and closes, so that the gateway's way down (and a test) can say what happens and wait until it has. The socket
map belongs to the loop's thread; other threads ask it through the trigger. Knows WSGI, nothing of the gateway's routes.
"""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.core.clock import Clock, SystemClock
from gateway.handler.relay import Relay
from gateway.server.waitress_lanes import Lanes
from gateway.server.waitress_server import CONNECTIONS, Server, adjustments, make_room
from gateway.server.watched_sockets import WatchedSockets

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOK_AFTER_SECONDS: Final = 1.0
"""Between two looks at all connections and calls: how late a rule of theirs may come to be applied."""
SPARE_CALLS: Final = 32
"""Connections that model calls leave to everything else."""
IDLE_POLL: Final = 0.02
STOP_SECONDS: Final = 5.0
"""What the loop and the threads get to end; far more than they need unless something hangs."""


class HttpServer:
    """Serves a WSGI application on sockets of `bind`. Owns them from here on.

    Args:
        app: the application. It may read `gateway.overloaded` and `gateway.authority` from environ.
        sockets: at least one, listening.
        threads: of model calls and everything else together.
        max_body: the largest request body, in bytes.
        clock: the time.
        connections: open at once at most, and with them the streams that are carried.
        relay: carries streams that have begun, and is closed with the server; without one each keeps its thread.
    """

    def __init__(  # noqa: PLR0913 - what a server is given, by name
        self,
        app: "WSGIApplication",
        sockets: Sequence[socket.socket],
        *,
        threads: int,
        max_body: int,
        clock: Clock | None = None,
        connections: int = CONNECTIONS,
        relay: Relay | None = None,
    ) -> None:
        _quieten(logging.getLogger("waitress"))
        self._clock: Clock = clock or SystemClock()
        self._count = threads
        self._map = WatchedSockets(each.fileno() for each in sockets)
        self._lanes = Lanes(self._clock, most_calls=connections - SPARE_CALLS)
        self._limit = connections + 2 * len(sockets)
        self._adj = adjustments(threads, max_body, self._limit)
        self._servers = [Server(app, each, self._lanes, self._adj, self._map) for each in sockets]
        self._relay = relay
        for server in self._servers:
            server.relay = relay
        self._loop = threading.Thread(target=self._run, name="gateway-http", daemon=True)
        self._leaving = False
        self._next_look = self._clock.monotonic() + LOOK_AFTER_SECONDS
        self._closing = threading.Lock()
        self._closed = False
        self._idle = threading.Condition()

    @property
    def lanes(self) -> Lanes:
        """The threads, for who wants to know how many model calls run and wait."""
        return self._lanes

    @property
    def busy(self) -> int:
        """Connections with a request that runs or waits, or with bytes that have not left."""
        return sum(channel.busy for server in self._servers for channel in server.channels)

    @property
    def relayed(self) -> int:
        """Streams that the relay carries: at most one a connection."""
        return 0 if self._relay is None else len(self._relay)

    def start(self) -> None:
        """Accept connections. Once."""
        for server in self._servers:
            server.accept_connections()
        self._lanes.set_thread_count(self._count)
        self._loop.start()

    def stop_accepting(self) -> None:
        """Refuse new connections and close idle ones, now; those with an answer under way close after it."""
        for server in self._servers:
            self._in_loop(server.stop_accepting)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing runs and every byte has left the process.

        Args:
            timeout: seconds.

        Returns:
            False when the time ran out.
        """
        deadline = self._clock.monotonic() + timeout
        with self._idle:
            while self.busy or self._lanes.running or self._lanes.waiting or self.relayed:  # also for who has left
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return False
                self._clock.wait(self._idle, min(left, IDLE_POLL))
        return True

    def close(self) -> None:
        """End everything: connections, sockets, the loop, the threads. Idempotent; not from a thread of the server."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._in_loop(self._leave)
            if self._loop.ident is not None:
                self._loop.join(STOP_SECONDS)
            if self._relay is not None:
                self._relay.close()
            self._lanes.shutdown(timeout=STOP_SECONDS)
            for server in self._servers:
                server.close_trigger()
            self._map.close()

    def _run(self) -> None:
        try:
            while not self._leaving:
                self._map.turn(self._sleep())
                make_room(self._map, self._adj.connection_limit)
                self._look_after(self._clock.monotonic())
        finally:
            self._leave()  # a loop that died must not leave callers waiting on open connections

    def _sleep(self) -> float:
        """Seconds for which the loop may wait for its sockets."""
        due = self._lanes.next_deadline
        due = self._next_look if due is None else min(due, self._next_look)
        return min(max(0.0, due - self._clock.monotonic()), LOOK_AFTER_SECONDS)

    def _look_after(self, now: float) -> None:
        """Apply what rules there are on time. Between two rounds of the loop."""
        due = self._lanes.next_deadline
        if now >= self._next_look or (due is not None and now >= due):
            self._lanes.look_after(now)
        if now >= self._next_look:
            self._next_look = now + LOOK_AFTER_SECONDS
            self._adj.connection_limit = self._limit  # it may have been lower for want of descriptors
            for server in self._servers:
                server.look_after(now)

    def _leave(self) -> None:
        self._leaving = True
        for server in self._servers:
            server.close_connections()

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop's thread and wait for it; here, where no loop runs."""
        if not self._loop.is_alive():
            action()
            return
        done = threading.Event()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        self._servers[0].call_in_loop(act)
        done.wait(STOP_SECONDS)


def _quieten(logger: logging.Logger) -> None:
    if logger.level == logging.NOTSET:  # whoever set one means it
        logger.setLevel(logging.WARNING)
