"""A client's budget against a model that keeps every call and adds up anew for every question."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.clients.budget import Budget, Reservation
from gateway.clients.budget_engine import BudgetEngine
from gateway.clients.budgets import Budgets, dollars
from gateway.clients.local_budgets import LocalBudgets
from gateway.clients.periods import Per, period
from gateway.clients.shared_budgets import SharedBudgets
from gateway.config.clients import Budget as BudgetSettings
from gateway.config.clients import Client
from gateway.core.clock import Clock
from gateway.core.errors import BudgetExhausted
from tests.support.examples import examples
from tests.support.fakes import FakeClock
from tests.support.limits import ENGINES

PERS: tuple[Per, ...] = ("day", "week", "month", "total")
START = 1_764_000_000.0
Made = Callable[[Clock], BudgetEngine]


class Call:
    """A call of the model: when it came, what it reserves, and what it has cost."""

    def __init__(self, at: float, reserved: int, reservation: Reservation) -> None:
        self.at = at
        self.reserved = reserved
        self.reservation = reservation
        self.cost: int | None = None


class BudgetMachine(RuleBasedStateMachine):
    """Calls come, are refused, end and outlive their period; reloads change the number and the period."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.per: Per = "day"
        self.limit = 100
        self.budget = Budget(self.per, self.limit, 0, self.now)
        self.calls: list[Call] = []

    def in_period(self) -> list[Call]:
        begins = period(self.per, self.now).begins
        return [call for call in self.calls if call.at >= begins]

    def spent(self) -> int:
        return sum(call.cost or 0 for call in self.in_period())

    def reserved(self) -> int:
        return sum(call.reserved for call in self.in_period() if call.cost is None)

    @rule(micros=st.integers(0, 60), is_free=st.booleans())
    def come(self, micros: int, is_free: bool) -> None:
        micros = 0 if is_free else micros
        left = self.limit - self.spent() - self.reserved()
        made = self.budget.reserve(self.now, micros, is_free=is_free)
        assert (made is not None) == (is_free or (left > 0 and micros <= left))
        if made is not None:
            self.calls.append(Call(self.now, micros, made))

    @precondition(lambda self: any(call.cost is None for call in self.calls))
    @rule(data=st.data(), cost=st.integers(0, 90), again=st.integers(0, 90))
    def end(self, data: st.DataObject, cost: int, again: int) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if call.cost is None]))
        self.budget.settle(call.reservation, cost)
        self.budget.settle(call.reservation, again)
        call.cost = cost

    @rule(hours=st.sampled_from([0.001, 1, 13, 24, 24 * 9, 24 * 40]))
    def time_passes(self, hours: float) -> None:
        self.now += hours * 3600

    @rule(limit=st.integers(1, 200))
    def reload_with_another_number(self, limit: int) -> None:
        self.limit = limit
        self.budget.configure(limit)

    @rule(per=st.sampled_from(PERS))
    def reload_with_another_period(self, per: Per) -> None:
        self.per = per
        self.budget.change(per, self.spent(), self.now)

    @rule()
    def restart(self) -> None:
        """Calls under way end with the process; the ledger knows the others."""
        self.calls = [call for call in self.calls if call.cost is not None]
        self.budget = Budget(self.per, self.limit, self.spent(), self.now)

    @invariant()
    def it_is_the_models(self) -> None:
        view = self.budget.view(self.now)
        assert (view.spent, view.reserved) == (self.spent(), self.reserved())
        assert view.limit == self.limit and view.ends > self.now


TestBudget = BudgetMachine.TestCase
TestBudget.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)


@pytest.fixture(params=["UTC", "Europe/Berlin", "Asia/Seoul", "America/Los_Angeles"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if not hasattr(time, "tzset"):
        pytest.skip("this system has no tzset")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_periods_meet_at_local_midnights(zone: str, per: Per) -> None:
    at = time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, -1))
    found = period(per, at)
    for _ in range({"day": 400, "week": 60, "month": 26}[per]):
        begins = datetime.fromtimestamp(found.begins, UTC).astimezone()
        assert (begins.hour, begins.minute, begins.second) == (0, 0, 0)
        assert {"day": True, "week": begins.weekday() == 0, "month": begins.day == 1}[per]
        for moment in (found.begins, (found.begins + found.ends) / 2, math.nextafter(found.ends, 0)):
            assert period(per, moment) == found
        length = timedelta(seconds=found.ends - found.begins)
        longest = {"day": timedelta(hours=25), "week": timedelta(days=7, hours=1), "month": timedelta(days=31, hours=1)}
        assert timedelta(hours=23) <= length <= longest[per]
        found = period(per, found.ends)


def test_a_total_never_begins_anew() -> None:
    assert period("total", START) == period("total", START * 2)
    assert period("total", START).ends == math.inf


def test_a_clock_that_is_set_back_gives_nothing_back() -> None:
    budget = Budget("day", 10, 0, START)
    first = budget.reserve(START, 10)
    assert first is not None
    assert budget.reserve(START - 86_400 * 3, 1) is None
    budget.settle(first, 10)
    assert budget.view(START - 86_400).spent == 10


def of(usd: float, per: Per = "day") -> Client:
    return Client(name="ci", key_hash="sha256:" + "0" * 64, budget=BudgetSettings(usd=usd, per=per))


@pytest.fixture(params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Makes an engine."""
    return LocalBudgets if request.param == "local" else partial(SharedBudgets, tmp_path, 0)


def test_a_reload_asks_the_ledger_only_about_what_is_new(made: Made) -> None:
    asked: list[tuple[str, float]] = []

    def spent_since(client: str, since: float) -> int:
        asked.append((client, since))
        return 7

    budgets = Budgets(made(clock := FakeClock()))
    budgets.configure([of(1)], spent_since)
    reservation = budgets.reserve("ci", clock.wall(), 100, is_free=False)
    budgets.settle("ci", reservation, 50)
    budgets.configure([of(2)], spent_since)
    assert len(asked) == 1
    assert (budgets.views()["ci"].spent, budgets.views()["ci"].limit) == (57, 2_000_000)
    budgets.configure([], spent_since)
    budgets.configure([of(2)], spent_since)
    assert (len(asked), budgets.views()["ci"].spent) == (1, 57)
    budgets.configure([of(2, "total")], spent_since)
    assert asked[1:] == [("ci", 0.0)]
    assert budgets.views()["ci"].spent == 7


def test_fifty_calls_at_once_do_not_see_the_same_rest(made: Made) -> None:
    clock = FakeClock()
    budgets = Budgets(made(clock))
    budgets.configure([of(3)], lambda client, since: 0)
    passed, barrier = [], threading.Barrier(50)

    def call() -> None:
        barrier.wait()
        try:
            passed.append(budgets.reserve("ci", clock.wall(), 1_000_000, is_free=False))
        except BudgetExhausted:
            return

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 3
    for reservation in passed:
        budgets.settle("ci", reservation, 900_000)
    assert budgets.views()["ci"].spent == 2_700_000
    assert budgets.views()["ci"].reserved == 0


def test_the_refusal_says_what_is_left_and_when_it_begins_anew(made: Made) -> None:
    budgets = Budgets(made(clock := FakeClock()))
    budgets.configure([of(0.05)], lambda client, since: 40_000)
    with pytest.raises(BudgetExhausted) as refused:
        budgets.reserve("ci", clock.wall(), 12_345, is_free=False)
    ends = time.strftime("%Y-%m-%d %H:%M", time.localtime(period("day", clock.wall()).ends))
    assert refused.value.message == (
        "This gateway's budget for the key 'ci' is not enough: $0.04 of $0.05 a day are spent; this call needs about "
        f"$0.012345. It begins anew at {ends} (local time)."
    )


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "$0.00"), (5_000_000, "$5.00"), (12_345, "$0.012345"), (1_234_500_000, "$1,234.50")]
)
def test_dollars(micros: int, text: str) -> None:
    assert dollars(micros) == text
