"""Budgets that worker processes share, against a model that keeps every call of every worker."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.clients.budget import BudgetView, Reservation
from gateway.clients.periods import Per, period
from gateway.clients.shared_budgets import SharedBudgets
from gateway.clients.shared_engines import forget_worker
from tests.support.fakes import FakeClock

if sys.platform == "win32":
    pytest.skip("no flock on Windows", allow_module_level=True)

WORKERS = 2
PERS: tuple[Per, ...] = ("day", "week", "month", "total")
START = 1_764_000_000.0


class Call:
    """A call of the model: whose it is, when it came, what it reserves, and whether it is in the present count."""

    def __init__(self, worker: int, at: float, reserved: int, reservation: Reservation) -> None:
        self.worker, self.at, self.reserved, self.reservation = worker, at, reserved, reservation
        self.counts = True


class SharedBudgetMachine(RuleBasedStateMachine):
    """Workers reserve, settle, take reloads over one after the other, and die."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.clock = FakeClock(START)
        self.per: Per = "day"
        self.begins = period(self.per, START).begins
        self.spent: list[tuple[float, int]] = []
        self.calls: list[Call] = []
        self.workers = [self.worker(number) for number in range(WORKERS)]

    def teardown(self) -> None:
        for each in self.workers:
            each.close()
        self.folder.cleanup()

    def worker(self, number: int) -> SharedBudgets:
        made = SharedBudgets(Path(self.folder.name), number, self.clock)
        made.configure("ci", self.per, 100, self.spent_since)
        return made

    def spent_since(self, since: float) -> int:
        return sum(cost for at, cost in self.spent if at >= since)

    def reserved(self) -> int:
        return sum(call.reserved for call in self.calls if call.counts)

    @rule(worker=st.integers(0, WORKERS - 1), micros=st.integers(0, 60), is_free=st.booleans())
    def one_comes(self, worker: int, micros: int, is_free: bool) -> None:
        micros, now = 0 if is_free else micros, self.clock.wall()
        left = 100 - self.spent_since(self.begins) - self.reserved()
        found = self.workers[worker].reserve("ci", now, micros, is_free=is_free)
        assert isinstance(found, BudgetView) is not (is_free or (left > 0 and micros <= left))
        if not isinstance(found, BudgetView):
            self.calls.append(Call(worker, now, micros, found))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), cost=st.integers(0, 90))
    def one_ends(self, data: st.DataObject, cost: int) -> None:
        call = data.draw(st.sampled_from(self.calls))
        for _ in range(2):
            self.workers[call.worker].settle("ci", call.reservation, cost)
        self.calls.remove(call)
        self.spent.append((call.at, cost))

    @rule(hours=st.sampled_from([0.001, 1, 13, 24, 24 * 9, 24 * 40]))
    def time_passes(self, hours: float) -> None:
        self.clock.advance(hours * 3600)
        begins = period(self.per, self.clock.wall()).begins
        if begins != self.begins:
            self.begins = begins
            for call in self.calls:
                call.counts = False

    @rule(per=st.sampled_from(PERS))
    def all_take_another_period_over(self, per: Per) -> None:
        self.per, self.begins = per, period(per, self.clock.wall()).begins
        for each in self.workers:
            each.configure("ci", per, 100, self.spent_since)

    @rule(worker=st.integers(0, WORKERS - 1), parent=st.booleans())
    def a_worker_dies_and_another_comes(self, worker: int, parent: bool) -> None:
        self.workers[worker].close()
        self.calls = [call for call in self.calls if call.worker != worker]
        if parent:
            forget_worker(Path(self.folder.name), worker)
            assert self.workers[1 - worker].views()["ci"].reserved == self.reserved()
        self.workers[worker] = self.worker(worker)

    @invariant()
    def all_workers_see_what_the_model_sees(self) -> None:
        for each in self.workers:
            view = each.views()["ci"]
            assert (view.spent, view.reserved) == (self.spent_since(self.begins), self.reserved())
            assert view.limit == 100 and view.ends > self.clock.wall()


TestSharedBudget = SharedBudgetMachine.TestCase
TestSharedBudget.settings = settings(stateful_step_count=40, deadline=None)


def test_only_the_first_worker_that_needs_it_counts_what_the_ledger_knows(tmp_path: Path) -> None:
    clock = FakeClock(START)
    first, second = (SharedBudgets(tmp_path, number, clock) for number in range(2))
    first.configure("ci", "day", 100, lambda since: 7)
    second.configure("ci", "day", 100, lambda since: 1 // 0)
    assert second.views()["ci"].spent == 7


def test_a_client_that_comes_later_leaves_the_others_what_they_have(tmp_path: Path) -> None:
    clock = FakeClock(START)
    first, second = (SharedBudgets(tmp_path, number, clock) for number in range(2))
    for each in (first, second):
        each.configure("ci", "day", 100, lambda since: 0)
    held = first.reserve("ci", START, 40, is_free=False)
    assert isinstance(held, Reservation)
    second.configure("new", "total", 9, lambda since: 5)
    first.settle("ci", held, 30)
    assert second.views()["ci"].spent == 30
    assert (second.views()["new"].spent, list(first.views())) == (5, ["ci"])
