"""The sockets of waitress's loop, each registered with the system once instead of asked about before every wait.

waitress's own loop asks every connection what it waits for, each time around: with 500 idle ones a request took four
times as long as with none. Here a connection is looked at when something has happened to it: what it was waiting for,
or whatever a worker says has changed. waitress sees the dict it knows, of dispatchers by descriptor; what is put into
it is watched from then on.
"""

import selectors
import socket
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    _Sockets = dict[int, socket.socket]
else:
    _Sockets = dict

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


class Dispatcher(Protocol):
    """What waitress has for a socket: a connection, a listening socket, the loop's trigger."""

    accepting: bool

    def readable(self) -> bool: ...

    def writable(self) -> bool: ...

    def handle_read_event(self) -> None: ...

    def handle_write_event(self) -> None: ...

    def handle_error(self) -> None: ...


class WatchedSockets(_Sockets):
    """Dispatchers by descriptor; its type says sockets, as waitress's stubs do. Methods belong to the loop's thread
    unless they say otherwise.

    Args:
        listening: descriptors of the listening sockets. Whether they accept depends on how many connections there are,
            so they are looked at before every wait.
    """

    def __init__(self, listening: Iterable[int]) -> None:
        super().__init__()
        self._listening = tuple(listening)
        self._selector = selectors.DefaultSelector()
        self._changed: deque[int] = deque()
        self._watched: dict[int, int] = {}

    def __setitem__(self, descriptor: int, dispatcher: socket.socket) -> None:
        super().__setitem__(descriptor, dispatcher)
        self._changed.append(descriptor)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        self._watch(descriptor, 0)

    def changed(self, descriptor: int) -> None:
        """What this one waits for may have changed; who says so wakes the loop. Any thread."""
        self._changed.append(descriptor)

    def turn(self, seconds: float) -> None:
        """Wait for what is watched, and let each have what came.

        Args:
            seconds: the longest wait.
        """
        while self._changed:
            self._look_at(self._changed.popleft())
        for descriptor in self._listening:
            self._look_at(descriptor)
        for key, events in self._selector.select(seconds):
            dispatcher = self.get(key.fd)
            if dispatcher is None:  # closed by another one's event
                continue
            _deliver(cast(Dispatcher, dispatcher), events)
            self._look_at(key.fd)

    def close(self) -> None:
        """Watch nothing any more."""
        self._selector.close()

    def _look_at(self, descriptor: int) -> None:
        found = self.get(descriptor)
        if found is not None:
            dispatcher = cast(Dispatcher, found)
            events = READ if dispatcher.readable() else 0
            if dispatcher.writable() and not dispatcher.accepting:
                events |= WRITE
            self._watch(descriptor, events)

    def _watch(self, descriptor: int, events: int) -> None:
        watched = self._watched.get(descriptor, 0)
        if events == watched:
            return
        if not events:
            del self._watched[descriptor]
            self._selector.unregister(descriptor)
            return
        self._watched[descriptor] = events
        if watched:
            self._selector.modify(descriptor, events)
        else:
            self._selector.register(descriptor, events)


def _deliver(dispatcher: Dispatcher, events: int) -> None:
    try:
        if events & READ:
            dispatcher.handle_read_event()
        if events & WRITE:
            dispatcher.handle_write_event()
    except Exception:  # noqa: BLE001 - waitress logs it and closes the connection
        dispatcher.handle_error()
