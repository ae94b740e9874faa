"""How TCP is set for connections to providers: what it does when the other side is no longer heard.

A VPN, a router or the sleep of a machine cuts a connection without a word. Bytes that nobody acknowledges then mean a
dead connection after 15 s, where systems wait 15 minutes by themselves. A slow model acknowledges, so it is not cut.
"""

import contextlib
import socket
import struct
import sys
from typing import Final

UNACKNOWLEDGED_SECONDS: Final = 15
"""Seconds after which a connection fails whose bytes nobody acknowledges (RFC 5482)."""
KEEPALIVE_SECONDS: Final = 60
"""Seconds of silence after which the system probes the other side. A model thinks for minutes, and a router that has
forgotten the connection meanwhile does not report it."""
PROBE_SECONDS: Final = 10
PROBES: Final = 3
"""Seconds between two probes, and how many may get no answer."""

_UNACKNOWLEDGED: Final = {
    "linux": ("TCP_USER_TIMEOUT", 18, 1000),  # milliseconds; tcp(7)
    "darwin": ("TCP_RXT_CONNDROPTIME", 0x80, 1),  # seconds; netinet/tcp.h
    "win32": ("TCP_MAXRT", 5, 1),  # seconds; ws2ipdef.h
}
"""By sys.platform: the option, its number where Python has no name for it, and its unit in a second."""
_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", KEEPALIVE_SECONDS),
    ("TCP_KEEPALIVE", KEEPALIVE_SECONDS),  # what macOS calls the first
    ("TCP_KEEPINTVL", PROBE_SECONDS),
    ("TCP_KEEPCNT", PROBES),
)
_UNACKED: Final = struct.Struct("=24xI")
"""tcpi_unacked in Linux's struct tcp_info: segments that were sent and not acknowledged (include/uapi/linux/tcp.h)."""


def tune(connection: socket.socket) -> None:
    """Prepare the socket of a new connection, before it connects."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:  # each system has some of them
        option = getattr(socket, name, None)
        if option is not None:
            _try(connection, option, value)
    limit_unacknowledged(connection, UNACKNOWLEDGED_SECONDS)


def limit_unacknowledged(connection: socket.socket, seconds: int) -> None:
    """Have the connection fail once its bytes stay unacknowledged for so long; 0 for the system's own limit.

    On Linux this limit holds for keep-alive probes, too, and then one lost probe is enough: a limit is for a time when
    bytes are on their way.
    """
    if sys.platform in _UNACKNOWLEDGED:
        name, number, unit = _UNACKNOWLEDGED[sys.platform]
        _try(connection, getattr(socket, name, number), seconds * unit)


def is_unheard(connection: socket.socket) -> bool:
    """Whether the other side has not acknowledged all that was sent to it. False where the system does not tell."""
    if sys.platform != "linux":
        return False
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
        segments: int = _UNACKED.unpack(info)[0]
    except (OSError, struct.error):
        return False
    return segments > 0


def _try(connection: socket.socket, option: int, value: int) -> None:
    with contextlib.suppress(OSError):  # a system may define the name and not support it
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
