"""The arithmetic: percentiles of a sample, medians of rounds, ratios. Pure, so that tests can check it by hand."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

Figures = Mapping[str, float]
"""The figures of one measurement, by the name of the quantity. A figure that the system does not provide is absent."""


def percentile(sample: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent of the sample do not exceed (nearest rank).

    Args:
        sample: in any order. An empty one gives nan.
        share: percent, above 0 and at most 100.

    Raises:
        ValueError: the share is out of range.
    """
    if not 0 < share <= 100:
        raise ValueError(f"{share} is no share of a hundred")
    if not sample:
        return math.nan
    return sorted(sample)[math.ceil(len(sample) * share / 100) - 1]


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each quantity over the rounds that have it."""
    names = dict.fromkeys(name for each in rounds for name in each)
    known = {name: [each[name] for each in rounds if name in each and not math.isnan(each[name])] for name in names}
    return {name: median(values) for name, values in known.items() if values}


def ratio(value: float | None, base: float | None) -> float | None:
    """`value` divided by `base`; None if one of them is unknown or the base is 0."""
    if value is None or base is None or base == 0:
        return None
    return value / base
