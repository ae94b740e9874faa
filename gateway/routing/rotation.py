"""Smooth weighted round-robin: shares that are exact, without chance and without bursts.

Of 70 and 30 parts, any 10 choices in a row have 7 and 3, evenly mixed. Each member has a credit. A choice gives every
member that takes part its weight, and takes the sum of the weights from the one that was chosen; the highest credit is
next. Whoever takes no part for a while keeps its credit, so it comes back with its share and without a burst.

Plain arithmetic: the caller holds the lock. The method is that of nginx's upstream module (commit 52327e0, 2012-05).
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)


class Rotation(Generic[Member]):
    """The credits of some members. The weights come in with each question, as who takes part changes."""

    __slots__ = ("_credits",)

    def __init__(self) -> None:
        self._credits: dict[Member, int] = {}

    def order(self, weights: Mapping[Member, int]) -> list[Member]:
        """The members, who is next first; equals in the order given. Nothing is counted.

        Args:
            weights: of those who take part, each at least 1.
        """
        return sorted(weights, key=lambda member: -(self._credits.get(member, 0) + weights[member]))

    def count(self, chosen: Member, weights: Mapping[Member, int]) -> None:
        """A call goes to `chosen`, one of those who take part."""
        self._move(chosen, weights, 1)

    def give_back(self, chosen: Member, weights: Mapping[Member, int]) -> None:
        """It did not go there after all: as if it had never been counted."""
        self._move(chosen, weights, -1)

    def _move(self, chosen: Member, weights: Mapping[Member, int], times: int) -> None:
        for member, weight in weights.items():
            self._credits[member] = self._credits.get(member, 0) + weight * times
        self._credits[chosen] -= sum(weights.values()) * times
