"""One thread for all streams that have begun: the second driver, beside StreamedBody with its thread for each.

Once its head and first piece are out, a stream only waits: for its provider, and now and then for its caller. So it
gives its thread back, and one thread waits for the sockets of all providers at once. The rules are the session's
(gateway.streaming.session); the relay decides only which socket is read when. Nothing on its thread blocks: while a
caller takes nothing, its provider is not read; and the pool's threads ask other targets. The relay knows sockets, but
no server: a caller is an `Outlet`.

The server's limit of connections bounds the number of streams, since each connection carries at most one.
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
from gateway.streaming.idle_timeouts import TICK_SECONDS, IdleTimeouts
from gateway.streaming.relayed_stream import Outlet, RelayedStream
from gateway.streaming.resume_pool import MAX_THREADS, ResumePool
from gateway.streaming.session import ReadTimeout, StreamSession
from gateway.upstream.byte_stream import Detached

MAX_UNTAKEN: Final = 262_144
"""Bytes that a caller may leave untaken. Above that its provider is not read."""
PAUSED_TICK_SECONDS: Final = 0.01
"""Between two checks of paused streams."""
STOP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Relay:
    """The thread.

    Args:
        clock: for idle timeouts and deadlines.
        max_resume_threads: threads that ask other targets for streams that broke.
    """

    def __init__(self, clock: Clock, max_resume_threads: int = MAX_THREADS) -> None:
        self._idle = IdleTimeouts(clock)
        self._selector = selectors.DefaultSelector()
        self._self_pipe = SelfPipe()
        self._selector.register(self._self_pipe.reader, selectors.EVENT_READ, None)
        self._lock = threading.Lock()  # over the three below
        self._inbox: deque[Callable[[], None]] = deque()
        self._reserved = 0
        self._closing = False
        self._streams: set[RelayedStream] = set()
        self._paused: set[RelayedStream] = set()
        self._unread: set[RelayedStream] = set()  # those with has_more
        self._resume_pool = ResumePool(self._resumed, max_resume_threads)
        self._thread = threading.Thread(target=self._run, name="gateway-relay", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many streams are carried, or have a place reserved."""
        return self._reserved

    def reserve(self) -> bool:
        """Reserve a place for a stream. Exactly one call of `add` or `release` has to follow. Any thread.

        Returns:
            False where the relay is closing: the stream stays with its thread.
        """
        with self._lock:
            if self._closing:
                return False
            self._reserved += 1
            return True

    def release(self) -> None:
        """Give a reserved place back: the stream stays with its thread. Any thread."""
        with self._lock:
            self._reserved -= 1
        self._self_pipe.wake()  # where it closes it waits for the last one

    def add(self, session: StreamSession, source: Detached, outlet: Outlet) -> None:
        """Carry a stream to its end. Any thread, which must not use the stream after that.

        Args:
            session: the stream, for which a place is reserved.
            source: what is read.
            outlet: where its bytes go.
        """
        stream = RelayedStream(session, outlet, source)
        self._post(lambda: self._guarded(stream, self._start))

    def close(self) -> None:
        """End every stream, and the thread. Idempotent; not from a thread of the relay."""
        with self._lock:
            self._closing = True
        self._self_pipe.wake()
        self._thread.join(STOP_SECONDS)

    # On the relay's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing and self._is_empty()):
            ready = self._selector.select(self._select_timeout())
            self._idle.tick()
            for key, _ in ready:
                if key.data is None:
                    self._self_pipe.hear()
                else:
                    self._guarded(key.data, self._read)
            self._run_inbox()
            self._read_unread()
            self._check_paused()
            self._check_idle()
            if self._closing:
                self._stop()
        self._resume_pool.join(STOP_SECONDS)
        self._selector.close()
        self._self_pipe.close()

    def _is_empty(self) -> bool:
        with self._lock:
            return not self._reserved

    def _select_timeout(self) -> float | None:
        if self._unread:
            return 0.0
        if self._paused:
            return PAUSED_TICK_SECONDS
        return TICK_SECONDS if self._streams else None

    def _run_inbox(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _post(self, action: Callable[[], None]) -> None:
        """Have the relay's thread run it. Any thread."""
        self._inbox.append(action)
        self._self_pipe.wake()

    def _guarded(self, stream: RelayedStream, action: Callable[[RelayedStream], None]) -> None:
        """Run an action for one stream. An exception ends that stream, and none of the others."""
        try:
            action(stream)
            return
        except Exception as error:  # noqa: BLE001 - logged there
            crash = error
        try:
            stream.outlet.send(stream.session.crashed(crash))
        except Exception:
            logger.exception("a caller could not be told that its stream failed")
        self._end(stream)

    def _start(self, stream: RelayedStream) -> None:
        """Begin with a stream, or continue it with another target's source."""
        self._streams.add(stream)
        source = stream.source
        if source is None or stream.session.over:
            self._advance(stream)
            return
        self._send(stream, stream.begin(source, self._idle.now))

    def _read(self, stream: RelayedStream) -> None:
        """The socket has something to read, or may have."""
        self._send(stream, stream.read(self._idle.now))

    def _read_unread(self) -> None:
        unread, self._unread = self._unread, set()
        for stream in unread:
            if stream.watched:
                self._guarded(stream, self._read)

    def _send(self, stream: RelayedStream, out: bytes) -> None:
        if out and not stream.outlet.send(out):
            self._end(stream)
        elif not (stream.watched and stream.session.expects_data) or stream.outlet.untaken > MAX_UNTAKEN:
            self._advance(stream)
        if stream.has_more and stream.watched:
            self._unread.add(stream)

    def _advance(self, stream: RelayedStream) -> None:
        """Finish the stream, have another target resume it, pause it, or read on."""
        if stream.session.over:
            self._finish(stream)
        elif stream.session.interrupted:
            self._unwatch(stream)
            self._resume(stream)
        elif stream.outlet.untaken > MAX_UNTAKEN:
            self._unwatch(stream)
            stream.paused = True
            self._paused.add(stream)
        else:
            self._watch(stream)

    def _finish(self, stream: RelayedStream) -> None:
        """The answer is over; the rest of the provider's framing may still come."""
        if stream.framing_reads is None:
            stream.finish(self._idle.now)
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

    # Idle providers and paused streams -------------------------------------------------------------------------------

    def _check_idle(self) -> None:
        for stream, read_timeout in self._idle.expired(self._streams):
            self._guarded(stream, partial(self._time_out, read_timeout=read_timeout))
        for stream in self._idle.quiet(self._streams):
            stream.session.send_heartbeat(stream.outlet.heartbeat, relayed=True)

    def _time_out(self, stream: RelayedStream, read_timeout: ReadTimeout) -> None:
        self._send(stream, stream.timed_out(read_timeout))

    def _check_paused(self) -> None:
        for stream in [*self._paused]:
            if stream.outlet.left:
                self._guarded(stream, self._end)
            elif stream.outlet.untaken <= MAX_UNTAKEN or stream.session.call_ended:
                self._guarded(stream, self._unpause)

    def _unpause(self, stream: RelayedStream) -> None:
        self._paused.discard(stream)
        stream.paused = False
        if stream.session.call_ended:
            self._send(stream, stream.session.stopped())
            return
        stream.restart_timeout(self._idle.now)
        self._watch(stream)
        self._read(stream)

    # Streams that broke, and the stop of the gateway -----------------------------------------------------------------

    def _resume(self, stream: RelayedStream) -> None:
        self._resume_pool.submit(stream)

    def _resumed(self, stream: RelayedStream, connected: bool) -> None:
        """Called on the thread that asked."""
        self._post(lambda: self._take_back(stream, self._start if connected else self._end))

    def _take_back(self, stream: RelayedStream, action: Callable[[RelayedStream], None]) -> None:
        self._guarded(stream, action)
        waiting = self._resume_pool.thread_done()
        if waiting is not None:
            self._guarded(waiting, self._resume)

    def _stop(self) -> None:
        """End the streams. Those for which another target is being asked end when its thread is done."""
        self._run_inbox()
        waiting = self._resume_pool.clear_waiting()
        for stream in [*waiting, *(each for each in self._streams if each.watched or each.paused)]:
            self._guarded(stream, self._stop_stream)

    def _stop_stream(self, stream: RelayedStream) -> None:
        if not stream.session.over:
            stream.outlet.send(stream.session.stopped())
        self._end(stream)
