"""What a call holds of the limits, from its admission until its answer is over.

Its holder does not know what the limits count: requests, tokens, requests under way. So another unit, or another engine
behind `Slots`, needs no change above.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from gateway.core.answer import Usage
from gateway.limits.slots import Slots


class Permit(Protocol):
    """The right to send one request. Who acquires it closes it. Safe to use from any thread.

    Attributes:
        waited: seconds in the line.
    """

    waited: float

    def sent(self) -> None:
        """The request has left for the provider, which counts it from now on. Only the first report counts."""

    def settle(self, usage: Usage) -> None:
        """The request that was sent has used so many tokens, which count in place of their estimate. Counts that are
        all 0 say nothing, and the estimate stands."""

    def close(self) -> None:
        """The request and its answer are over: its place is free, and what never left is given back. Idempotent."""


class SlotPermit:
    """A permit for what an engine has granted.

    Args:
        slots: the engine.
        grant: what it has granted.
        waited: as in Permit.
        learn: is told the true usage, for later estimates; None where nothing was estimated.
    """

    __slots__ = ("_grant", "_learn", "_slots", "waited")

    def __init__(self, slots: Slots, grant: Any, waited: float, learn: Callable[[Usage], None] | None) -> None:  # noqa: ANN401 - the engine's own
        self.waited = waited
        self._slots = slots
        self._grant = grant
        self._learn = learn

    def sent(self) -> None:
        self._slots.sent(self._grant)

    def settle(self, usage: Usage) -> None:
        tokens = usage.prompt + usage.completion
        if tokens > 0:
            self._slots.settle(self._grant, tokens)
            if self._learn is not None:
                self._learn(usage)

    def close(self) -> None:
        self._slots.release(self._grant)


class _Unlimited:
    """The permit where there is no limit."""

    waited = 0.0

    def sent(self) -> None:
        pass

    def settle(self, usage: Usage) -> None:
        pass

    def close(self) -> None:
        pass


UNLIMITED: Final[Permit] = _Unlimited()
"""The permit of every request to a target without a limit."""
