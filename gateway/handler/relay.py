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
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import ProviderFailure
from gateway.handler.relayed_stream import Outlet, RelayedStream
from gateway.handler.resumptions import MOST, Resumptions
from gateway.handler.stream_drive import StreamDrive
from gateway.handler.wakeup import Wakeup
from gateway.upstream.byte_stream import DRAIN_READS, DRAIN_SECONDS, READ_SIZE, Detached

UNTAKEN: Final = 262_144
"""Bytes a caller may leave untaken before its provider is read no more."""
TICK: Final = 0.05
"""Seconds between two looks at what no socket tells: silence, and an injected clock."""
PAUSED_TICK: Final = 0.01
"""Seconds between two looks at callers that have to take something first."""
STOP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Relay:
    """The thread.

    Args:
        clock: for silence and deadlines.
        most_resumed: threads for streams that broke.
    """

    def __init__(self, clock: Clock, most_resumed: int = MOST) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._wakeup = Wakeup()
        self._selector.register(self._wakeup.reader, selectors.EVENT_READ, None)
        self._lock = threading.Lock()  # over the three below
        self._inbox: deque[Callable[[], None]] = deque()
        self._carried = 0
        self._closing = False
        self._streams: set[RelayedStream] = set()
        self._paused: set[RelayedStream] = set()
        self._again: set[RelayedStream] = set()
        self._resumptions = Resumptions(self._came_back, most_resumed)
        self._next_look = 0.0
        self._thread = threading.Thread(target=self._run, name="gateway-relay", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Streams that are carried."""
        return self._carried

    def carry(self, drive: StreamDrive, source: Detached, outlet: Outlet) -> None:
        """Carry a stream to its end. From any thread, which has no more to do with it."""
        stream = RelayedStream(drive, outlet, source)
        with self._lock:
            refused = self._closing
            if not refused:
                self._carried += 1
                self._inbox.append(lambda: self._guarded(stream, self._take_up))
        if refused:
            outlet.write(drive.stopped())
            outlet.close()
        else:
            self._wakeup.wake()

    def close(self) -> None:
        """End every stream, and the thread. Idempotent; not from a thread of the relay."""
        with self._lock:
            self._closing = True
        self._wakeup.wake()
        self._thread.join(STOP_SECONDS)

    # On the relay's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing and self._is_empty()):
            for key, _ in self._selector.select(self._sleep()):
                if key.data is None:
                    self._wakeup.hear()
                else:
                    self._guarded(key.data, self._read)
            self._do_what_came()
            again, self._again = self._again, set()
            for stream in again:
                if stream.watched:
                    self._guarded(stream, self._read)
            self._look_at_paused()
            self._look_at_silent()
            if self._closing:
                self._stop()
        self._resumptions.join(STOP_SECONDS)
        self._selector.close()
        self._wakeup.close()

    def _is_empty(self) -> bool:
        with self._lock:
            return not self._carried

    def _sleep(self) -> float | None:
        if self._again:
            return 0.0
        if self._paused:
            return PAUSED_TICK
        return TICK if self._streams else None

    def _do_what_came(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _post(self, act: Callable[[], None]) -> None:
        """Have it done by the relay's thread."""
        self._inbox.append(act)
        self._wakeup.wake()

    def _guarded(self, stream: RelayedStream, act: Callable[[RelayedStream], None]) -> None:
        """Do something for one stream. Whatever it raises ends that one, and none of the others."""
        try:
            act(stream)
            return
        except Exception as error:  # noqa: BLE001 - logged there
            crash = error
        try:
            stream.outlet.write(stream.drive.crashed(crash))
        except Exception:
            logger.exception("a caller could not be told that its stream failed")
        self._end(stream)

    def _take_up(self, stream: RelayedStream) -> None:
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
            self._again.add(stream)  # it may have decrypted more than was read

    def _read(self, stream: RelayedStream) -> None:
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
            self._again.add(stream)
        if stream.framing_reads is None:
            self._say(stream, self._took(stream, source, data))
        else:
            self._read_framing(stream, source, data)

    def _took(self, stream: RelayedStream, source: Detached, data: bytes) -> bytes:
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

    def _say(self, stream: RelayedStream, said: bytes) -> None:
        if said and not stream.outlet.write(said):
            self._end(stream)
        else:
            self._settle(stream)

    def _settle(self, stream: RelayedStream) -> None:
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

    def _finish(self, stream: RelayedStream) -> None:
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

    def _read_framing(self, stream: RelayedStream, source: Detached, data: bytes) -> None:
        stream.framing_reads = (stream.framing_reads or 0) - 1
        try:
            source.feed(data)
            if data and stream.framing_reads and not source.ended():
                return
        except ProviderFailure:
            pass  # the answer was whole before
        self._end(stream)

    def _end(self, stream: RelayedStream) -> None:
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

    def _watch(self, stream: RelayedStream) -> None:
        if not stream.watched and stream.source is not None:
            self._selector.register(stream.source.connection, selectors.EVENT_READ, stream)
            stream.watched = True

    def _unwatch(self, stream: RelayedStream) -> None:
        if stream.watched and stream.source is not None:
            stream.watched = False
            self._selector.unregister(stream.source.connection)

    # Time ------------------------------------------------------------------------------------------------------------

    def _renew(self, stream: RelayedStream) -> None:
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

    def _give_up_waiting(self, stream: RelayedStream) -> None:
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

    def _unpause(self, stream: RelayedStream) -> None:
        self._paused.discard(stream)
        stream.paused = False
        if stream.drive.ended:
            self._say(stream, stream.drive.stopped())
            return
        self._renew(stream)
        self._watch(stream)
        self._read(stream)

    # When it breaks, and when the gateway stops ---------------------------------------------------------------------

    def _resume(self, stream: RelayedStream) -> None:
        self._resumptions.ask(stream)

    def _came_back(self, stream: RelayedStream, there: bool) -> None:
        """On the thread that asked."""
        self._post(lambda: self._go_on(stream, self._take_up if there else self._end))

    def _go_on(self, stream: RelayedStream, act: Callable[[RelayedStream], None]) -> None:
        self._guarded(stream, act)
        waiting = self._resumptions.one_came_back()
        if waiting is not None:
            self._guarded(waiting, self._resume)

    def _stop(self) -> None:
        """End what is carried; those that ask another candidate end when they come back."""
        self._do_what_came()
        for stream in [*self._resumptions.forget(), *(each for each in self._streams if each.watched or each.paused)]:
            self._guarded(stream, self._cut_short)

    def _cut_short(self, stream: RelayedStream) -> None:
        if not stream.drive.over:
            stream.outlet.write(stream.drive.stopped())
        self._end(stream)
