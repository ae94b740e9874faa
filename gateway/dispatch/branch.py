"""One thread's part in answering a call: what it waits for, and how another thread ends that.

Most calls have one branch, in the caller's own thread. Where a target is slow, a second branch asks the next target in
parallel, and the branch that loses is cancelled. A branch knows its call and nothing of targets.
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
    """Another branch of the same call has decided it. `slow`: with an answer, and this one had used up its time."""

    def __init__(self, *, slow: bool) -> None:
        super().__init__(SLOW if slow else LOST)
        self.slow = slow


class Branch:
    """A sequence of tries, one after the other, in one thread.

    Attributes:
        sent_at: monotonic seconds when the request of its latest try left.

    Args:
        call: the call that it works for.
        clock: for pauses.
    """

    def __init__(self, call: Call, clock: Clock) -> None:
        self.call = call
        self.slow = False
        self._clock = clock
        self._lock = threading.RLock()  # as a condition's own: the thread that waits may be the one that cancels
        self._pausing: threading.Condition | None = None  # over the lock; made at the first pause, which is rare
        self._awaited: Cancellable | None = None
        self._cancelled = False
        self._lost: BranchLost | None = None
        self.sent_at = 0.0
        self._hedge_after: float | None = None
        call.add_branch(self)

    def start_try(self, hedge_after: float | None) -> None:
        """A try begins; `hedge_after`: seconds after which another target is asked in parallel, None for never."""
        with self._lock:
            self.slow = False
            self.sent_at = self._clock.monotonic()
            self._hedge_after = hedge_after

    def sent(self) -> None:
        """Its request has left: from now on the provider's time counts."""
        self.sent_at = self._clock.monotonic()

    def elapsed(self) -> float:
        """Seconds since its request left."""
        return self._clock.monotonic() - self.sent_at

    def turned_slow(self) -> bool:
        """Whether its try has taken longer than its limit. True once a try, which counts as slow from then on."""
        with self._lock:
            if self.slow or self._hedge_after is None or self.elapsed() < self._hedge_after:
                return False
            self.slow = True
            return True

    def end_try(self) -> None:
        """The try has ended, with an answer or without."""
        with self._lock:
            self._hedge_after = None

    def wait_on(self, awaited: Cancellable) -> None:
        """Note what the thread waits for next. Cancels it at once if the branch was cancelled meanwhile."""
        with self._lock:
            self._awaited = awaited
            cancelled = self._cancelled
        if cancelled:
            awaited.cancel()

    def cancel(self) -> None:
        """End what the thread waits for, now and later. For other threads."""
        with self._lock:
            self._cancelled = True
            awaited = self._awaited
            if self._pausing is not None:
                self._pausing.notify_all()
        if awaited is not None:
            awaited.cancel()

    def lose(self, *, answered: bool) -> None:
        """Another branch has decided the call. `answered`: with an answer, so that a slow target is blamed."""
        self._lost = BranchLost(slow=answered and self.slow)
        self.cancel()

    def pause(self, seconds: float) -> None:
        """Wait before the second try.

        Raises:
            BranchLost: another branch has decided the call meanwhile.
            CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        until = self._clock.monotonic() + seconds
        with self._lock:
            self._pausing = self._pausing or threading.Condition(self._lock)
            while not self._cancelled and (remaining := until - self._clock.monotonic()) > 0:
                self._clock.wait(self._pausing, remaining)
        self.check()

    def is_over(self) -> bool:
        """Whether there is a reason to stop."""
        return self.reason_to_stop() is not None

    def reason_to_stop(self) -> BranchLost | GatewayError | None:
        """Why the branch must not continue; None if it may."""
        return self._lost or self.call.reason_to_stop()

    def check(self) -> None:
        """Raise the reason to stop, if there is one."""
        if (reason := self.reason_to_stop()) is not None:
            raise reason
