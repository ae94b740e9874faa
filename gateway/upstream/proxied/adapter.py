"""How requests shows which socket a call waits on: its connections tell as they begin to wait for a status line."""

import threading

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway.upstream.cancellation import Wait


class Waits(threading.local):
    """The wait of this thread, if it has one."""

    current: Wait | None = None

    def begin(self, connection: HTTPConnection) -> None:
        """This thread waits for an answer on `connection` from here on."""
        if self.current is not None:
            self.current.begun()
            self.current.watch(connection.sock)


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
