"""What a request holds of a rate limit, from its admission until its answer is over.

A limit charges in its own unit. The unit of today is a request: it counts from the time at which it leaves for the
provider, and a request that never leaves counts nothing. A permit knows neither the window nor the queue, and whoever
holds one does not know the unit, so that other units (tokens, requests under way) need no change above.
"""

import threading
from collections.abc import Callable
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


class RequestPermit:
    """A permit of a limit that counts requests: one slot of its window.

    Args:
        lock: the limit's.
        on_sent: called under the lock with `granted`, once: the slot counts from now.
        on_unused: called under the lock with `granted`, once and not after `on_sent`: the slot is free again.
        granted: monotonic seconds at which the slot was taken.
        waited: as in Permit.
    """

    __slots__ = ("_granted", "_lock", "_on_sent", "_on_unused", "_open", "waited")

    def __init__(
        self,
        lock: threading.Lock,
        on_sent: Callable[[float], None],
        on_unused: Callable[[float], None],
        *,
        granted: float,
        waited: float,
    ) -> None:
        self.waited = waited
        self._lock = lock
        self._on_sent = on_sent
        self._on_unused = on_unused
        self._granted = granted
        self._open = True

    def sent(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                self._on_sent(self._granted)

    def settle(self, tokens: int) -> None:
        """A request counts as one, whatever it used."""

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                self._on_unused(self._granted)


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
