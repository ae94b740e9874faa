"""One thread for all streams that have begun to answer: a second driver of what StreamedBody drives on a thread each.

Once its head and first piece are out, a stream only waits: for the provider, now and then for its caller. So it gives
its thread back, and one thread waits for the sockets of all providers at once. The rules are the stream's drive's
(gateway.streaming.session); here is only who reads when. Nothing on this thread blocks: a caller that takes nothing
has its provider not read, and another candidate, who has to be asked and waited for, is asked on a thread of its own.
Knows sockets, but no server: the way to a caller is an `Outlet`.

How many streams there are at most is the server's limit of connections, each of which carries one.
"""

import logging
import selectors
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.core.clock import Clock
from gateway.net.self_pipe import SelfPipe
from gateway.streaming.idle_timeouts import TICK, IdleTimeouts
from gateway.streaming.relayed_stream import Outlet, RelayedStream
from gateway.streaming.resume_pool import MOST, ResumePool
from gateway.streaming.session import ReadTimeout, StreamSession
from gateway.upstream.byte_stream import Detached

UNTAKEN: Final = 262_144
"""Bytes a caller may leave untaken before its provider is read no more."""
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
        self._silence = IdleTimeouts(clock)
        self._selector = selectors.DefaultSelector()
        self._wakeup = SelfPipe()
        self._selector.register(self._wakeup.reader, selectors.EVENT_READ, None)
        self._lock = threading.Lock()  # over the three below
        self._inbox: deque[Callable[[], None]] = deque()
        self._reserved = 0
        self._closing = False
        self._streams: set[RelayedStream] = set()
        self._paused: set[RelayedStream] = set()
        self._again: set[RelayedStream] = set()
        self._resumptions = ResumePool(self._came_back, most_resumed)
        self._thread = threading.Thread(target=self._run, name="gateway-relay", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Streams that are carried, or about to be."""
        return self._reserved

    def reserve(self) -> bool:
        """Make sure of a place for a stream: exactly one of `add` and `release` has to follow. Any thread.

        Returns:
            False where the relay is closing: the stream stays with its thread.
        """
        with self._lock:
            if self._closing:
                return False
            self._reserved += 1
            return True

    def release(self) -> None:
        """The stream stays with its thread. Any thread."""
        with self._lock:
            self._reserved -= 1
        self._wakeup.wake()  # where it closes it waits for the last one

    def add(self, drive: StreamSession, source: Detached, outlet: Outlet) -> None:
        """Carry a stream, for which a place is reserved, to its end. Any thread, which has no more to do with it."""
        stream = RelayedStream(drive, outlet, source)
        self._post(lambda: self._guarded(stream, self._take_up))

    def close(self) -> None:
        """End every stream, and the thread. Idempotent; not from a thread of the relay."""
        with self._lock:
            self._closing = True
        self._wakeup.wake()
        self._thread.join(STOP_SECONDS)

    # On the relay's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing and self._is_empty()):
            ready = self._selector.select(self._sleep())
            self._silence.tick()
            for key, _ in ready:
                if key.data is None:
                    self._wakeup.hear()
                else:
                    self._guarded(key.data, self._read)
            self._do_what_came()
            self._read_again()
            self._look_at_paused()
            self._look_at_silent()
            if self._closing:
                self._stop()
        self._resumptions.join(STOP_SECONDS)
        self._selector.close()
        self._wakeup.close()

    def _is_empty(self) -> bool:
        with self._lock:
            return not self._reserved

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
            stream.outlet.send(stream.drive.crashed(crash))
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
        self._say(stream, stream.begin(source, self._silence.now))

    def _read(self, stream: RelayedStream) -> None:
        """There is something to read, or there may be."""
        self._say(stream, stream.read(self._silence.now))

    def _read_again(self) -> None:
        again, self._again = self._again, set()
        for stream in again:
            if stream.watched:
                self._guarded(stream, self._read)

    def _say(self, stream: RelayedStream, said: bytes) -> None:
        if said and not stream.outlet.send(said):
            self._end(stream)
        elif not (stream.watched and stream.drive.goes_on) or stream.outlet.untaken > UNTAKEN:
            self._settle(stream)
        if stream.has_more and stream.watched:
            self._again.add(stream)

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
        """The answer is over, but for the rest of the provider's framing."""
        if stream.framing_reads is None:
            stream.finish(self._silence.now)
        if stream.framing_reads:
            self._watch(stream)
        else:
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
                self._reserved -= 1

    def _watch(self, stream: RelayedStream) -> None:
        if not stream.watched and stream.source is not None:
            self._selector.register(stream.source.connection, selectors.EVENT_READ, stream)
            stream.watched = True

    def _unwatch(self, stream: RelayedStream) -> None:
        if stream.watched and stream.source is not None:
            stream.watched = False
            self._selector.unregister(stream.source.connection)

    # Who waits -------------------------------------------------------------------------------------------------------

    def _look_at_silent(self) -> None:
        for stream, read_timeout in self._silence.too_long(self._streams):
            self._guarded(stream, partial(self._give_up_waiting, read_timeout=read_timeout))

    def _give_up_waiting(self, stream: RelayedStream, read_timeout: ReadTimeout) -> None:
        self._say(stream, stream.silent(read_timeout))

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
        stream.resumes_reading(self._silence.now)
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
            stream.outlet.send(stream.drive.stopped())
        self._end(stream)
