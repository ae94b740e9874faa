"""Reloads of all workers, one after the other: what is sent to whom, and who waits for the outcome.

The loop's thread does everything but `wait`, with which the thread that has read the file waits for what became of it.
"""

import threading
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.core.clock import Clock
from gateway.workers.fleet import Fleet
from gateway.workers.messages import Message
from gateway.workers.processes import Processes
from gateway.workers.start import Prepare
from gateway.workers.turnover import Turnover

LOOK_SECONDS: Final = 5.0


class ReloadRounds:
    """The reloads.

    Attributes:
        generation: of the configuration that is served.

    Args:
        generation: as above, at first.
        fleet: the workers.
        processes: theirs.
        clock: the time.
    """

    def __init__(self, generation: int, fleet: Fleet, processes: Processes, clock: Clock) -> None:
        self.generation = generation
        self._fleet = fleet
        self._processes = processes
        self._clock = clock
        self._last_id = 0
        self._turnover: Turnover | None = None
        self._next = generation
        self._changed = threading.Condition()  # guards the two below
        self._faults: Mapping[int, str] | None = None
        self._closed = False

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called, in monotonic seconds; None where none is under way."""
        return self._turnover.deadline if self._turnover else None

    def begin(self, text: bytes, generation: int) -> None:
        """Have all workers that serve build a configuration. It may be over at once: `over` says."""
        self._last_id += 1
        self._next = generation
        self._fleet.hold()
        self._turnover = Turnover(self._last_id, self._fleet.serving, self._clock.monotonic())
        body = msgspec.json.encode(Prepare(text, generation))
        self._processes.send((number, Message("prepare", self._last_id, body=body)) for number in self._fleet.serving)

    def take(self, number: int, message: Message) -> None:
        """A worker says `ready` or `fault`."""
        if self._turnover is None or self._turnover.id != message.id:
            return
        if message.kind == "ready":
            self._turnover.built(number)
        else:
            self._turnover.failed(number, message.body.decode("utf-8", "replace"))

    def gone(self, number: int) -> None:
        """A worker has died, or leaves."""
        if self._turnover is not None:
            self._turnover.gone(number)

    def expire(self, now: float) -> None:
        """Time has passed."""
        if self._turnover is not None:
            self._turnover.expire(now)

    def over(self) -> bool:
        """Whether the one under way has just been decided; then all are told, and `generation` is what is served."""
        turnover = self._turnover
        if turnover is None or turnover.decision is None:
            return False
        self._turnover = None
        decision, ready = turnover.decision, sorted(turnover.ready)
        self._processes.send((number, Message(decision, turnover.id)) for number in ready)
        if decision == "turn":
            self._fleet.turned(ready, self._next)
            self.generation = self._next
        with self._changed:
            self._faults = turnover.faults
            self._changed.notify_all()
        return True

    def close(self) -> None:
        """No further one is decided."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def expect(self) -> None:
        """Another thread is about to have one begun, and to wait for it."""
        with self._changed:
            self._faults = None

    def wait(self) -> Mapping[int, str] | None:
        """Why workers cannot serve it, by worker; empty where all do. None where the gateway stops."""
        with self._changed:
            while self._faults is None and not self._closed:
                self._clock.wait(self._changed, LOOK_SECONDS)
            return self._faults
