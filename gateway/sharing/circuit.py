"""Whether a server is asked: the states of one connection to something that may be away.

`up`: everyone asks. A failure of what was asked in this state makes it `away`: nobody asks, and one thread tries
after 1, 2, 4, 8, then every 15 s. An answer makes it `up` again, in a new generation. A failure of what was asked in an
earlier generation changes nothing: it tells of a time that is over.

It is plain arithmetic: no lock, no clock; the caller holds the lock.
"""

from typing import Final, Literal

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 15.0


class Circuit:
    """The states. Times are monotonic seconds.

    Attributes:
        state: as above.
        generation: counts the times at which it was up; from 1.
        next_try: when it is tried again; of no meaning while it is up.
        since: when the state began.

    Args:
        now: the time.
    """

    def __init__(self, now: float) -> None:
        self.state: Literal["up", "away"] = "up"
        self.generation = 1
        self.since = now
        self.next_try = now
        self._pause = FIRST_PAUSE

    def failed(self, now: float, generation: int) -> bool:
        """What was asked in a generation has failed. Returns whether that made it away."""
        if self.state == "away" or generation != self.generation:
            return False
        self.state, self.since = "away", now
        self._pause = FIRST_PAUSE
        self.next_try = now + self._pause
        return True

    def tried(self, now: float) -> None:
        """It was tried, and is still away."""
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self.next_try = now + self._pause

    def answered(self, now: float) -> None:
        """It was tried, and answers."""
        self.state, self.since = "up", now
        self.generation += 1
