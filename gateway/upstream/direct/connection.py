"""One connection to a provider: TCP, with TLS for https, and a time limit for every read and write.

The dialer tries every address of a name. Each socket is registered before connect(), so another thread can cancel the
attempt. What this module raises is the system's OSError; the transport turns it into words for people.
"""

import contextlib
import errno
import socket
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import certifi

from gateway.core.clock import Clock
from gateway.net.descriptors import is_exhausted
from gateway.net.readiness import Readable, readable
from gateway.net.resolver import Resolver, SockAddress
from gateway.net.sockets import shut_down
from gateway.net.tcp import UNACKNOWLEDGED_SECONDS, is_unheard, limit_unacknowledged, tune
from gateway.upstream.byte_stream import READ_SIZE
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import TrustStore

SMALL: Final = 16_384
"""Bytes. A body up to this size is copied behind the head, so that both leave in one system call."""
PIECE: Final = 262_144
"""Bytes offered to the system at once; it takes as many as it has room for."""
TLS_PIECE: Final = 16_384
"""Bytes of a TLS record, which leaves as a whole."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a provider, which all its calls share."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of an absolute address. Raises ValueError: it is no http or https address."""
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("not an http or https address")
        secure = address.scheme == "https"
        return cls(secure, address.hostname, address.port or (443 if secure else 80))

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class Connection:
    """A connected socket.

    Attributes:
        reused: whether it has served a request before.
        spoiled: whether it must not serve again, for example because only a part of a request was sent.
        idle_since: seconds of gateway.core.clock.boot_time since when it has idled in the pool.
    """

    __slots__ = ("_is_patient", "_piece", "_readable", "_secure", "idle_since", "reused", "socket", "spoiled")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.reused = False
        self.spoiled = False
        self.idle_since = 0.0
        self._is_patient = False
        self._secure = isinstance(connected, ssl.SSLSocket)
        self._piece = TLS_PIECE if self._secure else PIECE
        self._readable: Readable | None = None

    def send(self, head: bytes, body: bytes, seconds: float) -> None:
        """Send a request.

        Args:
            head: with the empty line at its end.
            body: may be empty.
            seconds: limit for each piece to be taken.

        Raises:
            OSError: TimeoutError if a piece took longer.
        """
        self._limit(seconds)
        if len(body) <= SMALL:
            self._send(head + body)
            return
        whole = memoryview(body)
        begin = self._send_begin(head, whole[: self._piece])
        for at in range(begin, len(body), self._piece):
            self._send(whole[at : at + self._piece])

    def receive(self, seconds: float) -> bytes:
        """The next bytes, as soon as some have come; b"" at the connection's end. Raises OSError."""
        self._limit(seconds)
        return self.socket.recv(READ_SIZE)

    def is_dead(self) -> bool:
        """Whether an idle connection is of no use: the other side closed it, or sent bytes without a request."""
        try:
            self._readable = self._readable or readable(self.socket)
            return self._readable(0)
        except (OSError, ValueError):  # ValueError: its socket is closed
            return True

    def is_unheard(self) -> bool:
        """Whether the other side has not acknowledged the request, for all that the system tells."""
        return is_unheard(self.socket)

    def be_patient(self) -> None:
        """The other side has the request and thinks about it: one lost keep-alive probe must not end the connection."""
        self._is_patient = True
        limit_unacknowledged(self.socket, 0)

    def kept(self, now: float) -> None:
        """It goes to the pool, at `now`."""
        self.idle_since = now
        self.reused = True
        if self._is_patient:
            self._is_patient = False
            limit_unacknowledged(self.socket, UNACKNOWLEDGED_SECONDS)

    def close(self) -> None:
        """End it, also while another thread reads from it."""
        shut_down(self.socket)
        with contextlib.suppress(OSError):  # a fault of the other side was reported before
            self.socket.close()

    def _limit(self, seconds: float) -> None:
        """Limit the next call on the socket. Mostly it has that limit; to set one is a system call that lets go of the
        interpreter's lock, for which all threads that answer stand in line."""
        if self.socket.gettimeout() != seconds:
            self.socket.settimeout(seconds)

    def _send_begin(self, head: bytes, begin: memoryview) -> int:
        """Send the head together with the first bytes of the body; returns how many of those the system took. So the
        other side, which mostly waits on another core, wakes once instead of twice (40 us of a request of 120 KB)."""
        if sys.platform == "win32" or self._secure:  # neither has sendmsg
            self._send(head)
            return 0
        sent = self.socket.sendmsg((head, begin)) - len(head)
        if sent < 0:
            self._send(head[sent:])
        return max(sent, 0)

    def _send(self, data: bytes | memoryview) -> None:
        # not sendall: its time limit covers all bytes together
        sent = self.socket.send(data)
        while sent < len(data):
            data = memoryview(data)[sent:]
            sent = self.socket.send(data)


class Dialer:
    """Opens connections to one provider. Safe to use from many threads.

    Args:
        origin: the provider's host and port.
        trust: whom TLS trusts.
        clock: measures the limits.
        resolver: looks the host up.
    """

    def __init__(self, origin: Origin, trust: TrustStore, clock: Clock, resolver: Resolver | None = None) -> None:
        self._origin = origin
        self._trust = trust
        self._clock = clock
        self._resolver = resolver or Resolver(clock)
        self._lock = threading.Lock()  # over the context
        self._context: ssl.SSLContext | None = None

    def dial(self, pending: PendingResponse, seconds: float) -> Connection:
        """Connect to the first address that accepts.

        Args:
            pending: the lookup and every socket are attached to it, so that cancelling it ends the attempt.
            seconds: limit for the lookup of the name, and for each address, TLS included.

        Raises:
            OSError: the last address's failure. An ssl.SSLError is raised at once: another address would not mend it.
            UnicodeError: the host is no valid name.
        """
        tls = self._tls() if self._origin.secure else None
        failure = OSError(errno.EADDRNOTAVAIL, "its name has no address")
        host, port = self._origin.host, self._origin.port
        for family, kind, protocol, _, address in self._resolver.addresses(host, port, seconds, pending.attach_lookup):
            if pending.was_cancelled:
                raise ConnectionAbortedError(errno.ECONNABORTED, "the call was cut")
            plain = socket.socket(family, kind, protocol)
            try:
                return Connection(self._connected(plain, address, tls, pending, seconds))
            except ssl.SSLError:
                raise
            except OSError as one:
                failure = one
        raise failure

    def _connected(
        self,
        plain: socket.socket,
        address: SockAddress,
        tls: ssl.SSLContext | None,
        pending: PendingResponse,
        seconds: float,
    ) -> socket.socket:
        until = self._clock.monotonic() + seconds
        used = plain
        try:
            tune(plain)
            pending.attach(plain)
            plain.settimeout(seconds)
            plain.connect(address)
            if tls is not None:
                host = self._origin.host.rstrip(".")
                used = secure = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
                pending.attach(secure)
                secure.settimeout(max(until - self._clock.monotonic(), 0.001))
                secure.do_handshake()
        except BaseException:
            used.close()
            raise
        return used

    def _tls(self) -> ssl.SSLContext:
        """The TLS context, made at the first call: it takes some 15 ms, which would delay the gateway's start."""
        with self._lock:
            if self._context is None:
                self._context = _context(self._trust)
            return self._context


def _context(trust: TrustStore) -> ssl.SSLContext:
    bundle = trust.path or certifi.where()
    try:
        if Path(bundle).is_dir():  # files named by hash, as `openssl rehash` makes them
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle)
    except OSError as fault:
        if is_exhausted(fault):
            raise
        raise OSError(errno.ENOENT, trust.fault or f"{trust} cannot be read") from None
    context.set_alpn_protocols(["http/1.1"])
    return context
