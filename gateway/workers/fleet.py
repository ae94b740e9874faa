"""The workers of a gateway as states: who is started, who serves, who has died, and when the next start is due.

    waiting -> starting -> built -> serving -> leaving
       ^          |          |         |          |
       +----------+----------+---------+----------+     its process has ended

`waiting`: for the time of its next start. `starting`: its process reads the configuration. `built`: it could serve.
`serving`: it accepts connections. `leaving`: it accepts no more, and ends with its calls. At the first start nobody
serves before all are built, and whoever ends before that ends the start: a configuration that one worker cannot serve
is served by none. Later a worker that ends is started again, after 0, 1, 2, 4 ... 30 s; one that has served for a
minute counts as sound again.

Events in, commands out; no process, no socket and no clock is known here.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

LONGEST_PAUSE: Final = 30.0
"""Seconds until a worker that keeps dying is started again, at most."""
SOUND_SECONDS: Final = 60.0
"""After which a worker that serves counts as sound."""
MANY_DEATHS: Final = 5
"""Within SOUND_SECONDS: the gateway is degraded."""

State = Literal["waiting", "starting", "built", "serving", "leaving"]
Do = Literal["start", "go", "kill", "tell"]
"""Start its process; have it accept connections; end its process; tell all what they are to know."""


class Command(Struct, frozen=True):
    """What is to be done. `tell` is for all: its `number` says nothing."""

    do: Do
    number: int = 0


TELL: Final = Command("tell")


class Worker(Struct):
    """One of them.

    Attributes:
        state: see above.
        since: of it, in monotonic seconds.
        due: of a waiting one: when it is started.
        deaths: in a row.
        generation: of the configuration that it has.
        condemned: whether it was ended by us, to be started anew: that is no death.
    """

    state: State
    since: float
    due: float = 0.0
    deaths: int = 0
    generation: int = 0
    condemned: bool = False


class Fleet:
    """The workers. For one thread.

    Attributes:
        opened: whether all were built once, so that the gateway serves.
        stopping: whether no worker is started again.
        degraded: whether workers keep dying.

    Args:
        count: how many there are to be.
    """

    def __init__(self, count: int) -> None:
        self.opened = False
        self.stopping = False
        self.degraded = False
        self.workers: list[Worker] = [Worker("waiting", 0.0) for _ in range(count)]
        self._deaths: deque[float] = deque()
        self._held = False

    @property
    def serving(self) -> tuple[int, ...]:
        """Who serves."""
        return self.among("serving")

    @property
    def absent(self) -> tuple[int, ...]:
        """Whose connections the others accept."""
        return tuple(number for number, each in enumerate(self.workers) if each.state != "serving")

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do, in monotonic seconds; None while it has not."""
        found = [each.due for each in self.workers if each.state == "waiting" and not self.stopping]
        if self.degraded and self._deaths:
            found.append(self._deaths[-1] + SOUND_SECONDS)
        return min(found, default=None)

    def among(self, *states: State) -> tuple[int, ...]:
        """Who is in one of these states."""
        return tuple(number for number, each in enumerate(self.workers) if each.state in states)

    def tick(self, now: float) -> Sequence[Command]:
        """Time has passed: whose start is due."""
        commands: list[Command] = []
        if not self.stopping:
            for number, each in enumerate(self.workers):
                if each.state == "waiting" and each.due <= now:
                    each.state, each.since = "starting", now
                    commands.append(Command("start", number))
        if self.degraded and now - self._deaths[-1] >= SOUND_SECONDS and not self.absent:
            self.degraded = False
            commands.append(TELL)
        return commands

    def started(self, number: int, generation: int) -> None:
        """Its process runs, and was given this generation of the configuration."""
        self.workers[number].generation = generation

    def built(self, number: int, generation: int, now: float) -> Sequence[Command]:
        """It could serve. `generation`: what the others serve by now."""
        worker = self.workers[number]
        if worker.state == "starting":
            worker.state, worker.since = "built", now
        return self._open(generation, now)

    def hold(self) -> None:
        """A reload has begun: whoever is built now waits until it is over."""
        self._held = True

    def release(self, generation: int, now: float) -> Sequence[Command]:
        """It is over, and this generation is served."""
        self._held = False
        return self._open(generation, now)

    def turned(self, numbers: Sequence[int], generation: int) -> None:
        """These serve this generation now."""
        for number in numbers:
            self.workers[number].generation = generation

    def leaving(self, number: int, now: float) -> Sequence[Command]:
        """It accepts no more."""
        worker = self.workers[number]
        worker.state, worker.since = "leaving", now
        return [TELL]

    def ended(self, number: int, now: float) -> Sequence[Command]:
        """Its process has ended."""
        worker = self.workers[number]
        sound = worker.state in ("serving", "leaving") and now - worker.since >= SOUND_SECONDS
        served = worker.state in ("serving", "leaving")
        condemned, worker.condemned = worker.condemned, False
        worker.state, worker.since = "waiting", now
        if condemned:
            worker.due = now
        elif self.opened and not self.stopping:
            worker.deaths = 1 if sound else worker.deaths + 1
            worker.due = now + pause_after(worker.deaths)
            self._died(now)
        return [TELL] if served or self.degraded else []

    def _open(self, generation: int, now: float) -> Sequence[Command]:
        """Have those serve that are built."""
        built = self.among("built")
        if self._held or self.stopping or not built or (not self.opened and len(built) < len(self.workers)):
            return []
        self.opened = True
        commands = []
        for number in built:
            worker = self.workers[number]
            if worker.generation == generation:
                worker.state, worker.since = "serving", now
                commands.append(Command("go", number))
            else:
                worker.condemned = True
                commands.append(Command("kill", number))
        return [*commands, TELL]

    def _died(self, now: float) -> None:
        self._deaths.append(now)
        while self._deaths[0] <= now - SOUND_SECONDS:
            self._deaths.popleft()
        if len(self._deaths) >= MANY_DEATHS:
            self.degraded = True


def pause_after(deaths: int) -> float:
    """Seconds until a worker that has died so often in a row is started again: 0, 1, 2, 4 ... 30."""
    return 0.0 if deaths <= 1 else min(LONGEST_PAUSE, 2.0 ** min(deaths - 2, 10))
