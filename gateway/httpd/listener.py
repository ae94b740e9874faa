"""One listening socket: waitress's server object accepts, and what it accepts becomes a connection of ours.

waitress stops accepting when it has as many connections as it may have, idle ones included, so a thousand of those
would shut the door to a health check. Here the longest idle one goes instead (`Crowd.make_room`). waitress's
`handle_accept` is not used: it passes over a refusal for want of descriptors, and with a socket that stays readable
that is a loop at full speed. Methods are the loop's unless they say otherwise.
"""

import logging
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from gateway.core.clock import Clock
from gateway.httpd.event_loop import READ, EventLoop
from gateway.httpd.interfaces import Application
from gateway.httpd.listening import BACKLOG
from gateway.httpd.supervision import SupervisedConnection
from gateway.httpd.thread_pools import ThreadPools

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CONNECTIONS: Final = 400 if sys.platform == "win32" else 1000
"""At most. Windows has no poll(), and its select() takes 512 sockets, of which calls to providers need a part."""
SPARE: Final = 16
"""Places that are kept free for new connections as long as idle ones can be closed for it."""
ACCEPTED_AT_ONCE: Final = 16
"""Connections that are accepted before the loop looks after the others; waitress accepts one."""

logger = logging.getLogger(__name__)


class Crowd:
    """The open connections of all listeners, and how many there may be.

    Attributes:
        connections: those that are open.
        limit: how many there may be for now.

    Args:
        most: how many there may be.
        reserved: places of them that model calls leave to everything else.
    """

    def __init__(self, most: int, reserved: int = 0) -> None:
        self.connections: set[SupervisedConnection] = set()
        self.limit = self._most = most
        self._reserved = reserved

    def has_room(self) -> bool:
        """Whether another one may be accepted."""
        return len(self.connections) < self.limit

    def is_full_of_calls(self) -> bool:
        """Whether a model call is one too many. Any thread."""
        most = self.limit - self._reserved
        if len(self.connections) <= most:
            return False
        return sum(each.busy for each in list(self.connections)) > most

    def accept_no_more(self) -> None:
        """The system gives no more descriptors, and asking on would take all the time there is: what is open is the
        limit until `reset_limit`, and an idle connection makes room."""
        self.limit = len(self.connections)

    def reset_limit(self) -> None:
        """Try again what the system gives."""
        self.limit = self._most

    def make_room(self) -> None:
        """Close connections on which no request is under way until SPARE places are free: those first that have had
        none for longest, be it that nothing came or that it comes slowly. The SPARE youngest stay as long as there is a
        place at all: what they ask for may be on its way."""
        short = len(self.connections) + SPARE - self.limit
        if short <= 0:
            return
        idle = sorted((each for each in self.connections if not each.busy), key=_waiting_since)
        for connection in idle[: max(len(idle) - SPARE, not self.has_room())]:
            if connection.receiving is not None or not connection.has_input():
                connection.end()
                short -= 1
            if not short:
                return


@dataclass(frozen=True, slots=True)
class Shared:
    """What the listeners of a server share.

    Attributes:
        application: what is served.
        pools: the threads and the time.
        loop: watches the sockets.
        crowd: the connections.
        max_body: the largest request body, in bytes.
    """

    application: Application
    pools: ThreadPools
    loop: EventLoop
    crowd: Crowd
    max_body: int


class Listener:
    """One listening socket and what its connections need (a gateway.httpd.interfaces.ListenerLike).

    Attributes:
        registered: events that the selector watches.
        accepting: whether its connections are ours to accept; else they are another process's, which shares the socket.
        socket: as it was bound.

    Args:
        bound: not yet listened on by this.
        shared: with the other listeners.
    """

    registered = 0
    accepting = True
    draining = False
    ending = False

    def __init__(self, bound: socket.socket, shared: Shared) -> None:
        self.application = shared.application
        self.pools = shared.pools
        self.clock: Clock = shared.pools.clock
        self.max_body = shared.max_body
        self.socket = bound
        self._loop = shared.loop
        self._crowd = shared.crowd
        self._open = True
        pools: Any = shared.pools  # they would serve waitress's own connections, of which there are none
        self._server = TcpWSGIServer(
            shared.application.wsgi,
            {},
            False,
            bound,
            dispatcher=pools,
            adj=Adjustments(backlog=BACKLOG, log_socket_errors=False, clear_untrusted_proxy_headers=False),
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            bind_socket=False,
        )
        trigger: Any = self._server.trigger  # the stubs say a number
        trigger.close()  # the loop has a SelfPipe
        self.environ: WSGIEnvironment = {
            "SERVER_NAME": self._server.server_name,
            "SERVER_PORT": str(bound.getsockname()[1]),
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def is_crowded(self) -> bool:
        """Whether a model call is one too many. Any thread."""
        return self._crowd.is_full_of_calls()

    def start(self) -> None:
        """Accept connections from now on. Any thread, before the loop runs."""
        self._server.accept_connections()

    def settle(self) -> None:
        """Accept while there is room; before every wait, because other connections decide it."""
        if self._open:
            self._loop.watch(self, READ if self.accepting and self._crowd.has_room() else 0)

    def ready(self, events: int) -> None:
        """Connections wait to be accepted."""
        for _ in range(ACCEPTED_AT_ONCE):
            if not self._crowd.has_room():
                return
            try:
                accepted = self.accept()
            except OSError as error:
                self._crowd.accept_no_more()
                logger.warning("A connection could not be accepted: %s. Idle ones make room.", error.strerror or error)
                return
            if accepted is None:
                return
            self._admit(*accepted)

    def accept(self) -> "tuple[socket.socket, tuple[str, int]] | None":
        """The next connection; None where none waits. Raises OSError: the system gives none."""
        return self._server.accept()

    def failed(self, error: BaseException) -> None:
        """Accepting has failed on a fault of ours."""
        logger.error("A connection could not be accepted for a fault of the gateway.", exc_info=error)

    def close(self) -> None:
        """Accept no more."""
        if self._open:
            self._open = False
            self._loop.watch(self, 0)
            self._server.close()

    def _admit(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            connection.setblocking(False)
            self._server.set_socket_options(connection)
        except OSError:  # macOS, of a client that has left already
            connection.close()
            return
        self._loop.look_at(SupervisedConnection(self, connection, address, self._loop, self._crowd.connections))


def _waiting_since(connection: SupervisedConnection) -> float:
    return connection.waiting_since
