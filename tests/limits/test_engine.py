"""Both engines against a brute-force model: every number of a row, rows that share targets, lines, settling, reloads;
and where workers share the rows, calls of two workers, one of which dies.

Nothing sleeps here: the rules play the callers' threads one step at a time, and time passes when a rule says so.
"""

import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.limits import shared_line
from gateway.limits.cell_window import CELLS
from gateway.limits.gauges import (
    Gauge,
    MaxConcurrent,
    RequestsPerDay,
    RequestsPerMinute,
    TokensPerDay,
    TokensPerMinute,
)
from gateway.limits.row import Row, RowRules, Ticket
from gateway.limits.slot_rules import SlotGrant, SlotRules
from gateway.limits.slots import Need, Refused, Terms, Wait
from tests.support.fakes import FakeClock
from tests.support.limits import SharedRows, kept_in, like, rows_of

CELL: Final = 0.125
SECONDS: Final = CELLS * CELL
"""The length of every window here: its cells are an eighth of a second, which is exact as a float."""
QUEUE: Final = Terms(queue=True)
FIELDS: Final = {"requestsPerMinute": 0, "requestsPerDay": 0, "tokensPerMinute": 1, "tokensPerDay": 1}
MAKE: Final = (
    lambda limit: RequestsPerMinute(limit, SECONDS),
    lambda limit: RequestsPerDay(limit, SECONDS),
    lambda limit: TokensPerMinute(limit, SECONDS),
    lambda limit: TokensPerDay(limit, SECONDS),
    MaxConcurrent,
)


@dataclass(eq=False)
class Caller:
    """What the model knows of a call."""

    need: Need
    rows: tuple[int, ...]
    slots: SlotRules
    ticket: Ticket | None = None
    grant: SlotGrant | None = None
    granted: float = 0.0
    sent: float | None = None
    tokens: int = 0
    over: bool = False
    asked: float = 0.0
    sleeps: float = 0.0
    dropped: set[str] = field(default_factory=set)


class EngineMachine(RuleBasedStateMachine):
    """Callers of three targets, whose rows overlap: the first and the last row belong to two targets each."""

    @initialize(
        rows=st.lists(
            st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=5), min_size=3, max_size=3
        )
    )
    def start(self, rows: list[list[tuple[int, int]]]) -> None:
        self.clock = FakeClock()
        gauges = [[MAKE[kind](limit) for kind, limit in dict(row).items()] for row in rows]
        self.workers = self.made(gauges)
        self.rows: Sequence[RowRules] = self.workers[0].rows
        first, last = self.workers[0], self.workers[-1]
        self.targets = [((0, 1), first.slots(0, 1)), ((1, 2), last.slots(1, 2)), ((0, 1, 2), last.slots(0, 1, 2))]
        self.callers: list[Caller] = []
        self.line: list[Caller] = []

    def made(self, gauges: Sequence[Sequence[Gauge]]) -> list[Any]:
        """The rows, as each worker has them."""
        return list(rows_of(gauges, clock=self.clock, max_queue=9, max_wait=1e9))

    def lock(self, worker: Any) -> AbstractContextManager[object]:
        """What a worker's rows belong to."""
        return cast("Row", worker.rows[0]).lock

    def is_of(self, caller: Caller, worker: Any) -> bool:
        """Whether the worker has the call."""
        return True

    # The model ----------------------------------------------------------------------------------------------------

    def used(self, row: int, gauge: Gauge, late: float = 0.0) -> int:
        """What counts now; with `late`, as if each amount stayed so long beyond its window."""
        now, total = self.clock.monotonic(), 0
        for caller in self.callers:
            if caller.grant is None or row not in caller.rows:
                continue
            if gauge.unit == "maxConcurrent":
                total += 0 if caller.over else caller.need.places
            elif gauge.unit == "requestsPerMinute":
                since = caller.granted if caller.sent is None else caller.sent
                gone = caller.over and caller.sent is None
                total += not gone and gauge.unit not in caller.dropped and since + SECONDS > now
            else:
                amount = (1, caller.tokens)[FIELDS[gauge.unit]]
                gone = caller.over if caller.sent is None else caller.sent + SECONDS + late <= now
                total += 0 if gone else amount
        return total

    def fits(self, caller: Caller, late: float = 0.0) -> bool:
        """Whether every number of every row has room for the call and for all before it."""
        ahead = self.line[: self.line.index(caller)] if caller in self.line else self.line
        for row in caller.rows:
            before = [other.need for other in ahead if row in other.rows]
            for gauge in self.rows[row].gauges:
                amount = min(caller.need[gauge.of], gauge.limit)
                if amount and self.used(row, gauge, late) + sum(n[gauge.of] for n in before) + amount > gauge.limit:
                    return False
        return True

    def asks(self, caller: Caller, terms: Terms) -> None:
        surely, perhaps = self.fits(caller, CELL), self.fits(caller)
        answer = caller.slots.ask(caller.ticket, caller.need, terms)
        caller.asked = self.clock.monotonic()
        if isinstance(answer, SlotGrant):
            assert perhaps, "a window holds more than its limit, or another one was overtaken to its cost"
            caller.grant, caller.granted, caller.tokens = answer, self.clock.monotonic(), caller.need.tokens
            self.callers.append(caller)
        else:
            assert not surely, "there was room for it and for all before it"
        if caller in self.line and not isinstance(answer, Wait):
            self.line.remove(caller)
        if isinstance(answer, Wait):
            caller.ticket, caller.sleeps = answer.ticket, answer.seconds
            if caller not in self.line:
                self.line.append(caller)
        if isinstance(answer, Refused):
            assert answer.seconds > 0 and " used" in answer.why and "free in" in answer.why

    # The rules ----------------------------------------------------------------------------------------------------

    @rule(eighths=st.integers(0, 40))
    def time_passes(self, eighths: int) -> None:
        self.clock.advance(eighths * CELL)

    @rule(eighths=st.integers(-2, 3))
    def a_window_passes(self, eighths: int) -> None:
        self.clock.advance(SECONDS + eighths * CELL)

    @rule(which=st.integers(0, 2), tokens=st.integers(0, 8), queue=st.booleans(), places=st.integers(0, 1))
    def one_comes(self, which: int, tokens: int, queue: bool, places: int) -> None:
        rows, slots = self.targets[which]
        self.asks(Caller(Need(1, tokens, places), rows, slots), QUEUE if queue else Terms())

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def one_that_waits_asks_again(self, data: st.DataObject) -> None:
        self.asks(data.draw(st.sampled_from(self.line)), QUEUE)

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def one_that_waits_leaves(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from(self.line))
        assert caller.ticket is not None
        for _ in range(2):
            caller.slots.leave(caller.ticket)
        self.line.remove(caller)

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def one_is_sent(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from(self.callers))
        now = self.clock.monotonic()
        assert caller.grant is not None
        caller.slots.sent(caller.grant)
        if caller.sent is None and not caller.over:
            if caller.granted + SECONDS <= now:  # the window of times has forgotten it, as it always did
                caller.dropped.add("requestsPerMinute")
            caller.sent = now

    @precondition(lambda self: self.callers)
    @rule(data=st.data(), tokens=st.integers(0, 12))
    def one_is_settled(self, data: st.DataObject, tokens: int) -> None:
        caller = data.draw(st.sampled_from(self.callers))
        assert caller.grant is not None
        caller.slots.settle(caller.grant, tokens)
        counts = any(gauge.is_held for row in caller.rows for gauge in self.rows[row].gauges if caller.need[gauge.of])
        if caller.sent is not None and not caller.over and counts and caller.need.tokens:
            caller.tokens = tokens

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def one_ends(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from(self.callers))
        assert caller.grant is not None
        for _ in range(2):
            caller.slots.release(caller.grant)
        caller.over = True

    @rule(row=st.integers(0, 2), data=st.data())
    def a_number_changes(self, row: int, data: st.DataObject) -> None:
        place, limit = data.draw(st.integers(0, len(self.rows[row].gauges) - 1)), data.draw(st.integers(1, 6))
        for worker in self.workers:
            changed = worker.rows[row]
            with self.lock(worker):
                changed.gauges[place].configure(limit)
                worker.claim()
                changed.configure(changed.gauges, max_queue=9, max_wait=1e9)

    @invariant()
    def every_number_counts_what_the_model_counts(self) -> None:
        for worker in self.workers:
            with self.lock(worker):
                for number, row in enumerate(worker.rows):
                    self.counts_right(worker, number, row)

    def counts_right(self, worker: Any, number: int, row: RowRules) -> None:
        for gauge in row.gauges:
            least, most = self.used(number, gauge), self.used(number, gauge, CELL)
            assert least <= gauge.used(self.clock.monotonic()) <= most, gauge.unit
        waiting = [caller for caller in self.line if number in caller.rows]
        assert len(row.line) == len(waiting)
        assert list(row.tickets()) == [each.ticket for each in waiting if self.is_of(each, worker)]

    @invariant()
    def the_first_of_all_lines_does_not_sleep_when_it_has_room(self) -> None:
        now = self.clock.monotonic()
        for caller in self.line[:1]:
            assert caller.ticket is not None
            is_awake = caller.ticket.is_called or caller.asked + caller.sleeps <= now
            assert is_awake or not self.fits(caller, CELL)


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(stateful_step_count=40)


class SharedEngineMachine(EngineMachine):
    """Two workers share the rows. Calls of the first target are worker 0's, all others worker 1's, which may die."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = ExitStack()
        self.kept.enter_context(kept_in("shared"))
        patch = self.kept.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(shared_line, "ALIVE", math.inf)  # here who waits asks only when a rule says so

    def teardown(self) -> None:
        self.kept.close()

    def made(self, gauges: Sequence[Sequence[Gauge]]) -> list[Any]:
        return list(rows_of(gauges, clock=self.clock, workers=2, max_queue=9, max_wait=1e9))

    def lock(self, worker: Any) -> AbstractContextManager[object]:
        return cast("SharedRows", worker).blocks.words

    def is_of(self, caller: Caller, worker: Any) -> bool:
        return (caller.rows == (0, 1)) is (worker is self.workers[0])

    @rule()
    def worker_1_dies_and_another_one_comes(self) -> None:
        dead, now = self.workers[1], self.clock.monotonic()
        self.workers[0].forget(1)
        self.line = [caller for caller in self.line if not self.is_of(caller, dead)]
        for caller in self.callers:
            if self.is_of(caller, dead) and not caller.over:
                assert caller.grant is not None
                caller.grant.is_open = False  # nobody tells what becomes of it
                if caller.sent is None and caller.granted + SECONDS <= now:
                    caller.dropped.add("requestsPerMinute")
                caller.sent = now if caller.sent is None else caller.sent
                caller.over = True
        self.workers[1] = last = self.workers[0].successor([list(map(like, row.gauges)) for row in self.rows], 1)
        self.targets[1:] = [((1, 2), last.slots(1, 2)), ((0, 1, 2), last.slots(0, 1, 2))]

    @invariant()
    def the_first_of_all_lines_does_not_sleep_when_it_has_room(self) -> None:
        """Nobody is called in another process; each looks again by itself."""


if sys.platform != "win32":
    TestSharedEngineMachine = SharedEngineMachine.TestCase
    TestSharedEngineMachine.settings = settings(stateful_step_count=40)
