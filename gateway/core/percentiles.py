"""Percentiles by nearest rank: always one of the values."""

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def percentile(ranked: Sequence[T], percent: int) -> T:
    """The smallest value that at least so many percent of all do not exceed.

    Args:
        ranked: the values in rising order, at least one.
        percent: from 1 to 100.
    """
    return ranked[math.ceil(len(ranked) * percent / 100) - 1]
