"""waitress's channel, tasks and server, with our words where waitress has its own.

What waitress answers by itself (400, 413, 431, 500, 501) is an OpenAI error object like every other error, the
application is told what only the server knows, and a server can be drained. waitress runs the loop; `http.py` owns it
and the threads.
"""

import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.trigger import trigger
from waitress.utilities import Error

from gateway.core.errors import BadHttp, BodyTooLarge, GatewayError, HeadersTooLarge, InternalFault, NotImplementedHttp
from gateway.handler.relay import Relay
from gateway.server.headers import ALWAYS, new_request_id
from gateway.server.relayed import Handed, HandedOver, RelayedAnswer
from gateway.server.waitress_lanes import Lanes
from gateway.server.waitress_parser import Parser
from gateway.wires.openai_chat.errors import render_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

MIB: Final = 1 << 20
CONNECTIONS: Final = 400 if sys.platform == "win32" else 1000
"""Windows has no poll(), and its select() takes 512 sockets, of which calls to providers need a part."""

MAX_HEADER: Final = 32_768
BACKLOG: Final = 1024
LOOP_SECONDS: Final = 1
"""How long the loop sleeps at most when nothing happens."""

UNREAD_READS: Final = 16
UNREAD_BYTES: Final = 65_536
"""At most these many reads of these many bytes before a connection is closed."""

SocketMap = dict[int, socket.socket]
"""The loop's connections by descriptor. What it holds are waitress's dispatchers; its type says sockets."""


def adjustments(threads: int, max_body: int) -> Adjustments:
    """waitress's settings.

    Args:
        threads: of all lanes together.
        max_body: the largest request body, in bytes.
    """
    return Adjustments(
        threads=threads,
        connection_limit=CONNECTIONS,
        backlog=BACKLOG,
        asyncore_loop_timeout=LOOP_SECONDS,
        asyncore_use_poll=hasattr(select, "poll"),  # select() ends the process at descriptor 1024
        channel_request_lookahead=1,  # or a caller that leaves is noticed only by the next write
        channel_timeout=60,
        cleanup_interval=5,
        recv_bytes=65_536,
        max_request_header_size=MAX_HEADER,
        max_request_body_size=max_body + 1,  # waitress refuses what reaches this
        ident=None,
        expose_tracebacks=False,
        clear_untrusted_proxy_headers=False,  # nobody reads them
    )


class JsonErrorTask(ErrorTask):
    """Answers a request that never reached the application."""

    def execute(self) -> None:
        fault = cast(Error, cast(Parser, self.request).error)
        error = _translated(fault, self.channel.adj)
        body = render_error(error)
        self.status = f"{error.status} {fault.reason}"
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("X-Request-Id", new_request_id()),
            *ALWAYS,
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _translated(fault: Error, limits: Adjustments) -> GatewayError:
    """waitress's error in our words. Its texts may quote a header line, and with it a key, so they end at a quote."""
    match fault.code:
        case 400:
            reason, _, _ = fault.body.partition(' "')
            return BadHttp(f"The request is not valid HTTP/1.1: {reason}.")
        case 413:
            most = (limits.max_request_body_size - 1) / MIB
            return BodyTooLarge(f"The request body is larger than {most:g} MiB, the limit set by gateway.maxBodyMiB.")
        case 431:
            return HeadersTooLarge(
                f"The request line and headers are larger than {limits.max_request_header_size // 1024} KiB."
            )
        case 501:
            return NotImplementedHttp("Transfer-Encoding other than chunked is not supported.")
        case _:
            return InternalFault("The gateway failed on a fault of its own; its log has the details.")


class Request(WSGITask):
    """Answers a request by the application."""

    def get_environment(self) -> "WSGIEnvironment":
        """WSGI's environ and what only the server knows.

        `gateway.authority`: of an absolute-form target, else absent. `gateway.overloaded`: whether to refuse this model
        call, for want of a thread. `waitress.client_disconnected`: a function that tells whether the caller left.
        """
        environ = super().get_environment()
        environ["gateway.overloaded"] = cast(Channel, self.channel).overloaded
        authority = cast(Parser, self.request).authority
        if authority is not None:
            environ["gateway.authority"] = authority
        return environ

    def build_response_header(self) -> bytes:
        if cast(Server, self.channel.server).draining:
            self.set_close_on_finish()
        return super().build_response_header()

    def finish(self) -> None:
        if cast(Channel, self.channel).handed is not None:
            raise HandedOver(self)
        super().finish()


class Channel(HTTPChannel):
    """One connection.

    Attributes:
        handed: an answer under way that the relay is to carry, once the thread that began it leaves it.
    """

    task_class = Request
    error_task_class = JsonErrorTask
    parser_class = Parser
    overloaded = False
    handed: Handed | None = None
    requests_lock: threading.Lock

    @property
    def is_model_call(self) -> bool:
        """Whether the first request may take as long as a provider does. Refused ones are answered at once."""
        request = cast(Parser, self.requests[0])
        return request.method == "POST" and request.error is None

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits, or bytes of an answer have not left. Any thread may ask."""
        # In this order: a request is taken off the list after its last bytes were put into the buffer.
        return bool(self.requests) or self.total_outbufs_len > 0

    def service(self) -> None:
        """Answer the first request; on a worker thread. A stream is only begun here, where a relay can carry it."""
        try:
            super().service()
        except HandedOver as left:
            self._relay(left.task)
            return
        if cast(Server, self.server).draining:
            with self.requests_lock:
                if self.requests:
                    return
                self.close_when_flushed = True
            self.server.pull_trigger()

    @property
    def can_be_relayed(self) -> bool:
        """Whether the answer to the first request may be handed over."""
        return cast(Server, self.server).relay is not None and bool(self.requests) and self.requests[0].version == "1.1"

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
        relay = cast(Server, self.server).relay
        if handed is not None and relay is not None:
            relay.carry(handed.drive, handed.source, RelayedAnswer(self, task, handed.body))

    def _flush_outbufs_below_high_watermark(self) -> None:
        """waitress waits here for the loop to take bytes away, and would wait for ever if the loop closed the channel
        between its look and its lock."""
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            with self.outbuf_lock:
                if self.connected:
                    super()._flush_outbufs_below_high_watermark()  # type: ignore[misc]  # not in the stubs

    def close_if_idle(self) -> None:
        """Close unless something runs, waits, or has just come; on the loop's thread."""
        with self.requests_lock:
            if not self.busy and self.request is None and not self._has_input():
                self.will_close = True

    def handle_close(self) -> None:
        """Close at once. Input that nobody will read goes first: left there, it would turn the close into a reset, and
        a reset can take the answer away from a client that has not read it yet."""
        if self.connected and self.socket is not None:
            _throw_input_away(self.socket)
        super().handle_close()

    def _has_input(self) -> bool:
        if self.socket is None:
            return False
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


def _throw_input_away(connection: socket.socket) -> None:
    try:
        for _ in range(UNREAD_READS):
            if not connection.recv(UNREAD_BYTES):
                return
    except OSError:
        return  # nothing there, or a connection that is broken already


class Server(TcpWSGIServer):
    """One listening socket and its connections. Unless said otherwise, methods belong to the loop's thread.

    Attributes:
        relay: carries streams that have begun; without one each keeps its thread.

    Args:
        app: the application.
        listener: bound; not yet listened on by this.
        lanes: the threads, shared with the other listeners.
        adj: waitress's settings.
        loop_map: the loop's connections, shared too.
    """

    channel_class = Channel
    draining = False
    relay: Relay | None = None

    def __init__(
        self, app: "WSGIApplication", listener: socket.socket, lanes: Lanes, adj: Adjustments, loop_map: SocketMap
    ) -> None:
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

    @property
    def channels(self) -> list[Channel]:
        """The open connections. Any thread may ask: a dict is copied in one step."""
        return list(cast(dict[int, Channel], self.active_channels).copy().values())

    def set_reuse_addr(self) -> None:
        """Nothing: whoever bound the socket has set its options."""

    def pull_trigger(self) -> None:
        """Wake the loop. Any thread, at any time: a closed trigger's descriptor may be someone else's by now."""
        self._pull(None)

    def call_in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop's thread, soon. Any thread."""
        self._pull(action)

    def maintenance(self, now: int) -> None:
        """Close who has been idle, and who takes nothing: waitress only marks the latter, and waits for a socket to
        become writable that never will."""
        super().maintenance(now)
        for channel in self.channels:
            if channel.total_outbufs_len and now - channel.last_activity > self.adj.channel_timeout:
                channel.handle_close()

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

    @property
    def _trigger(self) -> trigger:
        return cast(trigger, cast(object, self.trigger))

    def _pull(self, action: Callable[[], None] | None) -> None:
        with self._trigger_lock:
            if not self._trigger_closed:
                self._trigger.pull_trigger(cast("Callable[[None], None] | None", action))
