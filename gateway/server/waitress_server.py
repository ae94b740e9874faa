"""waitress's server: one listening socket and its connections, as many as there is room for.

waitress stops accepting when it has as many connections as it may have, idle ones included, so a thousand of those
would shut the door to a health check. Here the longest idle one goes instead. `http.py` owns the loop and calls what is
to be done between two of its rounds: nothing is closed while waitress goes through its map. Methods belong to the
loop's thread unless they say otherwise.
"""

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.trigger import trigger

from gateway.core.clock import Clock
from gateway.handler.relay import Relay
from gateway.server.listening import BACKLOG
from gateway.server.waitress_channel import Channel
from gateway.server.waitress_lanes import Lanes
from gateway.server.watched_sockets import WatchedSockets

if TYPE_CHECKING:
    from socket import _RetAddress

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

CONNECTIONS: Final = 400 if sys.platform == "win32" else 1000
"""Windows has no poll(), and its select() takes 512 sockets, of which calls to providers need a part."""
SPARE: Final = 16
"""Places that are kept free for new connections as long as idle ones can be closed for it."""

logger = logging.getLogger(__name__)


def adjustments(threads: int, max_body: int, connections: int) -> Adjustments:
    """waitress's settings.

    Args:
        threads: of all lanes together.
        max_body: the largest request body, in bytes.
        connections: sockets of the loop at most, listening ones and triggers included.
    """
    return Adjustments(
        threads=threads,
        connection_limit=connections,
        backlog=BACKLOG,
        channel_request_lookahead=1,  # or a caller that leaves is noticed only by the next write
        max_request_body_size=max_body,
        ident=None,
        expose_tracebacks=False,
        clear_untrusted_proxy_headers=False,  # nobody reads them
    )


class Server(TcpWSGIServer):
    """One listening socket and its connections.

    Attributes:
        clock: for the connections.
        environ: what WSGI is told of every request that comes here.
        relay: carries streams that have begun; without one each keeps its thread.

    Args:
        app: the application.
        listener: bound; not yet listened on by this.
        lanes: the threads and the time, shared with the other listeners.
        adj: waitress's settings.
        loop_map: the loop's connections, shared too.
    """

    channel_class = Channel
    draining = False
    effective_port: int
    relay: Relay | None = None

    def __init__(
        self, app: "WSGIApplication", listener: socket.socket, lanes: Lanes, adj: Adjustments, loop_map: WatchedSockets
    ) -> None:
        self.clock: Clock = lanes.clock
        self._sockets = loop_map
        self._trigger_lock = threading.Lock()
        self._trigger_closed = False
        super().__init__(
            app,
            loop_map,
            False,
            listener,
            dispatcher=cast(ThreadedTaskDispatcher, lanes),
            adj=adj,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self.environ: WSGIEnvironment = {
            "SERVER_NAME": self.server_name,
            "SERVER_PORT": str(self.effective_port),
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    @property
    def channels(self) -> list[Channel]:
        """The open connections. Any thread may ask: a dict is copied in one step."""
        return list(cast(dict[int, Channel], self.active_channels).copy().values())

    def set_reuse_addr(self) -> None:
        """Nothing: whoever bound the socket has set its options."""

    def readable(self) -> bool:
        """Whether a connection may be accepted: no more are than there is room for, whoever listens."""
        return self.accepting and len(self._sockets) < self.adj.connection_limit

    def handle_accept(self) -> None:
        """Accept what waits: waitress takes one a round, and a round looks at every connection."""
        for _ in range(SPARE):
            if not self.readable():
                return
            try:
                accepted = self.accept()
            except OSError as error:
                self._accept_fewer(error)
                return
            if accepted is None:
                return
            self._admit(*accepted)

    def pull_trigger(self) -> None:
        """Wake the loop. Any thread, at any time: a closed trigger's descriptor may be someone else's by now."""
        self._pull(None)

    def look_again(self, descriptor: int | None) -> None:
        """Have the loop look at what a connection waits for. Any thread.

        Args:
            descriptor: the connection's; None where it is closed.
        """
        if descriptor is not None:
            self._sockets.changed(descriptor)
            self._pull(None)

    def call_in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop's thread, soon. Any thread."""
        self._pull(action)

    def look_after(self, now: float) -> None:
        """Close whose time is over.

        Args:
            now: seconds on the clock.
        """
        for channel in self.channels:
            channel.look_after(now)

    def stop_accepting(self) -> None:
        """Close the listening socket and the idle connections; the others close when their answers are out."""
        self.draining = True
        wasyncore.dispatcher.close(self)
        for channel in self.channels:
            channel.close_if_idle()

    def close_connections(self) -> None:
        """Close the listening socket and every connection."""
        self.draining = True
        wasyncore.dispatcher.close(self)
        for channel in self.channels:
            channel.handle_close()

    def close_trigger(self) -> None:
        """The last thing to close, when no loop runs. Any thread."""
        with self._trigger_lock:
            if not self._trigger_closed:
                self._trigger_closed = True
                self._trigger.close()

    def _accept_fewer(self, error: OSError) -> None:
        """The system gives no more descriptors, and asking on would take all the time there is. So what is open is the
        limit for now: an idle connection makes room, and `HttpServer` sets the limit back within a second."""
        self.adj.connection_limit = len(self._sockets)
        logger.warning("A connection could not be accepted: %s. Idle ones make room.", error.strerror or error)

    def _admit(self, connection: socket.socket, address: "_RetAddress") -> None:
        try:
            self.set_socket_options(connection)
        except OSError:  # macOS, of a client that has left already
            connection.close()
            return
        Channel(self, connection, address, self.adj, self._sockets)

    @property
    def _trigger(self) -> trigger:
        return cast(trigger, cast(object, self.trigger))

    def _pull(self, action: Callable[[], None] | None) -> None:
        with self._trigger_lock:
            if not self._trigger_closed:
                self._trigger.pull_trigger(cast("Callable[[None], None] | None", action))


def make_room(loop_map: WatchedSockets, limit: int) -> None:
    """Close connections on which no request is under way until SPARE places are free: those first that have had none
    for longest, be it that nothing came or that it comes slowly. The SPARE youngest stay as long as there is a place at
    all: what they ask for may be on its way.

    Args:
        loop_map: the loop's.
        limit: sockets that it holds at most.
    """
    short = len(loop_map) + SPARE - limit
    if short <= 0:
        return
    idle = [each for each in loop_map.values() if isinstance(each, Channel) and not each.busy]
    idle.sort(key=_waiting_since)
    for channel in idle[: max(len(idle) - SPARE, len(loop_map) >= limit)]:
        if channel.is_receiving or not channel.has_input():
            channel.handle_close()
            short -= 1
        if not short:
            return


def _waiting_since(channel: Channel) -> float:
    return channel.waiting_since
