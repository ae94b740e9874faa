"""Every order of the steps of several callers at once, on the real engine: each step takes the lock once, so what
threads can do to each other lies between the steps. Time stands still: whoever could go and is not woken is lost.

A state is looked at once, whichever order of steps led to it. The faults that are planted show that the exploration
would find a lost wake-up.
"""

import threading
from collections.abc import Iterator
from typing import Final

import pytest

from gateway.limits.gauges import Gauge, MaxConcurrent, RequestsPerMinute, TokensPerMinute
from gateway.limits.local_slots import LocalSlots
from gateway.limits.row import Row, Ticket
from gateway.limits.slot_rules import SlotGrant
from gateway.limits.slots import Need, Refused, Terms, Wait
from tests.support.fakes import FakeClock

QUEUE: Final = Terms(queue=True)


class Sleepers(FakeClock):
    """Time that stands still; whoever waits falls asleep until it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep: set[threading.Condition] = set()

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        assert isinstance(condition, Ticket)
        self.asleep.add(condition)
        condition.is_called = False  # who sleeps has missed what was said before
        return True


class Caller:
    """One call: each `step` takes the engine's lock once. It settles for less than it took where `used` is given, and
    never leaves for the provider where `sends` is False. `leaves`: it gives up at the first look in the line."""

    def __init__(
        self, slots: LocalSlots, need: Need, *, used: int = 0, sends: bool = True, leaves: bool = False
    ) -> None:
        self.slots, self.need, self.used, self.sends, self.leaves = slots, need, used, sends, leaves
        self.at = "ask"
        self.ticket: Ticket | None = None
        self.grant: SlotGrant | None = None

    def can_step(self, clock: Sleepers) -> bool:
        if self.at == "asleep" and self.ticket is not None:
            return self.ticket.is_called or self.ticket.state != "waiting"
        return self.at != "over"

    def step(self, clock: Sleepers) -> None:
        match self.at:
            case "ask" | "asleep":
                self._ask()
            case "pause":
                assert self.ticket is not None
                clock.asleep.clear()
                self.slots.pause(self.ticket, 1e9)
                self.at = "asleep" if self.ticket in clock.asleep else "ask"
            case "leave":
                assert self.ticket is not None
                self.slots.leave(self.ticket)
                self.at = "over"
            case "sent":
                self.slots.sent(self._held())
                self.at = "settle" if self.used else "release"
            case "settle":
                self.slots.settle(self._held(), self.used)
                self.at = "release"
            case "release":
                self.slots.release(self._held())
                self.at = "over"

    def _held(self) -> SlotGrant:
        assert self.grant is not None
        return self.grant

    def _ask(self) -> None:
        answer = self.slots.ask(self.ticket, self.need, QUEUE)
        if isinstance(answer, Wait):
            self.ticket = answer.ticket
            assert self.ticket is not None
            assert not self.ticket.is_called, "it would not sleep, but ask again and again"
            self.at = "leave" if self.leaves else "pause"
        elif isinstance(answer, Refused):
            self.at = "over"
        else:
            self.grant, self.at = answer, "sent" if self.sends else "release"


class NoRecheck(LocalSlots):
    """Sleeps without a look whether it was called meanwhile."""

    def pause(self, ticket: Ticket, seconds: float) -> None:
        with self._lock:
            self._clock.wait(ticket, seconds)


class SilentRelease(LocalSlots):
    """Tells nobody that there is room again."""

    def _call_firsts(self) -> None:
        pass


class SilentLeaver(Row):
    """Who leaves its line tells the next one nothing."""

    def leave(self, ticket: Ticket) -> None:
        first, *others = self.line
        super().leave(ticket)
        if first is ticket and others:
            others[0].is_called = False


class Scene:
    """Callers of one target before their first step."""

    def __init__(self, name: str, engine: type[LocalSlots], row: type[Row]) -> None:
        self.clock = Sleepers()
        self.gauges: list[Gauge] = []
        self.callers = list(self._callers(name, engine, row))

    def _callers(self, name: str, engine: type[LocalSlots], row: type[Row]) -> Iterator[Caller]:
        lock, clock = threading.Lock(), self.clock
        scenes: dict[str, list[list[Gauge]]] = {
            "places": [[MaxConcurrent(1)]],
            "slots given back": [[RequestsPerMinute(1)], [MaxConcurrent(2)]],
            "tokens settled": [[TokensPerMinute(14)]],
            "one leaves": [[MaxConcurrent(1)], [TokensPerMinute(100)]],
        }
        rows = scenes[name]
        self.gauges = [gauge for each in rows for gauge in each]
        slots = engine([row(name, each, max_queue=9, max_wait=1e9, lock=lock) for each in rows], clock)
        for number in range(3):
            yield Caller(
                slots,
                Need(1, 10, 1),
                used=2 if name == "tokens settled" else 0,
                sends=name != "slots given back",
                leaves=name == "one leaves" and number == 1,
            )

    def play(self, path: tuple[int, ...]) -> None:
        for number in path:
            self.callers[number].step(self.clock)
            for gauge in self.gauges:
                assert gauge.used(self.clock.monotonic()) <= gauge.limit

    def state(self) -> tuple[object, ...]:
        """What the next steps depend on."""
        callers = tuple((each.at, each.ticket is not None and each.ticket.is_called) for each in self.callers)
        line = tuple(
            number
            for ticket in self.callers[0].slots._rows[0].tickets()
            for number, each in enumerate(self.callers)
            if each.ticket is ticket
        )
        return callers, line, tuple(gauge.used(self.clock.monotonic()) for gauge in self.gauges)


def explore(name: str, engine: type[LocalSlots] = LocalSlots, row: type[Row] = Row) -> tuple[int, set[str]]:
    """The number of states, and what was found wrong in those from which no step leads on."""
    seen: set[object] = set()
    paths: list[tuple[int, ...]] = [()]
    wrong: set[str] = set()
    while paths:
        path = paths.pop()
        scene = Scene(name, engine, row)
        scene.play(path)
        if scene.state() in seen:
            continue
        seen.add(scene.state())
        able = [number for number, each in enumerate(scene.callers) if each.can_step(scene.clock)]
        paths += [(*path, number) for number in able]
        if not able and any(each.at != "over" for each in scene.callers):
            wrong.add("one sleeps for ever")
        if not able and any(row.line for row in scene.callers[0].slots._rows):
            wrong.add("one stays in the line")
    return len(seen), wrong


SCENES: Final = ("places", "slots given back", "tokens settled", "one leaves")


@pytest.mark.parametrize("name", SCENES)
def test_nobody_is_lost_in_any_order_of_steps(name: str) -> None:
    states, wrong = explore(name)
    assert not wrong
    assert states > 100, "the callers meet"


@pytest.mark.parametrize(
    ("name", "engine", "row"),
    [
        ("places", NoRecheck, Row),
        ("places", SilentRelease, Row),
        ("slots given back", SilentRelease, Row),
        ("tokens settled", SilentRelease, Row),
        ("one leaves", LocalSlots, SilentLeaver),
        ("one leaves", NoRecheck, Row),
    ],
)
def test_a_planted_fault_is_found(name: str, engine: type[LocalSlots], row: type[Row]) -> None:
    assert "one sleeps for ever" in explore(name, engine, row)[1]
