"""Steps over rows that worker processes share, stopped after every single store."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.gauges import Gauge, MaxConcurrent, RequestsPerDay, RequestsPerMinute, TokensPerMinute
from gateway.limits.slots import Need, Refused, Terms, Wait
from tests.support.fakes import FakeClock
from tests.support.limits import SharedRows, kept_in, rows_of
from tests.support.stores import interrupted

if sys.platform == "win32":
    pytest.skip("no flock on Windows", allow_module_level=True)

QUEUE = Terms(queue=True)
ONE = Need(1, 10, 1)
FULL: Sequence[Sequence[Gauge]] = ([RequestsPerMinute(3), TokensPerMinute(40)], [MaxConcurrent(2), RequestsPerDay(9)])


@given(steps=st.lists(st.tuples(st.sampled_from("atsrl"), st.integers(0, 5)), max_size=14), pause=st.floats(0, 90))
def test_a_step_that_dies_after_any_store_has_not_been(steps: list[tuple[str, int]], pause: float) -> None:
    """The last step of some dies: everything that counts and waits is as before, in every row."""
    with kept_in("shared"):
        clock = FakeClock()
        dying, survivor = rows_of(FULL, clock=clock, workers=2)
        play = Play(dying)
        for step in steps:
            play.step(*step)
        clock.advance(pause)
        old = seen(survivor)
        path = survivor.blocks.words._path
        *broken, whole = interrupted(dying.blocks.words, path, lambda: play.step("a", 0))
        for state in broken:
            path.write_bytes(state)
            assert seen(survivor) == old
        path.write_bytes(whole)
        assert seen(survivor) == seen(dying)


class Play:
    """Steps of the calls of one worker."""

    def __init__(self, rows: SharedRows) -> None:
        self.slots: Any = rows.slots(0, 1)
        self.grants: list[Any] = []
        self.tickets: list[Any] = []

    def step(self, what: str, which: int) -> None:
        if what == "a":
            ticket = self.tickets[which % len(self.tickets)] if self.tickets and which % 2 else None
            answer = self.slots.ask(ticket, ONE, QUEUE)
            if ticket is not None and not isinstance(answer, Wait):
                self.tickets.remove(ticket)
            if isinstance(answer, Wait) and ticket is None:
                self.tickets.append(answer.ticket)
            elif not isinstance(answer, (Wait, Refused)):
                self.grants.append(answer)
        elif what == "l" and self.tickets:
            self.slots.leave(self.tickets.pop(which % len(self.tickets)))
        elif what in "tsr" and self.grants:
            grant = self.grants[which % len(self.grants)]
            if what == "t":
                self.slots.settle(grant, which * 7)
            else:
                (self.slots.sent if what == "s" else self.slots.release)(grant)


def seen(rows: SharedRows) -> object:
    """What counts and waits, without a change of it."""
    with rows.blocks.words:
        return [bytes(memoryview(rows.blocks.words.raw))]
