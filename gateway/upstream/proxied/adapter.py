"""An HTTPAdapter for requests whose calls have the limits of direct ones.

requests does not show the socket of a call, resolves names without a limit, and takes any idle connection. So the
connections below it look at the call of their thread (`ProxiedCall`): they attach their sockets to it, resolve and read
within its limits, and a kept connection serves it only where that may be.
"""

import errno
import socket
import ssl
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gateway.core.clock import Clock, boot_time
from gateway.core.no_op import no_op
from gateway.net.resolver import NotResolved, Resolver
from gateway.net.sockets import plain
from gateway.net.tcp import UNACKNOWLEDGED_SECONDS, limit_unacknowledged, tune
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.proxied.timed_response import ReadLimit, timed_response
from gateway.upstream.transport import EARLY_ANSWER_SECONDS, GONE, IDLE_SECONDS

if TYPE_CHECKING:
    from typing import TypeAlias

    from _typeshed import ReadableBuffer, SupportsRead
    from urllib3._base_connection import BaseHTTPConnection

    Sendable: TypeAlias = SupportsRead[bytes] | Iterable[ReadableBuffer] | ReadableBuffer | str

DEFAULT_SECONDS: Final = 30.0
"""For connecting, where a request gives no limit."""


class ProxiedCall:
    """One request, as the connection sees it that serves it.

    Attributes:
        reused: whether the connection has served before.
        seconds: as below.
        stuck: the other side took no more of the request.
        unresolved: the resolver did not answer in time.

    Args:
        pending: shows what the thread waits for.
        limit: the limit of what it reads.
        resolver: looks the proxy up.
        seconds: for connecting, and for the head of the answer.
        fresh: whether no kept connection may serve it.
    """

    def __init__(
        self,
        pending: PendingResponse,
        limit: ReadLimit,
        resolver: Resolver,
        seconds: tuple[float, float],
        *,
        fresh: bool,
    ) -> None:
        self.pending = pending
        self.limit = limit
        self.fresh = fresh
        self.reused = False
        self.stuck = False
        self.unresolved = False
        self.seconds = seconds
        self._resolver = resolver
        self._connect_seconds, self._head_seconds = seconds

    def was_lost(self, *, silent: bool) -> bool:
        """Whether it failed because a kept connection was no good any more.

        Args:
            silent: it failed because nothing came in time. Only if the request was not taken either, is that so.
        """
        began = self.limit.has_begun or (silent and not self.stuck)
        return self.reused and not began and not self.pending.was_cancelled

    def dial(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that accepts. Raises OSError, or UnicodeError if the host is no valid name."""
        self.limit.begin(self._connect_seconds)
        failure = OSError(errno.EADDRNOTAVAIL, "its name has no address")
        try:
            addresses = self._resolver.addresses(host, port, self._connect_seconds, self.pending.attach_lookup)
        except NotResolved:
            self.unresolved = True
            raise
        for family, kind, protocol, _, address in addresses:
            if self.pending.was_cancelled:
                raise ConnectionAbortedError(errno.ECONNABORTED, "the call was cut")
            connection = socket.socket(family, kind, protocol)
            try:
                tune(connection)
                self.pending.attach(connection)
                connection.settimeout(self._connect_seconds)
                connection.connect(address)
            except OSError as fault:
                connection.close()
                failure = fault
            else:
                return connection
        raise failure

    def begin_answer(self, connection: socket.socket | None) -> None:
        """The request has left, or as much of it as the other side took."""
        self.pending.sent()
        self.pending.attach(connection)
        seconds = min(self._head_seconds, EARLY_ANSWER_SECONDS) if self.stuck else self._head_seconds
        self.limit.begin(seconds, patience=self._connect_seconds, replaceable=self.reused)


class ThreadCall(threading.local):
    """The call of the current thread, if it makes one.

    Args:
        resolver: looks names up, also for requests that are no calls.
        clock: measures limits.
    """

    current: ProxiedCall | None = None

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self.resolver = resolver
        self.clock = clock

    def unwatched(self, seconds: float) -> ProxiedCall:
        """For a request that is no call, such as one of a login: nobody cancels it.

        Args:
            seconds: for connecting.
        """
        pending = PendingResponse(no_op)
        return ProxiedCall(pending, ReadLimit(self.clock), self.resolver, (seconds, seconds), fresh=True)

    def limit(self) -> ReadLimit | None:
        return self.current.limit if self.current is not None else None


class CancellableAdapter(HTTPAdapter):
    """An adapter whose connections look at the call of their thread.

    Args:
        calls: the calls of the threads that use it.
        pool_size: connections kept.
    """

    def __init__(self, calls: ThreadCall, pool_size: int) -> None:
        self._pools = _pools(calls)
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: object) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Connection(HTTPConnection):
    """A connection that knows how often it has served, and since when it idles."""

    calls: ClassVar[ThreadCall]
    _served = 0
    _idle_since = 0.0
    _spoiled = False
    _is_patient = False

    @property
    def is_connected(self) -> bool:
        call = self.calls.current
        if call is None or call.fresh or boot_time() - self._idle_since >= IDLE_SECONDS:
            return False
        return super().is_connected

    def send(self, data: "Sendable") -> None:
        call = self.calls.current
        if call is None or self.sock is None:
            super().send(data)
            return
        call.reused = self._served > 0
        if call.stuck:
            return
        try:
            super().send(data)
        except OSError as fault:
            self._spoiled = True
            if isinstance(fault, TimeoutError):
                call.stuck = True
            elif fault.errno not in GONE and not isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own override
        call = self.calls.current
        if call is not None:
            call.begin_answer(self.sock)
        self._served += 1
        response = super().getresponse()
        self._is_patient = call is not None and call.limit.is_patient
        return response

    def close(self) -> None:
        super().close()
        self._served = 0
        self._spoiled = self._is_patient = False

    def kept(self) -> None:
        """It goes to the pool."""
        self._idle_since = boot_time()
        if self._spoiled:
            self.close()
        elif self._is_patient and self.sock is not None:
            self._is_patient = False
            limit_unacknowledged(plain(self.sock), UNACKNOWLEDGED_SECONDS)

    def _new_conn(self) -> socket.socket:
        call = self.calls.current or self.calls.unwatched(self.timeout or DEFAULT_SECONDS)
        try:
            return call.dial(self._dns_host.strip("[]"), self.port)
        except socket.gaierror as fault:
            raise NameResolutionError(self.host, self, fault) from fault
        except TimeoutError as fault:
            raise ConnectTimeoutError(self, "timed out") from fault
        except (OSError, UnicodeError) as fault:
            raise NewConnectionError(self, "failed") from fault


class _Pool(HTTPConnectionPool):
    """A pool that tells a connection when it is kept."""

    def _put_conn(self, conn: "BaseHTTPConnection | None") -> None:
        if isinstance(conn, _Connection) and not conn.is_closed:
            conn.kept()
        super()._put_conn(conn)


def _pools(calls: ThreadCall) -> dict[str, type]:
    class Plain(_Connection):
        response_class = timed_response(calls.limit)

    class Secure(_Connection, HTTPSConnection):
        response_class = timed_response(calls.limit)

    class PlainPool(_Pool):
        ConnectionCls = Plain

    class SecurePool(_Pool, HTTPSConnectionPool):
        ConnectionCls = Secure

    Plain.calls = Secure.calls = calls
    return {"http": PlainPool, "https": SecurePool}
