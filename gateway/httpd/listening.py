"""Listening sockets, on this machine's loopback addresses, and on others only where the caller says so.

The promise of the product is kept here: unless `exposed` is said, no other machine can connect. Knows nothing of HTTP;
a server takes the sockets over.
"""

import errno
import ipaddress
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

BACKLOG: Final = 1024
"""Connections that the system holds until they are accepted."""
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


def _localhost() -> list[str]:
    found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def bind(
    host: str, port: int, *, exposed: bool = False, resolve_localhost: Callable[[], list[str]] = _localhost
) -> list[socket.socket]:
    """Sockets that listen; connections wait in them until a server accepts.

    Args:
        host: an address of 127.0.0.0/8, ::1, or localhost, which stands for whichever of the two it resolves to.
        port: 0 picks a free one, the same for every socket.
        exposed: whether `host` may be any address of this machine; 0.0.0.0 is all of IPv4, :: all of IPv6.
        resolve_localhost: the addresses of localhost.

    Raises:
        BindError: no loopback address, or it cannot be had; or a program on the other loopback family has the port, and
            clients that say localhost would reach that one.
    """
    if not 0 <= port <= 65_535:
        raise BindError(f"Port {port} does not exist; choose one from 0 to 65535 with --port.")
    addresses = _addresses(host, resolve_localhost)
    if not exposed:
        _refuse_others(addresses)
    for _ in range(0 if port else PORT_TRIES - 1):
        try:
            return _listen_on(addresses, port)
        except _PortTaken:
            continue  # the free port of one family is taken on the other
    return _listen_on(addresses, port)


def bind_shared(
    host: str, port: int, count: int, *, exposed: bool = False, resolve_localhost: Callable[[], list[str]] = _localhost
) -> list[list[socket.socket]]:
    """Listening sockets for several processes, a list for each, of `bind`'s addresses.

    On Linux each process has sockets of its own (SO_REUSEPORT), among which the system spreads connections. Any process
    of this user could join such a port, so it is probed first: what `bind` refuses is refused. Elsewhere the lists have
    the same sockets, which all processes share: there the system would give every connection to one of several.

    Args:
        host, port, exposed, resolve_localhost: as for `bind`.
        count: of processes.

    Raises:
        BindError: as for `bind`.
    """
    for _ in range(0 if port else PORT_TRIES - 1):
        try:
            return _bind_shared(bind(host, 0, exposed=exposed, resolve_localhost=resolve_localhost), count)
        except _PortTaken:
            continue  # by another program, since the probe has let it go
    return _bind_shared(bind(host, port, exposed=exposed, resolve_localhost=resolve_localhost), count)


def _bind_shared(probe: list[socket.socket], count: int) -> list[list[socket.socket]]:
    if sys.platform != "linux":
        return [probe] * count
    names = [each.getsockname()[:2] for each in probe]
    for each in probe:
        each.close()
    bound: list[list[socket.socket]] = []
    try:
        for _ in range(count):
            bound.append([])
            for address, port in names:
                bound[-1].append(_bound_beside(address, port))
    except BaseException:
        for sock in [each for sockets in bound for each in sockets]:
            sock.close()
        raise
    return bound


def _bound_beside(address: str, port: int) -> socket.socket:
    """A listening socket beside others of ours on the same port. Raises BindError."""
    try:
        sock = _open(address, port, beside=True)
    except OSError as error:
        raise _refusal(address, port, error) from None
    try:
        _listen(sock)
    except BindError:
        sock.close()
        raise
    return sock


def _addresses(host: str, resolve_localhost: Callable[[], list[str]]) -> list[str]:
    if host.lower().rstrip(".") != "localhost":
        addresses = [host[1:-1] if host.startswith("[") and host.endswith("]") else host]
    else:
        try:
            addresses = resolve_localhost()
        except OSError:
            raise BindError("localhost does not resolve on this machine; use 127.0.0.1.") from None
    return addresses


def _refuse_others(addresses: Sequence[str]) -> None:
    """Raise BindError for an address that other machines can reach."""
    for address in addresses:
        if not _is_loopback(address):
            raise BindError(
                f"The gateway listens on this machine only, and {ascii(address)[1:-1]} is not a loopback address; "
                "use 127.0.0.1, ::1 or localhost."
            )


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


def _open(address: str, port: int, *, beside: bool = False) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # SO_REUSEADDR would share the port
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux" and beside:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if ":" in address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock
