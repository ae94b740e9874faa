"""How many examples a property is tried with that needs more of them than most do, and how much of a table is played.

The profile `quick`, which is the one of every day, tries fewer; CI runs with `full`.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, TypeVar

from hypothesis import settings

Row = TypeVar("Row")

FULL: Final = 100
"""The examples of most properties in the profile `full`, which CI runs with."""


def is_quick() -> bool:
    """Whether the profile is `quick`."""
    return settings().max_examples < FULL


def examples(full: int) -> int:
    """As many as the profile makes of `full`, which is the number in the profile `full`. `quick` does not follow in
    full measure what needs very many: twice as many of them find little more."""
    measure = full / FULL
    return max(1, round((sqrt(measure) if is_quick() and measure > 1 else measure) * settings().max_examples))


def some_of(rows: Sequence[Row], number: int, every: int) -> Sequence[Row]:
    """All rows; in the profile `quick` each `every`-th one, beginning with another one for each `number`, so that as
    many tests in a row as `every` play all of them."""
    return rows[number % every :: every] if is_quick() else rows
