"""An HTTPAdapter for requests that makes its calls cancellable.

requests does not show the socket of a call. So the connections below it report when they begin to wait for a status
line, and attach their socket to the pending response of their thread.
"""

import threading

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway.upstream.cancellation import PendingResponse


class ThreadPending(threading.local):
    """The pending response of the current thread, if it has one."""

    current: PendingResponse | None = None

    def begin(self, connection: HTTPConnection) -> None:
        """The request has left, and this thread now waits for the answer on `connection`."""
        if self.current is not None:
            self.current.on_sent()
            self.current.attach(connection.sock)


class CancellableAdapter(HTTPAdapter):
    """An adapter whose connections attach their sockets.

    Args:
        pending: the pending responses of the threads that use it.
        pool_size: connections kept.
    """

    def __init__(self, pending: ThreadPending, pool_size: int) -> None:
        self._pools = _pools(pending)
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: object) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(pending: ThreadPending) -> dict[str, type]:
    class Plain(HTTPConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own override
            pending.begin(self)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own override
            pending.begin(self)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
