"""One connection to a provider: TCP, TLS where the address says so, bytes out and in with a time limit each.

Every address of a name is tried, and none of it hides: whoever dials shows each socket before it is waited on, so that
the call can be cut while it connects. What is raised is the system's OSError; the words for people are made above.
"""

import contextlib
import errno
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import certifi

from gateway.core.clock import Clock
from gateway.net.readiness import Readable, readable
from gateway.net.sockets import shut_down
from gateway.upstream.byte_stream import READ_SIZE
from gateway.upstream.cancellation import Wait
from gateway.upstream.certificates import ca_bundle

SMALL: Final = 16_384
"""Bytes of a body that are worth copying behind the head, to leave in one system call with it."""
PIECE: Final = 262_144
"""Bytes offered to the system at once; it takes what it has room for."""
TLS_PIECE: Final = 16_384
"""A TLS record, which leaves as a whole."""
KEEPALIVE_SECONDS: Final = 60
"""Of silence, until the system asks whether the other side is still there: a model thinks for minutes, and a router
that has forgotten the connection meanwhile tells nobody."""

_Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider is: what the addresses of its calls have in common."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of an absolute http or https address. Raises ValueError: it is none."""
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("not an http or https address")
        secure = address.scheme == "https"
        return cls(secure, address.hostname, address.port or (443 if secure else 80))

    @property
    def authority(self) -> str:
        """What the field Host says (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class Connection:
    """A connected socket.

    Attributes:
        reused: whether it has served before.
        spoiled: whether it cannot serve again, whatever comes: a request left it only in part.
        idle_since: monotonic seconds, while it waits to serve again.
    """

    __slots__ = ("_piece", "_readable", "_secure", "idle_since", "reused", "socket", "spoiled")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.reused = False
        self.spoiled = False
        self.idle_since = 0.0
        self._secure = isinstance(connected, ssl.SSLSocket)
        self._piece = TLS_PIECE if self._secure else PIECE
        self._readable: Readable | None = None

    def send(self, head: bytes, body: bytes, seconds: float) -> None:
        """Send a request. Raises OSError; TimeoutError where for so many seconds nothing more was taken of it."""
        self.socket.settimeout(seconds)
        if len(body) <= SMALL:
            self._send(head + body)
            return
        whole = memoryview(body)
        begun = self._send_begin(head, whole[: self._piece])
        for at in range(begun, len(body), self._piece):
            self._send(whole[at : at + self._piece])

    def receive(self, seconds: float) -> bytes:
        """What has come, as soon as something has; b"" at the connection's end. Raises OSError."""
        self.socket.settimeout(seconds)
        return self.socket.recv(READ_SIZE)

    def is_dead(self) -> bool:
        """Whether one that idles is of no use: closed by the other side, or it says what nobody has asked for."""
        try:
            self._readable = self._readable or readable(self.socket)
            return self._readable(0)
        except (OSError, ValueError):  # ValueError: its socket is closed
            return True

    def close(self) -> None:
        """End it, also under a thread that reads from it."""
        shut_down(self.socket)
        with contextlib.suppress(OSError):  # what was wrong with the other side is known by now
            self.socket.close()

    def _send_begin(self, head: bytes, begin: memoryview) -> int:
        """Send the head, and with it what the system takes of the body: how much that was. The other side, which
        mostly waits on another core, is so woken once instead of twice (40 us of a request of 120 KB)."""
        if sys.platform == "win32" or self._secure:  # neither has sendmsg
            self._send(head)
            return 0
        sent = self.socket.sendmsg((head, begin)) - len(head)
        if sent < 0:
            self._send(head[sent:])
        return max(sent, 0)

    def _send(self, data: bytes | memoryview) -> None:
        # not sendall, whose time limit is one for all that it sends
        sent = self.socket.send(data)
        while sent < len(data):
            data = memoryview(data)[sent:]
            sent = self.socket.send(data)


class Dialer:
    """Makes the connections to one provider.

    Args:
        origin: where to.
        environ: where CA_BUNDLES are read.
        clock: measures the limits.
    """

    def __init__(self, origin: Origin, environ: Mapping[str, str], clock: Clock) -> None:
        self._origin = origin
        self._bundle = ca_bundle(environ) or certifi.where()
        self._clock = clock
        self._lock = threading.Lock()  # over the context
        self._context: ssl.SSLContext | None = None

    def dial(self, wait: Wait, seconds: float) -> Connection:
        """Connect to the first address that takes it.

        Args:
            wait: is shown every socket, and ends it when it is cut.
            seconds: limit for each address, TLS included.

        Raises:
            OSError: the last address's failure; ssl.SSLError, which no other address would mend.
            UnicodeError: the host is no name.
        """
        tls = self._tls() if self._origin.secure else None
        failure = OSError(errno.EADDRNOTAVAIL, "its name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._origin.host, self._origin.port, type=socket.SOCK_STREAM
        ):
            if wait.was_cut:
                raise ConnectionAbortedError(errno.ECONNABORTED, "the call was cut")
            plain = socket.socket(family, kind, protocol)
            try:
                return Connection(self._connected(plain, address, tls, wait, seconds))
            except ssl.SSLError:
                raise
            except OSError as one:
                failure = one
        raise failure

    def _connected(
        self, plain: socket.socket, address: _Address, tls: ssl.SSLContext | None, wait: Wait, seconds: float
    ) -> socket.socket:
        until = self._clock.monotonic() + seconds
        used = plain
        try:
            _tune(plain)
            wait.watch(plain)
            plain.settimeout(seconds)
            plain.connect(address)
            if tls is not None:
                host = self._origin.host.rstrip(".")
                used = secure = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
                wait.watch(secure)
                secure.settimeout(max(until - self._clock.monotonic(), 0.001))
                secure.do_handshake()
        except BaseException:
            used.close()
            raise
        return used

    def _tls(self) -> ssl.SSLContext:
        """Made once, when it is needed: it takes some 15 ms, which the start of the gateway need not wait for."""
        with self._lock:
            if self._context is None:
                self._context = _context(self._bundle)
            return self._context


def _context(bundle: str) -> ssl.SSLContext:
    try:
        if Path(bundle).is_dir():  # of files named by hash, as `openssl rehash` makes it
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle)
    except OSError:
        raise OSError(errno.ENOENT, "its CA bundle cannot be read") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tune(plain: socket.socket) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):  # each system knows some of them
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):  # or has the name and not the thing
                plain.setsockopt(socket.IPPROTO_TCP, option, KEEPALIVE_SECONDS)
