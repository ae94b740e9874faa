"""The arithmetic: percentiles of a sample, medians of rounds, ratios. Pure, so that it can be tested by hand."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

Figures = Mapping[str, float]
"""What one measurement says, by the name of the quantity. A figure that the system cannot tell is left out."""


def percentile(sample: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent of the sample do not exceed (nearest rank).

    Args:
        sample: in any order; nan where it is empty.
        share: above 0, at most 100.
    """
    if not 0 < share <= 100:
        raise ValueError(f"{share} is no share of a hundred")
    if not sample:
        return math.nan
    return sorted(sample)[math.ceil(len(sample) * share / 100) - 1]


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """Of each quantity the median over the rounds that tell it."""
    names = dict.fromkeys(name for each in rounds for name in each)
    told = {name: [each[name] for each in rounds if name in each and not math.isnan(each[name])] for name in names}
    return {name: median(values) for name, values in told.items() if values}


def ratio(value: float | None, base: float | None) -> float | None:
    """How many times `base` it is; None where one of them is not known or the base is nothing."""
    if value is None or base is None or base == 0:
        return None
    return value / base
