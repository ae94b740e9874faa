"""The HTTP server: the loop on a thread of its own, its start, its drain, its end and its death.

waitress alone runs its loop on the caller's thread until the process dies. Here the loop is an object that starts,
drains and closes, so that the gateway (and a test) can say what happens and wait until it has. It knows WSGI and
nothing of the gateway's routes.
"""

import logging
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

from gateway.core.clock import Clock, SystemClock
from gateway.httpd.event_loop import EventLoop
from gateway.httpd.interfaces import Application
from gateway.httpd.listener import CONNECTIONS, Crowd, Listener, Shared
from gateway.httpd.supervision import SupervisedConnection
from gateway.httpd.thread_pools import ThreadPools
from gateway.net.descriptors import connection_limit

SWEEP_SECONDS: Final = 1.0
"""Between two looks at all connections: how late a rule on time may come to be applied."""
SPARE_CALLS: Final = 32
"""Connections that model calls leave to everything else."""
MOST_RESERVED: Final = 4
RESERVED_SHARE: Final = 8
"""Places that model calls leave to everything else where descriptors are scarce: so many, or the eighth part if that is
less. There a handful of streams takes every place, and a health check would wait until one of them ends."""
IDLE_POLL: Final = 0.02
STOP_SECONDS: Final = 5.0
"""What the loop and the threads get to end; far more than they need unless something hangs."""

logger = logging.getLogger(__name__)


class HttpServer:
    """Serves an application on sockets of `bind`. Owns them from here on.

    Attributes:
        died: whether the loop has ended by a fault: nothing is served any more.

    Args:
        application: what is served.
        sockets: at least one, listening.
        threads: of model calls and everything else together.
        max_body: the largest request body, in bytes.
        clock: the time.
        connections: open at once at most, and with them the streams that a relay sends.
        on_death: is called when the loop has ended by a fault, on its thread.
    """

    def __init__(  # noqa: PLR0913 - what a server is given, by name
        self,
        application: Application,
        sockets: Sequence[socket.socket],
        *,
        threads: int,
        max_body: int,
        clock: Clock | None = None,
        connections: int = CONNECTIONS,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.died = False
        self._clock: Clock = clock or SystemClock()
        self._count = threads
        most = connection_limit(connections)
        self._pools = ThreadPools(self._clock, most_calls=most - SPARE_CALLS)
        self._loop = EventLoop()
        self._crowd = Crowd(most, 0 if most == connections else min(MOST_RESERVED, most // RESERVED_SHARE))
        shared = Shared(application, self._pools, self._loop, self._crowd, max_body)
        self.listeners = [Listener(each, shared) for each in sockets]
        self._on_death = on_death
        self._thread = threading.Thread(target=self._run, name="gateway-http", daemon=True)
        self._stopping = False
        self._next_sweep = self._clock.monotonic() + SWEEP_SECONDS
        self._closing = threading.Lock()
        self._closed = False
        self._idle = threading.Condition()

    @property
    def pools(self) -> ThreadPools:
        """The threads, for who wants to know how many model calls run and wait."""
        return self._pools

    @property
    def connections(self) -> list[SupervisedConnection]:
        """Those that are open. Any thread: a set is copied in one step."""
        return list(self._crowd.connections)

    @property
    def busy(self) -> int:
        """Connections with a request that runs or waits, or with bytes that have not left."""
        return sum(connection.busy for connection in self.connections)

    def start(self) -> None:
        """Accept connections. Once."""
        for listener in self.listeners:
            listener.start()
        self._pools.set_thread_count(self._count)
        self._thread.start()

    def set_thread_count(self, count: int) -> None:
        """Allow so many threads from now on. Those that there are stay."""
        if count != self._count:
            self._count = count
            self._pools.set_thread_count(count)

    def accept_on(self, sockets: Collection[socket.socket]) -> None:
        """Accept on these of its sockets from now on, and leave the others to the processes that share them."""
        self.run_in_loop(lambda: self._accept_on(sockets))

    def stop_accepting(self) -> None:
        """Refuse new connections and close idle ones, now; those with an answer under way close after it."""
        self.run_in_loop(self._drain)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing runs and every byte has left the process.

        Args:
            timeout: seconds.

        Returns:
            False when the time ran out.
        """
        deadline = self._clock.monotonic() + timeout
        with self._idle:
            while self.busy or self._pools.running or self._pools.waiting:  # also for who has left
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return False
                self._clock.wait(self._idle, min(left, IDLE_POLL))
        return True

    def run_in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop's thread and wait for it; here, where no loop runs."""
        if not self._thread.is_alive():
            action()
            return
        done = threading.Event()

        def act() -> None:
            try:
                action()
            except Exception:
                logger.exception("The loop could not do what it was asked for.")
            finally:
                done.set()

        self._loop.call(act)
        done.wait(STOP_SECONDS)

    def close(self) -> None:
        """End everything: connections, sockets, the threads, the loop. Idempotent; not from a thread of the server."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self.run_in_loop(self._end)
            self._pools.shutdown(timeout=STOP_SECONDS)  # whoever has a connection gives it back, and the loop closes it
            self.run_in_loop(self._stop)
            if self._thread.ident is not None:
                self._thread.join(STOP_SECONDS)
            self._end()  # what was given back to a loop that had died
            self._loop.close()

    # The loop's thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                for listener in self.listeners:
                    listener.settle()
                self._loop.run_once(self._sleep())
                self._crowd.make_room()
                self._enforce_timeouts(self._clock.monotonic())
        except BaseException:
            self.died = True
            logger.critical("The HTTP server's loop has ended by a fault: nothing is served any more.", exc_info=True)
        finally:
            self._end()  # a loop that died must not leave callers waiting on open connections
            if self.died:
                self._on_death()

    def _sleep(self) -> float:
        """Seconds for which the loop may wait for its sockets."""
        due = self._pools.next_deadline
        due = self._next_sweep if due is None else min(due, self._next_sweep)
        return min(max(0.0, due - self._clock.monotonic()), SWEEP_SECONDS)

    def _enforce_timeouts(self, now: float) -> None:
        due = self._pools.next_deadline
        if now >= self._next_sweep or (due is not None and now >= due):
            self._pools.enforce_timeouts(now)
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._crowd.reset_limit()
            for connection in self.connections:
                connection.enforce_timeouts(now)

    def _accept_on(self, sockets: Collection[socket.socket]) -> None:
        for listener in self.listeners:
            listener.accepting = listener.socket in sockets

    def _drain(self) -> None:
        for listener in self.listeners:
            listener.draining = True  # first: whoever gives a connection back later sees it
            listener.close()
        for connection in self.connections:
            connection.settle()

    def _end(self) -> None:
        for listener in self.listeners:
            listener.draining = listener.ending = True
            listener.close()
        for connection in self.connections:
            try:
                connection.end()
            except Exception:
                logger.exception("A connection could not be closed.")

    def _stop(self) -> None:
        self._stopping = True
