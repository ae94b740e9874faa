"""What a request holds of a rate limit, from its admission until its answer is over.

A limit charges in its own unit. The unit of today is a request: it counts from the time at which it leaves for the
provider, and a request that never leaves counts nothing. A permit knows neither the window nor the queue. Its
holder does not know the unit, so that other units (tokens, requests under way) need no change above.
"""

import threading
from typing import Final, Protocol


class Permit(Protocol):
    """The right to send one request. Who acquires it closes it. Safe to use from any thread.

    Attributes:
        waited: seconds in the queue.
    """

    waited: float

    def sent(self) -> None:
        """The request has left for the provider, which counts it from now on. Only the first report counts."""

    def settle(self, tokens: int) -> None:
        """The answer is complete and its request used so many tokens. What they cost is up to the limit's unit: a limit
        of requests charges nothing for them."""

    def close(self) -> None:
        """The request and its answer are over. Gives back what was not used. Idempotent."""


class Slots(Protocol):
    """What a RequestPermit asks of the limit that granted it, each once at most and under the limit's lock."""

    lock: threading.Lock

    def count_sent(self, granted: float) -> None:
        """The slot that was taken at `granted` (monotonic seconds) counts from now."""

    def give_back(self, granted: float) -> None:
        """The slot that was taken at `granted` is free again."""


class RequestPermit:
    """A permit of a limit that counts requests: one slot of its window.

    Args:
        slots: the limit.
        granted: monotonic seconds at which the slot was taken.
        waited: as in Permit.
    """

    __slots__ = ("_granted", "_is_open", "_slots", "waited")

    def __init__(self, slots: Slots, granted: float, waited: float) -> None:
        self.waited = waited
        self._slots = slots
        self._granted = granted
        self._is_open = True

    def sent(self) -> None:
        with self._slots.lock:
            if self._is_open:
                self._is_open = False
                self._slots.count_sent(self._granted)

    def settle(self, tokens: int) -> None:
        """A request counts as one, whatever it used."""

    def close(self) -> None:
        if not self._is_open:  # it never opens again; mostly the request has left, and this saves the lock
            return
        with self._slots.lock:
            if self._is_open:
                self._is_open = False
                self._slots.give_back(self._granted)


class _Unlimited:
    """The permit where there is no limit."""

    waited = 0.0

    def sent(self) -> None:
        pass

    def settle(self, tokens: int) -> None:
        pass

    def close(self) -> None:
        pass


UNLIMITED: Final[Permit] = _Unlimited()
"""The permit of every request to a provider without a limit."""
