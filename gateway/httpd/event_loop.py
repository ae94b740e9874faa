"""The loop's sockets: each is registered with the system once, and looked at when something has happened to it.

A loop that asks every connection what it waits for before each wait takes four times as long a request with 500 idle
ones. Here the loop looks at a socket when an event has come for it, or when another thread asks for it (`look_at`).
Not waitress's trigger: it writes to a bare descriptor, which after a close may belong to somebody else.
"""

import selectors
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.httpd.interfaces import SourceLike
from gateway.net.self_pipe import SelfPipe

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


class EventLoop:
    """A selector, and what other threads ask of the thread that waits in it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._pipe = SelfPipe()
        self._selector.register(self._pipe.reader, READ, None)
        self._asked: deque[SourceLike] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._thread = 0

    def look_at(self, source: SourceLike) -> None:
        """Have the loop settle what it watches of a socket. Any thread; a socket that is closed by then is no fault."""
        self._asked.append(source)
        if threading.get_ident() != self._thread:
            self._pipe.wake()

    def call(self, action: Callable[[], None]) -> None:
        """Have the loop run `action`, soon. Any thread."""
        self._calls.append(action)
        self._pipe.wake()

    def watch(self, source: SourceLike, events: int) -> None:
        """Watch these events of a socket, and no others; none at all before it is closed. The loop."""
        before = source.registered
        if events == before:
            return
        source.registered = events
        if not events:
            self._selector.unregister(source.socket)
        elif before:
            self._selector.modify(source.socket, events, source)
        else:
            self._selector.register(source.socket, events, source)

    def run_once(self, seconds: float) -> None:
        """Wait for what is watched, and deliver what has come. The loop.

        Args:
            seconds: the longest wait.
        """
        self._thread = threading.get_ident()
        for key, events in self._selector.select(seconds):
            source: SourceLike | None = key.data
            if source is None:
                self._pipe.hear()
            elif source.registered:  # or it was closed by another one's event
                _deliver(source, events)
        while self._calls:
            self._calls.popleft()()
        while self._asked:
            _deliver(self._asked.popleft(), 0)

    def close(self) -> None:
        """Watch nothing any more."""
        self._selector.close()
        self._pipe.close()


def _deliver(source: SourceLike, events: int) -> None:
    """Do what is to be done for one socket. What that raises ends this one, and none of the others."""
    try:
        if events:
            source.ready(events)
        else:
            source.settle()
    except Exception as error:  # noqa: BLE001 - logged there
        source.failed(error)
