"""One reload as states: every worker builds the new configuration, and either all turn to it or none does.

    preparing -> turning (all that serve have built it)
              -> dropped (one cannot, or does not say so in time)

A worker that dies meanwhile is out of it: the one in its place is started with whatever is served then. Events in,
decisions out; no process, no socket and no clock is known here.
"""

from collections.abc import Iterable
from typing import Final, Literal

PREPARE_SECONDS: Final = 30.0
"""What a worker gets to build a configuration, which takes milliseconds."""

Decision = Literal["turn", "drop"]


class Turnover:
    """One reload. For one thread.

    Attributes:
        id: of it.
        decision: what becomes of it; None while that is open.
        ready: who has built it.
        faults: why it was dropped, by worker.
        deadline: monotonic seconds.

    Args:
        id: as above.
        workers: that serve.
        now: monotonic seconds.
    """

    def __init__(self, id: int, workers: Iterable[int], now: float) -> None:
        self.id = id
        self.decision: Decision | None = None
        self.ready: set[int] = set()
        self.faults: dict[int, str] = {}
        self.deadline = now + PREPARE_SECONDS
        self._waiting = set(workers)
        self._decide()

    def built(self, worker: int) -> None:
        """A worker could serve it."""
        if worker in self._waiting:
            self._waiting.discard(worker)
            self.ready.add(worker)
            self._decide()

    def failed(self, worker: int, why: str) -> None:
        """A worker cannot serve it."""
        if worker in self._waiting:
            self._waiting.discard(worker)
            self.faults[worker] = why
            self._decide()

    def gone(self, worker: int) -> None:
        """A worker has died, or leaves."""
        self._waiting.discard(worker)
        self.ready.discard(worker)
        self._decide()

    def expire(self, now: float) -> None:
        """Time has passed."""
        if now >= self.deadline:
            for each in sorted(self._waiting):
                self.failed(each, f"it did not say within {PREPARE_SECONDS:g} s whether it can serve it")

    def _decide(self) -> None:
        """Decide once, when nobody is waited for. All get the same decision, whoever is to blame."""
        if self.decision is None and not self._waiting:
            self.decision = "drop" if self.faults else "turn"
