"""Small stand-ins for what the gateway is given: so far, time."""

import threading


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

    No `advance` is missed: a wait counts from the time its thread has last read. As any condition may, it also returns
    early and True, at an `advance` that does not reach its end.
    """

    def __init__(self, start: float = 1000.0) -> None:
        super().__init__(start)
        self._asleep = threading.Condition(self._lock)
        self._waits: list[threading.Condition] = []
        self._read = threading.local()

    def monotonic(self) -> float:
        self._read.last = super().monotonic()
        return float(self._read.last)

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        with self._lock:
            waits = list(self._waits)
        for condition in waits:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        with self._lock:
            end = float(getattr(self._read, "last", self._now)) + timeout
            if end <= self._now:
                return False
            self._waits.append(condition)
            self._asleep.notify_all()
        condition.wait()
        with self._lock:
            self._waits.remove(condition)
            return self._now < end

    def until_asleep(self, threads: int) -> None:
        """Blocks until so many threads wait."""
        with self._asleep:
            assert self._asleep.wait_for(lambda: len(self._waits) >= threads, 30), f"{len(self._waits)} of {threads}"
