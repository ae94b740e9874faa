"""How another thread cancels a call that connects, or waits for the head of its answer.

A model may take minutes to its first byte, and a thread that waits for it cannot look at anything else. So the thread
attaches its socket to a PendingResponse. Cancelling that shuts the socket down, which wakes the thread. Nothing here
knows HTTP, or why a call is cancelled.
"""

import socket
import threading
from collections.abc import Callable

from gateway.net.sockets import shut_down


class PendingResponse:
    """A response whose head has not come yet. Safe to use from any thread.

    After `finish`, `cancel` does nothing: the socket may serve another call by then.

    Args:
        on_sent: is called when the request has left.
    """

    def __init__(self, on_sent: Callable[[], None]) -> None:
        self._on_sent = on_sent
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._abandon: Callable[[], None] | None = None
        self._was_sent = False
        self._cancelled = False
        self._finished = False

    def sent(self) -> None:
        """The request has left. It counts once, even if it leaves again on another connection."""
        if not self._was_sent:
            self._was_sent = True
            self._on_sent()

    def attach_lookup(self, abandon: Callable[[], None]) -> None:
        """The call waits for the addresses of a name. `abandon` ends that, now if the call was cancelled before."""
        with self._lock:
            self._abandon = abandon
            cancelled = self._cancelled
        if cancelled:
            abandon()

    def attach(self, used: socket.socket | None) -> None:
        """The call uses this socket from here on. Shuts it down at once if the call was cancelled before."""
        with self._lock:
            self._socket = used
            if self._cancelled:
                shut_down(used)

    @property
    def was_cancelled(self) -> bool:
        return self._cancelled

    def finish(self) -> None:
        """The head is there, or will never be."""
        with self._lock:
            self._finished = True

    def cancel(self) -> None:
        """End the wait, from another thread."""
        with self._lock:
            if not self._finished:
                self._cancelled = True
                shut_down(self._socket)
            abandon = self._abandon
        if abandon is not None:
            abandon()
