"""The way out of a connection: bytes to a caller who may be slow, take nothing, or leave. It knows no owner.

Each write is sent at once by the thread that writes, and only what the caller does not take is kept, for the loop to
send. Everything here is under `lock`: the owner, the loop and the watchdog that sends heartbeats all write through it,
so their pieces stand one behind the other, each whole. A send that fails sets `broken` and tells the loop. It closes
nothing: the socket is the owner's.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected

from gateway.core.clock import Clock
from gateway.core.no_op import no_op

IN_MEMORY: Final = 1 << 20
"""Untaken bytes that are kept in memory; more go to a temporary file."""
ROLL_OVER: Final = 4 << 20
"""Bytes after which a buffer that is being read gets a successor: its file would only grow."""
HIGH_WATER: Final = 16 << 20
"""Untaken bytes above which a write waits until the caller has taken some."""
PIECE: Final = 1 << 18
"""Bytes that are offered to the system at once by the loop."""
PIECES: Final = 4
"""How many of them the loop offers before it looks after other connections."""


class Output:
    """The way to one caller.

    Attributes:
        lock: is held for every write; a thread that holds it may write too.
        untaken: bytes that wait to be taken.
        broken: whether nothing can be sent any more.
        taken_at: monotonic seconds when the caller last took something.

    Args:
        connection: does not block.
        clock: the time.
        changed: is called when bytes begin to wait and when the connection breaks, for the loop to look.
    """

    def __init__(self, connection: socket.socket, clock: Clock, changed: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self.untaken = 0
        self.broken = False
        self.taken_at = 0.0
        self._connection = connection
        self._clock = clock
        self._changed = changed
        self._has_room = threading.Condition(self.lock)
        self._buffers: deque[OverflowableBuffer] = deque()
        self._appended = 0  # to the last of the buffers

    def write(self, data: bytes) -> None:
        """Send it, as far as it is taken; the loop sends the rest. Any thread. Waits where too much is untaken.

        Raises:
            ClientDisconnected: nobody is there.
        """
        with self.lock:
            while self.untaken > HIGH_WATER:
                self._has_room.wait()
            if self.broken:
                raise ClientDisconnected
            sent = 0 if self.untaken else self._send(data)
            if sent < len(data):
                self._keep(data, sent)

    def flush(self) -> None:
        """Send what waits, as far as it is taken. The loop."""
        with self.lock:
            for _ in range(PIECES):
                if not self._buffers:
                    return
                self._flush_piece(self._buffers[0])

    def drop(self) -> None:
        """Send nothing any more, and wake who waits for room. The loop, which knows."""
        with self.lock:
            self.broken = True
            self.untaken = 0
            while self._buffers:
                with contextlib.suppress(OSError):  # of a disk that is full, what was not yet in the file
                    self._buffers.popleft().close()
            self._has_room.notify_all()

    def close(self) -> None:
        """The socket is closed next. The loop."""
        with self.lock:
            self.drop()
            self._changed = no_op  # the loop is not told any more

    def _send(self, data: bytes) -> int:
        """How many bytes were taken. Raises ClientDisconnected."""
        try:
            sent = self._connection.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._break()
            raise ClientDisconnected from None
        self.taken_at = self._clock.monotonic()
        return sent

    def _keep(self, data: bytes, start: int) -> None:
        try:
            for at in range(start, len(data), IN_MEMORY):  # the memory of a large answer is not taken twice
                self._append(data[at : at + IN_MEMORY])
        except OSError:  # no room on the disk or no descriptor; the caller has a part already
            self._break()
            raise ClientDisconnected from None
        begins = not self.untaken
        self.untaken += len(data) - start
        if begins:
            self._changed()

    def _append(self, data: bytes) -> None:
        # never pruned: OverflowableBuffer drops its file then without closing it
        if not self._buffers or (self._appended > ROLL_OVER and self._appended > len(self._buffers[-1])):
            self._buffers.append(OverflowableBuffer(IN_MEMORY))
            self._appended = 0
        self._buffers[-1].append(data)
        self._appended += len(data)

    def _flush_piece(self, buffer: OverflowableBuffer) -> None:
        try:
            sent = self._send(buffer.get(PIECE))
        except ClientDisconnected:
            return
        except OSError:  # the file cannot be read
            self._break()
            return
        buffer.skip(sent, True)
        self.untaken -= sent
        if not buffer:
            buffer.close()
            self._buffers.popleft()
        if self.untaken <= HIGH_WATER:
            self._has_room.notify_all()

    def _break(self) -> None:
        self.drop()
        self._changed()
