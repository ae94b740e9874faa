"""Small stand-ins for what the gateway is given: so far, time."""

import threading
import time


class FakeClock:
    """Time that moves only when someone waits or `advance` is called: a test takes none and every run is the same.

    With several threads any wait moves the time of all; see DrivenClock for a test that wants to say when.

    Args:
        start: monotonic and wall seconds at first.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.monotonic()})"

    def monotonic(self) -> float:
        with self._lock:
            return self._now

    def wall(self) -> float:
        return self.monotonic()

    def advance(self, seconds: float) -> None:
        assert seconds >= 0, "time does not go back"
        with self._lock:
            self._now += seconds

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        """Moves time by `timeout` instead of sleeping. Lets go of the condition for a moment, as a real wait does."""
        self.advance(max(timeout, 0.0))
        condition.wait(0)
        return False


class DrivenClock(FakeClock):
    """For tests with threads: a wait blocks until the test has advanced time past its end, or until it is notified.

    No `advance` is missed: a wait counts from the time its thread has last read.
    """

    def __init__(self, start: float = 1000.0) -> None:
        super().__init__(start)
        self._changed = threading.Condition(self._lock)
        self._asleep: dict[int, tuple[float, threading.Condition]] = {}
        self._read = threading.local()

    def monotonic(self) -> float:
        now = super().monotonic()
        self._read.last = now
        return now

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        with self._lock:
            over = [condition for end, condition in self._asleep.values() if end <= self._now]
        for condition in over:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        thread = threading.get_ident()
        with self._lock:
            end: float = getattr(self._read, "last", self._now) + timeout
            if end <= self._now:
                return False
            self._asleep[thread] = (end, condition)
            self._changed.notify_all()
        condition.wait()
        with self._lock:
            del self._asleep[thread]
            return self._now < end

    def until_asleep(self, thread: int) -> None:
        """Blocks until the thread with this identifier waits for a time that has not come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sleeps(thread), 30), "the thread does not wait"

    def _sleeps(self, thread: int) -> bool:
        end, _ = self._asleep.get(thread, (self._now, None))
        return end > self._now


class FastClock:
    """Real time, so many times as fast: for tests on real sockets whose rules speak of many seconds.

    Args:
        factor: seconds of its time in a real one.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return 1000.0 + (time.monotonic() - self._began) * self._factor

    def wall(self) -> float:
        return self.monotonic()

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        return condition.wait(max(timeout, 0.0) / self._factor)
