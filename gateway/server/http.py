"""The gateway's HTTP server: listening sockets, waitress's loop on a thread of its own, and the way down.

waitress alone runs its loop on the caller's thread until the process dies. Here the loop is an object that starts,
drains and closes, so that the gateway's way down (and a test) can say what happens and wait until it has. The socket
map belongs to the loop's thread; other threads ask it through the trigger. Knows WSGI, nothing of the gateway's routes.
"""

import errno
import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from waitress import wasyncore

from gateway.core.clock import Clock, SystemClock
from gateway.handler.relay import Relay
from gateway.server.waitress_channel import BACKLOG, LOOP_SECONDS, Server, SocketMap, adjustments
from gateway.server.waitress_lanes import Lanes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

IDLE_POLL: Final = 0.02
STOP_SECONDS: Final = 5.0
"""What the loop and the threads get to end; far more than they need unless something hangs."""

PORT_TRIES: Final = 20
"""Free ports that are tried until one is free on both loopback families."""

_V4_LOOPBACK: Final = ipaddress.ip_network("127.0.0.0/8")
_V6_LOOPBACK: Final = ipaddress.ip_address("::1")
_OTHER_FAMILY: Final = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
_NO_SUCH_FAMILY: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class BindError(Exception):
    """The address cannot be listened on; the text is one line for people."""


class _PortTaken(BindError):
    """Another program has the port."""


class HttpServer:
    """Serves a WSGI application on sockets of `bind`. Owns them from here on.

    Args:
        app: the application. It may read `gateway.overloaded` and `gateway.authority` from environ.
        sockets: at least one, listening.
        threads: of model calls and everything else together.
        max_body: the largest request body, in bytes.
        clock: the time.
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
        relay: Relay | None = None,
    ) -> None:
        _quieten(logging.getLogger("waitress"))
        self._clock: Clock = clock or SystemClock()
        self._count = threads
        self._map: SocketMap = {}
        self._lanes = Lanes(self._clock)
        self._adj = adjustments(threads, max_body)
        self._servers = [Server(app, each, self._lanes, self._adj, self._map) for each in sockets]
        self._relay = relay
        for server in self._servers:
            server.relay = relay
        self._loop = threading.Thread(target=self._run, name="gateway-http", daemon=True)
        self._leaving = False
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

    def _run(self) -> None:
        use_poll = self._adj.asyncore_use_poll
        try:
            while not self._leaving:
                wasyncore.loop(LOOP_SECONDS, use_poll, self._map, count=1)
        finally:
            self._leave()  # a loop that died must not leave callers waiting on open connections

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


# Listening ----------------------------------------------------------------------------------------------------------


def _localhost() -> list[str]:
    found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def bind(host: str, port: int, *, resolve_localhost: Callable[[], list[str]] = _localhost) -> list[socket.socket]:
    """Sockets that listen; connections wait in them until a server accepts.

    Args:
        host: an address of 127.0.0.0/8, ::1, or localhost, which stands for whichever of the two it resolves to.
        port: 0 picks a free one, the same for every socket.
        resolve_localhost: the addresses of localhost.

    Raises:
        BindError: no loopback address, or it cannot be had; or a program on the other loopback family has the port, and
            clients that say localhost would reach that one.
    """
    if not 0 <= port <= 65_535:
        raise BindError(f"Port {port} does not exist; choose one from 0 to 65535 with --port.")
    addresses = _loopback_addresses(host, resolve_localhost)
    for _ in range(0 if port else PORT_TRIES - 1):
        try:
            return _listen_on(addresses, port)
        except _PortTaken:
            continue  # the free port of one family is taken on the other
    return _listen_on(addresses, port)


def _loopback_addresses(host: str, resolve_localhost: Callable[[], list[str]]) -> list[str]:
    if host.lower().rstrip(".") != "localhost":
        addresses = [host[1:-1] if host.startswith("[") and host.endswith("]") else host]
    else:
        try:
            addresses = resolve_localhost()
        except OSError:
            raise BindError("localhost does not resolve on this machine; use 127.0.0.1.") from None
    for address in addresses:
        if not _is_loopback(address):
            raise BindError(
                f"The gateway listens on this machine only, and {ascii(address)[1:-1]} is not a loopback address; "
                "use 127.0.0.1, ::1 or localhost."
            )
    return addresses


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address in _V4_LOOPBACK if isinstance(address, ipaddress.IPv4Address) else address == _V6_LOOPBACK


def _listen_on(addresses: Sequence[str], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sock = _bound(address, port, optional=len(addresses) > 1)
            if sock is not None:
                sockets.append(sock)
                port = sock.getsockname()[1]
                _listen(sock)  # from here on the port is ours; bound alone, another program could still take it
        if not sockets:
            raise BindError("This machine has no loopback address that can be listened on.")
        if len(addresses) == 1:
            _refuse_if_taken(_OTHER_FAMILY.get(addresses[0]), port)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _refuse_if_taken(address: str | None, port: int) -> None:
    """Raise _PortTaken if another program serves the port on `address`."""
    probe = None if address is None else _bound(address, port, optional=True)
    if probe is not None:
        probe.close()


def _bound(address: str, port: int, *, optional: bool) -> socket.socket | None:
    """A bound socket; None where it is optional and this machine has no such address.

    Raises:
        BindError: it cannot be had.
    """
    try:
        return _open(address, port)
    except OSError as error:
        if optional and error.errno in _NO_SUCH_FAMILY:
            return None
        raise _refusal(address, port, error) from None


def _listen(sock: socket.socket) -> None:
    try:
        sock.listen(BACKLOG)
    except OSError as error:
        address, port, *_ = sock.getsockname()
        raise _refusal(address, port, error) from None


def _refusal(address: str, port: int, error: OSError) -> BindError:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        return _PortTaken(f"{where} is in use by another program; choose another port with --port.")
    if error.errno == errno.EACCES:
        return BindError(f"{where} is not open to this user; choose another port with --port.")
    return BindError(f"{where} cannot be listened on: {error.strerror or error}.")


def _open(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # SO_REUSEADDR would share the port
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock
