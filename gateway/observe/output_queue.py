"""A bounded queue in front of standard error, standard output or a log file, and the thread that writes what is in it.

A terminal whose reader pauses (Ctrl-S, a selection in a Windows console, a pager that is stuck) blocks whoever writes
to it. Calls and the stop of the gateway must not wait for that reader, so they only put their texts here. Where the
reader is too slow, the oldest texts are dropped and counted, and one line says how many. This module knows no format
of a line and no logger.
"""

import contextlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import IO, Final, Protocol, TextIO, cast

from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op

MAX_TEXTS: Final = 1_000
"""Texts that wait at most; with 5,000 calls a second this is a pause of 0.2 seconds."""
MAX_CHARACTERS: Final = 1 << 20
"""Characters that wait at most; tracebacks are long."""
MAX_PIECE: Final = 4_096
"""Bytes that are written together: PIPE_BUF of Linux."""
MAX_FILE_PIECE: Final = 1 << 16
"""Bytes that are written together into a file, which takes any number in one step: what gathers in 0.05 seconds with
3,000 calls a second. With each step Python lets go of its lock, and waits for it behind the threads of calls."""
GATHER_SECONDS: Final = 0.05
"""Seconds in which texts gather before they are written together. A busy gateway wakes the thread once for many."""
RETRY_SECONDS: Final = 0.05
"""Seconds until the next try where a non-blocking output takes nothing now."""


class Output(Protocol):
    """Takes bytes; may block."""

    def write(self, content: memoryview, /) -> int | None:
        """Write some of the bytes. Returns their number, or None where a non-blocking output takes nothing now."""


class OutputQueue:
    """Takes texts from any thread, without ever waiting for their reader.

    Args:
        stream: the output, in UTF-8 where it has no encoding; None where the process has none: nothing is written.
        dropped_line: makes the line, with its end, that says how many texts were dropped.
        clock: for the pause in which texts gather.
        max_piece: bytes that are written together; None for as many as the stream takes in one step.
    """

    def __init__(
        self,
        stream: TextIO | Output | None,
        dropped_line: Callable[[int], str],
        clock: Clock | None = None,
        max_piece: int | None = None,
    ) -> None:
        self._output = None if stream is None else _raw(stream)
        self._piece = max_piece or (MAX_FILE_PIECE if _is_file(self._output) else MAX_PIECE)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._dropped_line = dropped_line
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.RLock()  # guards all below
        self._changed = threading.Condition(self._lock)
        self._texts: deque[str] = deque()
        self._characters = 0
        self._dropped = 0
        self._asleep = False  # the thread waits for the first text
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Have a text written. Where the queue is full, the oldest texts make room."""
        if self._output is None:
            return len(text)
        with self._lock:
            self._texts.append(text)
            self._characters += len(text)
            while len(self._texts) > MAX_TEXTS or (self._characters > MAX_CHARACTERS and len(self._texts) > 1):
                self._characters -= len(self._texts.popleft())
                self._dropped += 1
            if self._asleep:
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes what is there."""

    def close(self, timeout: float) -> bool:
        """Stop when all is written, or when the time is over: a reader that pauses does not keep the process.

        Args:
            timeout: seconds.

        Returns:
            Whether all was written.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # The thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (content := self._next()) is not None:
            texts, dropped = content
            lines = [self._encoded(text) for text in texts]
            if dropped and self._lost([self._encoded(self._dropped_line(dropped))]):
                self._lose(dropped)
            for piece in self._pieces(lines):
                self._lose(self._lost(piece))

    def _lose(self, count: int) -> None:
        if count:
            with self._changed:
                self._dropped += count

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "backslashreplace")

    def _pieces(self, lines: list[bytes]) -> Iterator[list[bytes]]:
        """The texts in pieces that the output takes in one step: so two outputs of a process that share a pipe do not
        mix their lines."""
        piece: list[bytes] = []
        length = 0
        for each in lines:
            if piece and length + len(each) > self._piece:
                yield piece
                piece, length = [], 0
            piece.append(each)
            length += len(each)
        yield piece

    def _next(self) -> tuple[list[str], int] | None:
        """All texts that wait, and how many were dropped before them; None at the end."""
        with self._changed:
            while not self._texts:
                if self._closing:
                    return None
                self._asleep = True
                self._changed.wait()
                self._asleep = False
            if not self._closing:
                self._clock.wait(self._changed, GATHER_SECONDS)
            texts, dropped = list(self._texts), self._dropped
            self._texts.clear()
            self._characters = self._dropped = 0
        return texts, dropped

    def _lost(self, piece: list[bytes]) -> int:
        """Write texts together; how many of them are lost, where the output is gone or full."""
        content = memoryview(b"".join(piece))
        try:
            while content and self._output is not None:
                count = self._output.write(content)
                if count is None:
                    with self._changed:
                        self._clock.wait(self._changed, RETRY_SECONDS)
                content = content[count or 0 :]
        except (OSError, ValueError):
            left = accumulate(map(len, reversed(piece)), initial=0)  # behind the last text, the last two, and so on
            return sum(each < len(content) for each in left)
        return 0


def _raw(stream: TextIO | Output) -> Output:
    """The stream's own output below its buffers; an Output is its own. A thread that blocks in a buffer holds the
    buffer's lock, and then Python cannot end. On Windows this output also knows the letters of the console."""
    with contextlib.suppress(OSError, ValueError):
        getattr(stream, "flush", no_op)()
    below = getattr(stream, "buffer", stream)
    return cast("Output", getattr(below, "raw", below))


def _is_file(output: Output | None) -> bool:
    """Whether it is an open file of a disk."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return stat.S_ISREG(os.fstat(cast("IO[bytes]", output).fileno()).st_mode)
    return False
