"""Whose provider has said nothing for too long, among many streams.

To work out for every piece until when the next one has to come takes two looks at the clock and 1.2 us where all is in
the processor's cache, which with many streams it is not. So a stream only notes when it heard something, and is looked
at four times a second.
"""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.core.clock import Clock
from gateway.streaming.relayed_stream import RelayedStream
from gateway.streaming.session import ReadTimeout

TICK: Final = 0.05
"""Seconds between two looks at what no socket tells: silence, and an injected clock."""
LOOK: Final = 0.25
"""Seconds after which a stream is looked at again that may be silent for longer: what it says next may change that."""


class IdleTimeouts:
    """The looks at them.

    Attributes:
        now: monotonic seconds, as of the last `tick`. One look at the clock serves all that is read together.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic()
        self._clock = clock
        self._next = self.now

    def tick(self) -> None:
        """Time has passed."""
        self.now = self._clock.monotonic()

    def too_long(self, streams: Collection[RelayedStream]) -> Iterator[tuple[RelayedStream, ReadTimeout]]:
        """Those that are read and have been silent for longer than is borne, with what is borne."""
        if self.now < self._next:
            return
        self._next = self.now + TICK
        for stream in [each for each in streams if each.watched and each.look <= self.now]:
            read_timeout = stream.read_timeout(self.now)
            if read_timeout.seconds > 0:
                stream.look = self.now + min(read_timeout.seconds, LOOK)
            elif stream.watched:
                yield stream, read_timeout
