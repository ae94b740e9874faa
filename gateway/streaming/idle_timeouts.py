"""Finds streams whose provider has been idle longer than its timeout.

To work out an exact deadline for each piece costs two clock reads and 1.2 us, with everything in the processor's cache;
with many streams it is not all there. So a stream only notes when it last received something, and is checked four
times a second.
"""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.core.clock import Clock
from gateway.dispatch.watchdog import HEARTBEAT_SECONDS
from gateway.streaming.relayed_stream import RelayedStream
from gateway.streaming.session import ReadTimeout

TICK_SECONDS: Final = 0.05
"""Between two checks of what no socket reports: idle providers, and an injected clock."""
CHECK_SECONDS: Final = 0.25
"""After which a stream is checked again even if its timeout is longer: its next piece may shorten the timeout."""


class IdleTimeouts:
    """The checks.

    Attributes:
        now: monotonic seconds, as of the last `tick`. One clock read serves everything that is read in one round.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic()
        self._clock = clock
        self._next_tick = self._next_heartbeats = self.now

    def quiet(self, streams: Collection[RelayedStream]) -> list[RelayedStream]:
        """The streams whose caller has got nothing for so long that a heartbeat is due; looked for once a second."""
        if self.now < self._next_heartbeats:
            return []
        self._next_heartbeats = self.now + 1.0
        return [each for each in streams if self.now - each.outlet.last_write >= HEARTBEAT_SECONDS]

    def tick(self) -> None:
        """Read the clock."""
        self.now = self._clock.monotonic()

    def expired(self, streams: Collection[RelayedStream]) -> Iterator[tuple[RelayedStream, ReadTimeout]]:
        """The watched streams whose timeout has passed, each with that timeout."""
        if self.now < self._next_tick:
            return
        self._next_tick = self.now + TICK_SECONDS
        for stream in [each for each in streams if each.watched and each.next_check <= self.now]:
            read_timeout = stream.read_timeout(self.now)
            if read_timeout.seconds > 0:
                stream.next_check = self.now + min(read_timeout.seconds, CHECK_SECONDS)
            elif stream.watched:
                yield stream, read_timeout
