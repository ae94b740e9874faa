"""Threads that ask another target to resume a relayed stream that broke.

Asking takes as long as a provider does, so the relay's thread must not wait for it.
"""

import threading
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Final

from gateway.streaming.body import StreamedBody
from gateway.streaming.relayed_stream import RelayedStream

MAX_THREADS: Final = 64
"""At once; further streams wait for one of them."""


class ResumePool:
    """The threads. Only the relay's thread calls the methods.

    Args:
        on_done: called with the stream and with whether its caller is still connected, on the thread that asked. The
            stream's `source` is the new target's, or None where nothing is left to be read. `thread_done` has to
            follow, on the relay's thread.
        max_threads: at once.
    """

    def __init__(self, on_done: Callable[[RelayedStream, bool], None], max_threads: int = MAX_THREADS) -> None:
        self._on_done = on_done
        self._max_threads = max_threads
        self._busy = 0
        self._threads: set[threading.Thread] = set()
        self._waiting: deque[RelayedStream] = deque()

    def submit(self, stream: RelayedStream) -> None:
        """Have another target asked. The stream belongs to that thread until `on_done` is called.

        Raises:
            RuntimeError: the system has no more threads.
        """
        stream.source = None
        self._threads = {each for each in self._threads if each.is_alive()}
        if self._busy >= self._max_threads:
            self._waiting.append(stream)
            return
        thread = threading.Thread(target=self._run, args=(stream,), name="gateway-resume", daemon=True)
        thread.start()
        self._threads.add(thread)
        self._busy += 1

    def thread_done(self) -> RelayedStream | None:
        """A thread is free again. Returns the stream to submit next, if one waits."""
        self._busy -= 1
        return self._waiting.popleft() if self._waiting else None

    def clear_waiting(self) -> list[RelayedStream]:
        """Remove the streams that wait for a thread, and return them."""
        waiting, self._waiting = [*self._waiting], deque()
        return waiting

    def join(self, seconds: float) -> None:
        """Wait for the threads, each of which has called `on_done`. `seconds`: at most, for each."""
        for thread in self._threads:
            thread.join(seconds)

    def _run(self, stream: RelayedStream) -> None:
        try:
            connected = self._resume(stream)
        except Exception as error:  # noqa: BLE001 - logged there
            stream.session.hold()
            connected = stream.outlet.send(stream.session.crashed(error))
        finally:
            stream.session.let_go()
        self._on_done(stream, connected)

    def _resume(self, stream: RelayedStream) -> bool:
        """Ask another target. Returns whether the caller is still connected."""
        session, outlet = stream.session, stream.outlet
        out = session.resume()
        stream.source = None if session.over or session.interrupted else session.body.detach()
        if stream.source is not None or session.interrupted:
            return not out or outlet.send(out)
        # over already, or only a thread can read it
        connected = all(outlet.send(piece) for piece in chain([out], StreamedBody(session, begun=True)) if piece)
        if session.reusable:
            session.body.finish()
        return connected
