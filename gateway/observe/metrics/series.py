"""The series of one metric, and how many there may be.

A series is one combination of labels: a histogram's buckets do not count on their own. A monitoring system keeps every
series that it has ever seen, so their number has a limit, for each metric and for all. What comes past it is counted in
one series that says `(other)` in every label: the sums stay true. This module has no lock; its owner has one.
"""

import logging
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, TypeAlias

from gateway.core.records import OTHER
from gateway.observe.metrics.families import Family, Histogram, Labels

MAX_SERIES: Final = 5_000
"""Of one metric, `(other)` included."""
MAX_IN_ALL: Final = 20_000
"""Likewise, of all metrics."""
Cell: TypeAlias = list[int]
"""What one series has added up. Whoever adds often keeps it: to find it takes three times as long as to add."""

logger = logging.getLogger(__name__)


class Room:
    """How many series there may still be in all.

    Args:
        limit: of all metrics together.
    """

    def __init__(self, limit: int = MAX_IN_ALL) -> None:
        self._left = limit
        self._warned = False

    def take(self) -> bool:
        """Take the place of one more series; whether there was one."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def warn(self, family: Family) -> None:
        """Say, once, that there are too many."""
        if not self._warned:
            self._warned = True
            logger.warning(
                "/metrics: %s has too many combinations of labels; new ones are counted as %s from now on.",
                family.name,
                OTHER,
            )


class _Series:
    """What counters and histograms have in common: who may have a series.

    Args:
        family: the metric.
        room: of all metrics. The one for `(other)` is taken at once.
        limit: of this one.
    """

    def __init__(self, family: Family, room: Room, limit: int = MAX_SERIES) -> None:
        self.family = family
        self._room = room
        self._left = limit - 1
        self._other: Labels = (OTHER,) * len(family.labels)
        room.take()

    def _place(self, labels: Labels) -> Labels:
        """The labels under which a new combination is counted."""
        if self._left > 0 and self._room.take():
            self._left -= 1
            return labels
        self._room.warn(self.family)
        return self._other


class Counters(_Series):
    """The series of a counter. It counts whole parts of the metric's unit, which add up without an error."""

    def __init__(self, family: Family, room: Room, limit: int = MAX_SERIES) -> None:
        super().__init__(family, room, limit)
        self._cells: dict[Labels, Cell] = {}

    def cell(self, labels: Labels) -> Cell:
        """The sum of one series, in parts of the unit, to be added to. It is the same one for ever."""
        found = self._cells.get(labels)
        return self._cells.setdefault(self._place(labels), [0]) if found is None else found

    def read(self) -> Mapping[Labels, float]:
        """The sums now."""
        return {labels: cell[0] / self.family.parts for labels, cell in self._cells.items()}


class Histograms(_Series):
    """The series of a histogram. Its sums are whole parts of the metric's unit, too.

    Attributes:
        bounds: of the buckets, in parts of the unit. They are whole numbers, which are compared without a division.
    """

    def __init__(self, family: Family, room: Room, limit: int = MAX_SERIES) -> None:
        super().__init__(family, room, limit)
        self.bounds = tuple(round(bound * family.parts) for bound in family.buckets)
        self._cells: dict[Labels, Cell] = {}

    def cell(self, labels: Labels) -> Cell:
        """The counts of one series, and their sum in parts of the unit, for `count`. It is the same one for ever."""
        found = self._cells.get(labels)
        if found is not None:
            return found
        return self._cells.setdefault(self._place(labels), [0] * (len(self.bounds) + 2))

    def read(self) -> Mapping[Labels, Histogram]:
        """The counts and sums now."""
        return {labels: (*cell[:-1], cell[-1] / self.family.parts) for labels, cell in self._cells.items()}


def count(cell: Cell, bounds: tuple[int, ...], value: int) -> None:
    """Count a value in a series of a histogram.

    Args:
        cell: of the series.
        bounds: of the histogram.
        value: in parts of the unit.
    """
    cell[bisect_left(bounds, value)] += 1
    cell[-1] += value
