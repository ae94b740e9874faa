"""A true sliding window as plain arithmetic: no lock, no clock, no waiting.

A counter that is reset every minute lets twice the limit through around the reset. So this window keeps the time of
every grant as long as it counts, and allows a grant once the one `limit` places before it has left the window. It knows
nothing of threads, so that a test can compare it with a brute-force model; the caller holds the lock.
"""

import math
from collections import deque
from collections.abc import Sequence
from heapq import merge
from itertools import islice


class SlidingWindow:
    """At most `limit` grants in any window (t, t + seconds].

    Times are monotonic seconds, finite, and from call to call never earlier than before.

    Attributes:
        limit: may be set anew; what was granted counts on.

    Args:
        limit: grants, at least 1.
        seconds: the window's length, above 0.

    Raises:
        ValueError: the limit or the length is out of range.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        check_window(limit, seconds)
        self.limit = limit
        self.seconds = seconds
        self._sent: deque[float] = deque()  # calls that have left, by the time when they did
        self._unsent: deque[float] = deque()  # grants whose call has not left yet; both together at most `limit`

    def count(self, now: float) -> int:
        """Grants that still count."""
        sent, unsent = self._sent, self._unsent
        while sent and sent[0] + self.seconds <= now:
            sent.popleft()
        while unsent and unsent[0] + self.seconds <= now:
            unsent.popleft()
        return len(sent) + len(unsent)

    def has_room(self, now: float) -> bool:
        """Whether a grant is allowed now."""
        return self.count(now) < self.limit

    def take(self, now: float) -> None:
        """Grant one call.

        Raises:
            ValueError: there is no room, or `now` is not finite or before the last grant. Each would break the limit.
        """
        sent, unsent = self._sent, self._unsent
        if not math.isfinite(now) or (sent and now < sent[-1]) or (unsent and now < unsent[-1]):
            raise ValueError(f"{now} is not a time after the last grant")
        if len(sent) + len(unsent) >= self.limit and not self.has_room(now):
            raise ValueError("the window has no room")
        self._unsent.append(now)

    def count_in(self, now: float) -> None:
        """Count a call that was granted elsewhere, whether there is room or not."""
        self._unsent.append(now)

    def times(self, now: float) -> Sequence[float]:
        """When those that have left and still count did so, the earliest first."""
        self.count(now)
        return tuple(self._sent)

    def sent(self, now: float, granted: float) -> None:
        """The call that was granted at `granted` has left: it counts as made now, not when it was granted.

        The provider counts calls as they arrive. A connection may take seconds to open, and without this the next call,
        on an open connection, would arrive less than a window after it. A call whose grant has left the window already
        does not count.
        """
        if self._end_grant(now, granted):
            self._sent.append(now)

    def give_back(self, now: float, granted: float) -> None:
        """The call that was granted at `granted` will never leave: its grant counts no more."""
        self._end_grant(now, granted)

    def _end_grant(self, now: float, granted: float) -> bool:
        """Remove a grant whose call had not left yet. Returns whether it still counted."""
        self.count(now)
        try:
            self._unsent.remove(granted)  # mostly the first: calls leave about in the order of their grants
        except ValueError:
            return False
        return True

    def due(self, now: float, ahead: int) -> float:
        """The time at which a caller gets its grant, if all callers before it take theirs as soon as they may.

        Past and future grants form one row, and each is due a window after the one `limit` places before it. So the
        caller's place in that row, divided by the limit, gives the grant it follows and the number of windows after it.
        This is exact for queues longer than the limit, too. Never before `now`.

        Args:
            now: monotonic seconds.
            ahead: the number of callers before it.
        """
        counting = self.count(now)
        over = max(0, counting - self.limit)  # of a limit that was higher: those leave first, and nobody follows them
        windows, place = divmod(counting - over + ahead, self.limit)
        follows = next(islice(merge(self._sent, self._unsent), over + place, None)) if over + place < counting else now
        return follows + windows * self.seconds


def check_window(limit: int, seconds: float) -> None:
    """Raise ValueError unless a window can have this limit and length."""
    if limit < 1:
        raise ValueError(f"a window needs a limit of at least 1, not {limit}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"a window needs a length above 0 and finite, not {seconds}")
