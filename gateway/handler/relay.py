"""One thread for all streams that have begun to answer: a second driver of what StreamedBody drives on a thread each.

Once its head and first piece are out, a stream only waits: for the provider, now and then for its caller. So it gives
its thread back, and one thread waits for the sockets of all providers at once. The rules are the stream's drive's
(gateway.handler.stream_drive); here is only who reads when. Nothing on this thread blocks: a caller that takes nothing
has its provider not read, and another candidate, who has to be asked and waited for, is asked on a thread of its own.
Knows sockets, but no server: the way to a caller is an `Outlet`.

How many streams there are at most is the server's limit of connections, each of which carries one.
"""

import logging
import selectors
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from gateway.core.clock import Clock
from gateway.core.errors import ProviderFailure
from gateway.handler.response_transformer import StreamedBody
from gateway.handler.stream_drive import Patience, StreamDrive
from gateway.upstream.byte_stream import DRAIN_READS, DRAIN_SECONDS, READ_SIZE, Detached

UNTAKEN: Final = 262_144
"""Bytes a caller may leave untaken before its provider is read no more."""
TICK: Final = 0.05
"""Seconds between two looks at what no socket tells: silence, and an injected clock."""
PAUSED_TICK: Final = 0.01
"""Seconds between two looks at callers that have to take something first."""
MOST_RESUMED: Final = 64
"""Threads for streams that broke; the next one waits for one of them."""
STOP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Outlet(Protocol):
    """The way to one caller, whose head and first piece are out."""

    @property
    def untaken(self) -> int:
        """Bytes that the caller has not taken yet."""

    @property
    def left(self) -> bool:
        """Nobody takes anything any more."""

    def write(self, piece: bytes) -> bool:
        """Send it, without waiting as long as little is untaken; False where the caller has left."""

    def close(self) -> None:
        """Close the drive and end the answer. Once."""


@dataclass(eq=False, slots=True)
class _Stream:
    """One stream; of the relay's thread, but while a thread asks another candidate on its behalf."""

    drive: StreamDrive
    outlet: Outlet
    source: Detached | None
    patience: Patience = Patience(0.0, to_deadline=False)  # noqa: RUF009 - frozen
    due: float = 0.0
    watched: bool = False
    paused: bool = False
    framing_reads: int | None = None
    """Reads that are left to find the end of the framing; None while it answers."""


class Relay:
    """The thread.

    Args:
        clock: for silence and deadlines.
        most_resumed: threads for streams that broke.
    """

    def __init__(self, clock: Clock, most_resumed: int = MOST_RESUMED) -> None:
        self._clock = clock
        self._most_resumed = most_resumed
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()  # a pipe is no socket on Windows
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._lock = threading.Lock()  # over the three below
        self._inbox: deque[Callable[[], None]] = deque()
        self._carried = 0
        self._closing = False
        self._streams: set[_Stream] = set()
        self._paused: set[_Stream] = set()
        self._again: list[_Stream] = []
        self._resuming: set[threading.Thread] = set()
        self._broken: deque[_Stream] = deque()
        self._next_look = 0.0
        self._thread = threading.Thread(target=self._run, name="gateway-relay", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Streams that are carried."""
        return self._carried

    def carry(self, drive: StreamDrive, source: Detached, outlet: Outlet) -> None:
        """Carry a stream to its end. From any thread, which has no more to do with it."""
        stream = _Stream(drive, outlet, source)
        with self._lock:
            refused = self._closing
            if not refused:
                self._carried += 1
                self._inbox.append(lambda: self._guarded(stream, self._take_up))
        if refused:
            outlet.write(drive.stopped())
            outlet.close()
        else:
            self._wake()

    def close(self) -> None:
        """End every stream, and the thread. Idempotent; not from a thread of the relay."""
        with self._lock:
            self._closing = True
        self._wake()
        self._thread.join(STOP_SECONDS)

    # On the relay's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing and self._is_empty()):
            for key, _ in self._selector.select(self._sleep()):
                if key.data is None:
                    self._hear()
                else:
                    self._guarded(key.data, self._read)
            self._do_what_came()
            again, self._again = self._again, []
            for stream in again:
                if stream.watched:
                    self._guarded(stream, self._read)
            self._look_at_paused()
            self._look_at_silent()
            if self._closing:
                self._stop()
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _is_empty(self) -> bool:
        with self._lock:
            return not self._carried

    def _sleep(self) -> float | None:
        if self._again:
            return 0.0
        if self._paused:
            return PAUSED_TICK
        return TICK if self._streams else None

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # full, so it wakes anyway; or closed, so there is nobody to wake

    def _hear(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            return

    def _do_what_came(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _post(self, act: Callable[[], None]) -> None:
        """Have it done by the relay's thread."""
        self._inbox.append(act)
        self._wake()

    def _guarded(self, stream: _Stream, act: Callable[[_Stream], None]) -> None:
        """Do something for one stream. Whatever it raises ends that one, and none of the others."""
        try:
            act(stream)
            return
        except Exception as error:  # noqa: BLE001 - logged there
            said = stream.drive.crashed(error)
        try:
            stream.outlet.write(said)
        finally:
            self._end(stream)

    def _take_up(self, stream: _Stream) -> None:
        """Begin, or go on with another candidate's stream."""
        self._streams.add(stream)
        source = stream.source
        if source is None or stream.drive.over:
            self._settle(stream)
            return
        source.connection.setblocking(False)
        self._renew(stream)
        try:
            said = stream.drive.received(source.early) if source.early else b""
            if not stream.drive.over and not stream.drive.interrupted and source.ended():
                said += stream.drive.received(b"")
        except ProviderFailure as failure:
            said = stream.drive.broke(failure)
        self._say(stream, said)
        if stream.source is source and stream in self._streams and isinstance(source.connection, ssl.SSLSocket):
            self._again.append(stream)  # it may have decrypted more than was read

    def _read(self, stream: _Stream) -> None:
        """There is something to read, or there may be."""
        source = stream.source
        if source is None:
            return
        try:
            data = source.connection.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as fault:
            if stream.framing_reads is not None:
                self._end(stream)
            else:
                self._say(stream, stream.drive.broke(source.broken(fault)))
            return
        if isinstance(source.connection, ssl.SSLSocket):
            self._again.append(stream)
        if stream.framing_reads is None:
            self._say(stream, self._took(stream, source, data))
        else:
            self._read_framing(stream, source, data)

    def _took(self, stream: _Stream, source: Detached, data: bytes) -> bytes:
        """What the caller hears of `data`, as StreamedBody's reads would give it."""
        drive = stream.drive
        said = b""
        try:
            body = source.feed(data)
            if body:
                said = drive.received(body)
                self._renew(stream)
            if not drive.over and not drive.interrupted and (not data or source.ended()):
                said += drive.received(b"")
        except ProviderFailure as failure:
            said += drive.broke(failure)
        return said

    def _say(self, stream: _Stream, said: bytes) -> None:
        if said and not stream.outlet.write(said):
            self._end(stream)
        else:
            self._settle(stream)

    def _settle(self, stream: _Stream) -> None:
        """How it goes on: to its end, with somebody else, later, or as before."""
        if stream.drive.over:
            self._finish(stream)
        elif stream.drive.interrupted:
            self._unwatch(stream)
            self._resume(stream)
        elif stream.outlet.untaken > UNTAKEN:
            self._unwatch(stream)
            stream.paused = True
            self._paused.add(stream)
        else:
            self._watch(stream)

    def _finish(self, stream: _Stream) -> None:
        """The answer is over. The rest of the provider's framing is awaited for a moment, so that its connection can
        serve again (as ByteStream.finish does)."""
        source = stream.source
        try:
            if source is None or not stream.drive.whole or source.ended():
                self._end(stream)
                return
        except ProviderFailure:
            self._end(stream)
            return
        stream.framing_reads = DRAIN_READS
        stream.due = self._clock.monotonic() + DRAIN_SECONDS
        self._next_look = min(self._next_look, stream.due)
        self._watch(stream)

    def _read_framing(self, stream: _Stream, source: Detached, data: bytes) -> None:
        stream.framing_reads = (stream.framing_reads or 0) - 1
        try:
            source.feed(data)
            if data and stream.framing_reads and not source.ended():
                return
        except ProviderFailure:
            pass  # the answer was whole before
        self._end(stream)

    def _end(self, stream: _Stream) -> None:
        if stream not in self._streams:
            return
        self._unwatch(stream)
        self._streams.discard(stream)
        self._paused.discard(stream)
        try:
            stream.outlet.close()
        except Exception:
            logger.exception("a stream could not be closed")
        finally:
            stream.source = None
            with self._lock:
                self._carried -= 1

    def _watch(self, stream: _Stream) -> None:
        if not stream.watched and stream.source is not None:
            self._selector.register(stream.source.connection, selectors.EVENT_READ, stream)
            stream.watched = True

    def _unwatch(self, stream: _Stream) -> None:
        if stream.watched and stream.source is not None:
            stream.watched = False
            self._selector.unregister(stream.source.connection)

    # Time ------------------------------------------------------------------------------------------------------------

    def _renew(self, stream: _Stream) -> None:
        """Its provider has said something: from here on silence counts."""
        stream.patience = stream.drive.patience()
        stream.due = self._clock.monotonic() + stream.patience.seconds
        self._next_look = min(self._next_look, stream.due)

    def _look_at_silent(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        for stream in [each for each in self._streams if each.watched and each.due <= now]:
            self._guarded(stream, self._give_up_waiting)
        self._next_look = min((each.due for each in self._streams if each.watched), default=now)

    def _give_up_waiting(self, stream: _Stream) -> None:
        if stream.framing_reads is None:
            self._say(stream, stream.drive.silent(stream.patience))
        else:
            self._end(stream)

    def _look_at_paused(self) -> None:
        for stream in [*self._paused]:
            if stream.outlet.left:
                self._guarded(stream, self._end)
            elif stream.outlet.untaken <= UNTAKEN or stream.drive.ended:
                self._guarded(stream, self._unpause)

    def _unpause(self, stream: _Stream) -> None:
        self._paused.discard(stream)
        stream.paused = False
        if stream.drive.ended:
            self._say(stream, stream.drive.stopped())
            return
        self._renew(stream)
        self._watch(stream)
        self._read(stream)

    # When it breaks, and when the gateway stops ---------------------------------------------------------------------

    def _resume(self, stream: _Stream) -> None:
        """Have another candidate asked; the stream is that thread's until it comes back."""
        stream.source = None
        if len(self._resuming) >= self._most_resumed:
            self._broken.append(stream)
            return
        thread = threading.Thread(target=self._go_on, args=(stream,), name="gateway-resume", daemon=True)
        self._resuming.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            self._resuming.discard(thread)
            self._say(stream, stream.drive.crashed(error))

    def _go_on(self, stream: _Stream) -> None:
        """On a thread of its own."""
        drive, outlet = stream.drive, stream.outlet
        there = True
        try:
            said = drive.go_on()
            waits = not drive.over and not drive.interrupted
            source = drive.body.detach() if waits else None
            if waits and source is None:  # only a thread can read it
                there = all(outlet.write(piece) for piece in chain([said], StreamedBody(drive, begun=True)) if piece)
            elif said:
                there = outlet.write(said)
            if source is None and drive.whole:
                drive.body.finish()
            stream.source = source
        except Exception as error:  # noqa: BLE001 - logged there
            there = outlet.write(drive.crashed(error))
        me = threading.current_thread()
        self._post(lambda: self._came_back(stream, me, there=there))

    def _came_back(self, stream: _Stream, thread: threading.Thread, *, there: bool) -> None:
        self._resuming.discard(thread)
        self._guarded(stream, self._take_up if there else self._end)
        if self._broken:
            self._guarded(self._broken.popleft(), self._resume)

    def _stop(self) -> None:
        """End what is carried; those that ask another candidate end when they come back."""
        self._do_what_came()
        broken, self._broken = self._broken, deque()
        for stream in [*broken, *(each for each in self._streams if each.watched or each.paused)]:
            self._guarded(stream, self._cut_short)

    def _cut_short(self, stream: _Stream) -> None:
        if not stream.drive.over:
            stream.outlet.write(stream.drive.stopped())
        self._end(stream)
