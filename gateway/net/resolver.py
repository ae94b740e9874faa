"""Looks names up on threads of its own, so that a resolver that hangs holds up no call.

getaddrinfo takes no time limit and cannot be interrupted: with a dead DNS server it returns after 20 s and more. So a
lookup has a thread, and calls wait for it as long as they like. All calls that want the same name wait for the same
lookup, so there is at most one thread a name, however many calls come. A lookup that is abandoned ends by itself, and
its addresses serve the next call. It knows nothing of connections.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from gateway.core.clock import Clock

REMEMBERED_SECONDS: Final = 60.0
"""For so long the last good addresses of a name serve while its resolver does not answer."""
REFRESH_SECONDS: Final = 0.5
"""A resolver that takes longer is not waited for where good addresses are known. Most answer within 50 ms."""

SockAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
Address: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, SockAddress]
"""As getaddrinfo gives it: family, type, protocol, canonical name, socket address."""
Lookup: TypeAlias = Callable[[str, int], Sequence[Address]]


class NotResolved(TimeoutError):
    """The resolver did not answer in time."""


def system_lookup(host: str, port: int) -> Sequence[Address]:
    """The system's addresses for TCP. Raises OSError, or UnicodeError if the host is no valid name."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class _Known:
    """The last good addresses of a name."""

    __slots__ = ("addresses", "at")

    def __init__(self, addresses: Sequence[Address], at: float) -> None:
        self.addresses = addresses
        self.at = at


class _Running:
    """A lookup that has a thread. The resolver's lock guards its outcome."""

    __slots__ = ("addresses", "began", "fault", "is_over")

    def __init__(self, began: float) -> None:
        self.began = began
        self.is_over = False
        self.addresses: Sequence[Address] = ()
        self.fault: OSError | UnicodeError | None = None


class Resolver:
    """Looks names up. Safe to use from many threads.

    Args:
        clock: measures the limits.
        lookup: the system's lookup.
    """

    def __init__(self, clock: Clock, lookup: Lookup = system_lookup) -> None:
        self._clock = clock
        self._lookup = lookup
        self._changed = threading.Condition()  # guards the two below
        self._running: dict[tuple[str, int], _Running] = {}
        self._known: dict[tuple[str, int], _Known] = {}

    def addresses(
        self, host: str, port: int, seconds: float, on_wait: Callable[[Callable[[], None]], None]
    ) -> Sequence[Address]:
        """The addresses of a host.

        Args:
            host: a name or an address; an address needs no lookup.
            port: goes into the addresses.
            seconds: limit for the lookup.
            on_wait: is given a function that ends the wait, for another thread.

        Raises:
            OSError: the name has none; NotResolved if the resolver did not answer in time, and
                ConnectionAbortedError if the wait was ended.
            UnicodeError: the host is no valid name.
        """
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return self._named((host, port), seconds, on_wait)

    def _named(
        self, key: tuple[str, int], seconds: float, on_wait: Callable[[Callable[[], None]], None]
    ) -> Sequence[Address]:
        abandoned = threading.Event()

        def abandon() -> None:
            abandoned.set()
            with self._changed:
                self._changed.notify_all()

        on_wait(abandon)
        with self._changed:
            now = self._clock.monotonic()
            lookup = self._running.get(key) or self._start(key)
            known = self._recent(key)
            until = min(now + seconds, lookup.began + REFRESH_SECONDS) if known else now + seconds
            self._wait(lookup, until, abandoned)
            if abandoned.is_set():
                raise ConnectionAbortedError("the call was cut")
            if known and _hangs(lookup):
                return known
        if not lookup.is_over:
            raise NotResolved("its name was not resolved in time")
        if lookup.fault is not None:
            raise lookup.fault
        return lookup.addresses

    def _wait(self, lookup: _Running, until: float, abandoned: threading.Event) -> None:
        """Under the lock."""
        while not (lookup.is_over or abandoned.is_set()):
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.wait(self._changed, left)

    def _recent(self, key: tuple[str, int]) -> Sequence[Address]:
        """The addresses of a name that serve while its resolver does not answer. Under the lock."""
        known = self._known.get(key)
        return known.addresses if known and self._clock.monotonic() - known.at < REMEMBERED_SECONDS else ()

    def _start(self, key: tuple[str, int]) -> _Running:
        """Under the lock."""
        lookup = self._running[key] = _Running(self._clock.monotonic())
        thread = threading.Thread(target=self._run, args=(key, lookup), name="resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            del self._running[key]
            lookup.is_over = True
            lookup.fault = OSError("its name cannot be resolved: the system has no thread left")
        return lookup

    def _run(self, key: tuple[str, int], lookup: _Running) -> None:
        fault: OSError | UnicodeError | None = None
        addresses: Sequence[Address] = ()
        try:
            addresses = self._lookup(*key)
        except (OSError, UnicodeError) as error:
            fault = error
        with self._changed:
            lookup.is_over, lookup.addresses, lookup.fault = True, addresses, fault
            self._running.pop(key, None)
            if addresses:
                self._known[key] = _Known(addresses, self._clock.monotonic())
            self._changed.notify_all()


def _hangs(lookup: _Running) -> bool:
    """Whether the resolver does not answer now; systems give up on it after a while, with EAI_AGAIN."""
    fault = lookup.fault
    return not lookup.is_over or (isinstance(fault, socket.gaierror) and fault.errno == socket.EAI_AGAIN)
