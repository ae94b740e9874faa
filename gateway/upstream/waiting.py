"""Waiting for the head of an answer, in a way that can be ended from another thread.

While requests waits for a status line nobody else holds the socket, and a model may take minutes to its first byte. So
the connection tells which socket it is about to wait on, and whoever wants the call to end shuts that down.
"""

import contextlib
import socket
import threading
from collections.abc import Callable

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class Wait:
    """One wait. From its end on `cut` does nothing, for the socket may be another call's by then.

    Args:
        begun: is called when it begins: the request has left.
    """

    def __init__(self, begun: Callable[[], None]) -> None:
        self._begun = begun
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False
        self._over = False

    def on(self, waited_for: socket.socket | None) -> None:
        """The socket that is waited for."""
        self._begun()
        with self._lock:
            self._socket = waited_for
            if self._cut:
                shut_down(waited_for)

    def over(self) -> None:
        """The head is there, or will never be."""
        with self._lock:
            self._over = True

    def cut(self) -> None:
        """End it from another thread."""
        with self._lock:
            if not self._over:
                self._cut = True
                shut_down(self._socket)


class Waits(threading.local):
    """The wait of this thread, if it has one."""

    current: Wait | None = None

    def begin(self, connection: HTTPConnection) -> None:
        """This thread waits for an answer on `connection` from here on."""
        if self.current is not None:
            self.current.on(connection.sock)


def shut_down(connection: socket.socket | None) -> None:
    """Wake whoever reads from it. Not SSLSocket.shutdown: that takes the TLS object away under a reader."""
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(plain(connection), socket.SHUT_RDWR)


def plain(connection: object) -> socket.socket:
    """The socket of a connection. Inside a proxy's TLS, urllib3 has an object of its own around it (SSLTransport)."""
    found = connection if isinstance(connection, socket.socket) else getattr(connection, "socket", None)
    if not isinstance(found, socket.socket):
        raise TypeError(f"{type(connection).__name__} has no socket")
    return found


class WatchedAdapter(HTTPAdapter):
    """An adapter whose connections report to `waits`.

    Args:
        waits: of the threads that use it.
        pool_size: connections kept.
    """

    def __init__(self, waits: Waits, pool_size: int) -> None:
        self._pools = _pools(waits)
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: object) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(waits: Waits) -> dict[str, type]:
    class Plain(HTTPConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own override
            waits.begin(self)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own override
            waits.begin(self)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
