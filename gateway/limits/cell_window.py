"""A sliding window over amounts, in 1,440 cells: day windows have a cell a minute, minute windows one of 42 ms.

A cell counts in full until all of it has left the window. So no window ever holds more than the limit, and room comes
at most one cell late (0.07 % of the window). That costs 12 KB whatever the limit, and an amount is corrected in its own
place in time. It is plain arithmetic: no lock, no clock, no waiting; the caller holds the lock.

An amount that was taken and has not left for the provider yet belongs to no cell: it counts until it is sent or given
back, however long that takes.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.limits.window import check_window

CELLS: Final = 1_440
_SIZE: Final = CELLS + 1
"""The cell of now, and those that reach back one window from its begin."""


class Amounts(Protocol):
    """The amounts of all cells."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, amount: int, /) -> None: ...


class CellWindow:
    """At most `limit` in any window (t, t + seconds]; a single amount above the limit has a window for itself.

    Times are monotonic seconds, finite, and from call to call never earlier than before.

    Attributes:
        limit: what any window holds.
        seconds: the window's length.

    Args:
        limit: as above, at least 1.
        seconds: as above, above 0.

    Raises:
        ValueError: the limit or the length is out of range.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        check_window(limit, seconds)
        self.limit = limit
        self.seconds = seconds
        self._cell = seconds / CELLS
        self._amounts: Amounts = array("q", bytes(8 * _SIZE))
        self._last = -1  # the number of the newest cell
        self._sent = 0  # the sum of the cells
        self._held = 0  # what was taken and is not sent yet

    def used(self, now: float) -> int:
        """What counts now."""
        cell = int(now // self._cell)
        if cell != self._last:
            self._advance(cell)
        return self._sent + self._held

    def configure(self, limit: int) -> None:
        """Have another limit; what was taken counts on."""
        self.limit = limit

    def take(self, now: float, amount: int) -> None:
        """Hold an amount until it is sent or given back."""
        self._held += amount

    count_in = take

    def uses(self, now: float) -> Sequence[tuple[float, int]]:
        """What counts: the begin of each cell and its amount, the earliest first. What is held counts in the last."""
        self.used(now)
        cells = range(self._last - CELLS, self._last + 1)
        found = [(self._begin(cell), self._amounts[cell % _SIZE]) for cell in cells]
        return [each for each in (*found, (now, self._held)) if each[1]]

    def give_back(self, now: float, granted: float, amount: int) -> None:
        """What was taken will never be sent."""
        self._held -= amount

    def sent(self, now: float, granted: float, amount: int) -> None:
        """What was taken has left: it counts as of now."""
        self._held -= amount
        self.used(now)
        self._amounts[self._last % _SIZE] += amount
        self._sent += amount

    def add(self, now: float, at: float, amount: int) -> None:
        """Count an amount as of `at`, or so much more or less of one that was sent then. At a start `at` may be before
        the window's own begin. What has left the window does not count."""
        self.used(now)
        cell = min(int(at // self._cell), self._last)
        if cell > self._last - _SIZE:
            self._amounts[cell % _SIZE] += amount
            self._sent += amount

    def end(self, now: float, sent_at: float, amount: int) -> None:
        """What has left counts until it leaves the window."""

    def due(self, now: float, ahead: int, amount: int) -> float:
        """The time at which there is room for an amount behind so much in the line. Exact as far as what has been sent
        decides; what is held counts as sent now. Never before `now`."""
        used = self.used(now)
        windows, rest = divmod(max(ahead + amount - 1, 0), self.limit)
        surplus = used + rest + 1 - self.limit
        moment = now if surplus <= 0 else self._left(now, surplus)
        return moment + windows * (self.seconds + self._cell)

    def _left(self, now: float, surplus: int) -> float:
        """When so much of what counts has left the window."""
        oldest = self._last - CELLS
        for cell in range(oldest, self._last + 1):
            surplus -= self._amounts[cell % _SIZE]
            if surplus <= 0:
                return max(now, self._begin(cell + _SIZE))
        return now + self.seconds + self._cell

    def _begin(self, cell: int) -> float:
        """The first moment of a cell, as `used` counts cells."""
        moment = cell * self._cell
        while moment // self._cell < cell:  # the product was rounded down
            moment = math.nextafter(moment, math.inf)
        return moment

    def _advance(self, cell: int) -> None:
        """Empty the cells that have left the window."""
        gap = cell - self._last
        if gap >= _SIZE and self._sent:
            self._clear()
            self._sent = 0
        elif self._sent:  # else every cell is 0
            for number in range(self._last + 1, cell + 1):
                place = number % _SIZE
                if self._amounts[place]:
                    self._sent -= self._amounts[place]
                    self._amounts[place] = 0
        self._last = cell

    def _clear(self) -> None:
        self._amounts = array("q", bytes(8 * _SIZE))
