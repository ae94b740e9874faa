"""One thread's part in answering a call: what it waits for, and how that is ended from another thread.

Mostly a call has one run, its own thread's. Where a target is slow, a second run asks the next one beside it, and the
one that loses is cancelled.
"""

import threading
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.dispatch.call import Call
from gateway.providers.base import Cancellable

SLOW: Final = "slow"
LOST: Final = "lost"


class BranchLost(Exception):
    """Another run of the same call has settled it. `slow`: with an answer, and this one had been given its time."""

    def __init__(self, *, slow: bool) -> None:
        super().__init__(SLOW if slow else LOST)
        self.slow = slow


class Branch:
    """A line of tries, one after the other, in one thread.

    Args:
        call: on whose behalf.
        clock: for pauses.
    """

    def __init__(self, call: Call, clock: Clock) -> None:
        self.call = call
        self.slow = False
        self._clock = clock
        self._lock = threading.RLock()  # as a condition's own: whoever waits may be the one who cancels
        self._pausing: threading.Condition | None = None  # over the lock; made when it pauses, which hardly one does
        self._held: Cancellable | None = None
        self._cancelled = False
        self._beaten: BranchLost | None = None
        self._left_at = 0.0
        self._limit: float | None = None
        call.enter(self)

    def begin(self, limit: float | None) -> None:
        """A try begins; `limit`: seconds after which another target is asked beside it, if ever."""
        with self._lock:
            self.slow = False
            self._left_at = self._clock.monotonic()
            self._limit = limit

    def sent(self) -> None:
        """Its request has left: from here on the provider is at it."""
        self._left_at = self._clock.monotonic()

    def took(self) -> float:
        """Seconds since its request left."""
        return self._clock.monotonic() - self._left_at

    def falls_behind(self) -> bool:
        """Whether its try has taken longer than its limit; true once a try, which is called slow from then on."""
        with self._lock:
            if self.slow or self._limit is None or self.took() < self._limit:
                return False
            self.slow = True
            return True

    def end(self) -> None:
        """The try is over, well or not."""
        with self._lock:
            self._limit = None

    def hold(self, held: Cancellable) -> None:
        """`held` is what the thread now waits for; ends it at once if the run was cancelled meanwhile."""
        with self._lock:
            self._held = held
            cancelled = self._cancelled
        if cancelled:
            held.cancel()

    def cancel(self) -> None:
        """End whatever it waits for, now and later, from another thread."""
        with self._lock:
            self._cancelled = True
            held = self._held
            if self._pausing is not None:
                self._pausing.notify_all()
        if held is not None:
            held.cancel()

    def beat(self, *, answered: bool) -> None:
        """Another run has settled the call; `answered`: well, so that being slow is held against this one's target."""
        self._beaten = BranchLost(slow=answered and self.slow)
        self.cancel()

    def pause(self, seconds: float) -> None:
        """Wait before trying again.

        Raises:
            BranchLost: meanwhile another run has settled the call.
            CallerLeft, Draining, DeadlineExceeded: or nobody wants one.
        """
        until = self._clock.monotonic() + seconds
        with self._lock:
            self._pausing = self._pausing or threading.Condition(self._lock)
            while not self._cancelled and (left := until - self._clock.monotonic()) > 0:
                self._clock.wait(self._pausing, left)
        self.check()

    def gone(self) -> bool:
        """Whether going on makes no sense."""
        return self.over() is not None

    def over(self) -> BranchLost | GatewayError | None:
        """Why going on makes no sense, if it does not."""
        return self._beaten or self.call.over()

    def check(self) -> None:
        """Raises what `over` gives."""
        if (why := self.over()) is not None:
            raise why
