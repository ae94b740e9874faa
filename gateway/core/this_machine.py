"""What counts as this machine, decided in one place.

It decides what may travel unencrypted, what never goes through a proxy, and which Host names the gateway answers to. So
one answer serves all of these: two that differ would send a key through a proxy in clear text. It asks no resolver: a
name that only happens to point here is another machine's name tomorrow.

Sources: RFC 1122 section 3.2.1.3 (127/8), RFC 4291 section 2.5.3 (::1), RFC 6761 section 6.3 (localhost).
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

LOCAL_NAMES: Final = frozenset({"localhost", "localhost."})
V6_LOOPBACK: Final = IPv6Address("::1")


def is_this_machine(host: str | None) -> bool:
    """Whether a host is this machine: an address of 127/8, ::1, `localhost`, or `localhost.`.

    Args:
        host: a name or an address, as in a URL; an IPv6 address with or without brackets. None is no host.
    """
    if not host:
        return False
    if ":" in host:
        return _is_v6_loopback(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    if host.lower() in LOCAL_NAMES:
        return True
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def reachable_from_here(host: str) -> str:
    """The host at which this machine reaches a server that listens on `host`: 0.0.0.0 and :: are every address, and
    Windows connects to neither."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here


def _is_v6_loopback(text: str) -> bool:
    try:
        return IPv6Address(text) == V6_LOOPBACK
    except AddressValueError:
        return False
