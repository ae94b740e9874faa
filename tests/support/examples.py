"""How many examples a property is tried with that needs more of them than most do."""

from typing import Final

from hypothesis import settings

FULL: Final = 100
"""The examples of most properties in the profile `full`, which CI runs with."""


def examples(full: int) -> int:
    """As many as the profile makes of `full`, which is the number in the profile `full`."""
    return full * settings().max_examples // FULL
