"""Other candidates for relayed streams that broke, asked on threads: that takes as long as a provider does."""

import threading
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Final

from gateway.streaming.body import StreamedBody
from gateway.streaming.relayed_stream import RelayedStream

MOST: Final = 64
"""Threads; the next stream waits for one of them."""


class ResumePool:
    """The threads. Its methods are called by the relay's.

    Args:
        came_back: is called with the stream, on the thread that asked: `source` is the candidate's, None where nothing
            is left to be read; and with whether the caller is still there. `one_came_back` has to follow.
        most: threads at once.
    """

    def __init__(self, came_back: Callable[[RelayedStream, bool], None], most: int = MOST) -> None:
        self._came_back = came_back
        self._most = most
        self._asking = 0
        self._threads: set[threading.Thread] = set()
        self._waiting: deque[RelayedStream] = deque()

    def ask(self, stream: RelayedStream) -> None:
        """Have another candidate asked; the stream is that thread's until it comes back. Raises RuntimeError: the
        system has no more threads."""
        stream.source = None
        self._threads = {each for each in self._threads if each.is_alive()}
        if self._asking >= self._most:
            self._waiting.append(stream)
            return
        thread = threading.Thread(target=self._ask, args=(stream,), name="gateway-resume", daemon=True)
        thread.start()
        self._threads.add(thread)
        self._asking += 1

    def one_came_back(self) -> RelayedStream | None:
        """A thread is free again: the stream to `ask` for next, if one waits."""
        self._asking -= 1
        return self._waiting.popleft() if self._waiting else None

    def forget(self) -> list[RelayedStream]:
        """Ask for none of those that wait."""
        waiting, self._waiting = [*self._waiting], deque()
        return waiting

    def join(self, seconds: float) -> None:
        """Wait for the threads, each of which has called `came_back`."""
        for thread in self._threads:
            thread.join(seconds)

    def _ask(self, stream: RelayedStream) -> None:
        try:
            there = self._go_on(stream)
        except Exception as error:  # noqa: BLE001 - logged there
            there = stream.outlet.send(stream.drive.crashed(error))
        self._came_back(stream, there)

    def _go_on(self, stream: RelayedStream) -> bool:
        """Whether the caller is still there."""
        drive, outlet = stream.drive, stream.outlet
        said = drive.go_on()
        stream.source = None if drive.over or drive.interrupted else drive.body.detach()
        if stream.source is not None or drive.interrupted:
            return not said or outlet.send(said)
        # over already, or only a thread can read it
        there = all(outlet.send(piece) for piece in chain([said], StreamedBody(drive, begun=True)) if piece)
        if drive.whole:
            drive.body.finish()
        return there
