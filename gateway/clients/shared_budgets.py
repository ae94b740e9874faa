"""The budgets of clients in words that worker processes share: amounts, with what each worker has reserved of them.

The arithmetic is that of gateway.clients.budget. What belongs to a call is its own worker's: its reservation, and in
which count of the budget it is. A new period begins a new count; what was reserved in an earlier one is not in it.
Where a reload changes the period itself, the count goes on, so that calls under way are reserved for until they end.
What a dead worker had reserved is free again; what its calls cost nobody has told.

Who touches what: budgets belong to whoever is in a step of their file. The ledger is read outside it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.clients.budget import Budget, BudgetView, Reservation
from gateway.clients.periods import Per, Period, period
from gateway.core.clock import Clock
from gateway.sharing.blocks import Block, Blocks, Shape
from gateway.sharing.workers import MAX_WORKERS

FILE: Final = "clients.budgets"
LAYOUT: Final = "budgets 1"
_PER, _SPENT, _RESERVED, _BEGINS, _ENDS, _COUNT, _RESERVED_BY = range(7)
"""The fields of a block: the kind of period from 1, 0 where nothing is known yet; what is spent and reserved; the
period; the number of the count; what each worker has reserved."""
_SHAPE: Final = Shape(1, _RESERVED_BY + MAX_WORKERS, 3 * MAX_WORKERS)
_PERS: Final[tuple[Per, ...]] = ("day", "week", "month", "total")


class SharedBudget(Block, Budget):
    """A budget in a block of its own.

    Args:
        name: of its block.
        limit: as in Budget.
        number: this worker's.
    """

    def __init__(self, name: str, limit: int, number: int) -> None:
        self.limit = limit
        self._mine = _RESERVED_BY + number
        self._open = set[Reservation]()
        self._counts: dict[Reservation, int] = {}
        Block.__init__(self, name, _SHAPE)

    @property
    def is_known(self) -> bool:
        """Some worker has told what was spent before."""
        return self._ints[self._at] != 0

    @property
    def per(self) -> Per:
        return _PERS[self._ints[self._at] - 1]

    @per.setter
    def per(self, per: Per) -> None:
        self._put(self._at, _PERS.index(per) + 1)

    @property
    def _spent(self) -> int:
        return self._ints[self._at + _SPENT]

    @_spent.setter
    def _spent(self, micros: int) -> None:
        self._put(self._at + _SPENT, micros)

    @property
    def _reserved(self) -> int:
        return self._ints[self._at + _RESERVED]

    @_reserved.setter
    def _reserved(self, micros: int) -> None:
        mine = self._at + self._mine
        self._put(mine, self._ints[mine] + micros - self._reserved)
        self._put(self._at + _RESERVED, micros)

    @property
    def _period(self) -> Period:
        return Period(self._floats[self._at + _BEGINS], self._floats[self._at + _ENDS])

    @_period.setter
    def _period(self, present: Period) -> None:
        self._put_float(self._at + _BEGINS, present.begins)
        self._put_float(self._at + _ENDS, present.ends)

    def change(self, per: Per, spent: int, now: float) -> None:
        self.per = per
        self._period, self._spent = period(per, now), spent

    def reserve(self, at: float, micros: int, *, is_free: bool = False) -> Reservation | None:
        reservation = super().reserve(at, micros, is_free=is_free)
        if reservation is not None:
            self._counts[reservation] = self._ints[self._at + _COUNT]
        return reservation

    def forget(self, worker: int) -> None:
        """A worker is dead: what it had reserved is free."""
        mine = self._at + _RESERVED_BY + worker
        self._put(self._at + _RESERVED, self._reserved - self._ints[mine])
        self._put(mine, 0)

    def _give_back(self, reservation: Reservation) -> None:
        if self._counts.pop(reservation) == self._ints[self._at + _COUNT]:
            self._reserved -= reservation.micros

    def _begin(self, present: Period, spent: int) -> None:
        self._period, self._spent = present, spent
        at = self._at
        self._put(at + _COUNT, self._ints[at + _COUNT] + 1)
        for place in (at + _RESERVED, *range(at + _RESERVED_BY, at + _RESERVED_BY + MAX_WORKERS)):
            if self._ints[place]:
                self._put(place, 0)


class SharedBudgets:
    """Implements gateway.clients.budget_engine.BudgetEngine.

    Args:
        folder: the run directory, private to the user, of all workers.
        number: this worker's. What an earlier process of this number had reserved is free.
        clock: the time.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, folder: Path, number: int, clock: Clock) -> None:
        self._number = number
        self._clock = clock
        self._blocks = Blocks(folder / FILE, LAYOUT, number)
        self._budgets: dict[str, SharedBudget] = {}
        forget(self._blocks, number)

    def configure(self, client: str, per: Per, limit: int, spent_since: Callable[[float], int]) -> None:
        now = self._clock.wall()
        with self._blocks.words:
            budget = self._budgets.get(client)
            if budget is None:
                budget = self._budgets[client] = SharedBudget(client, limit, self._number)
                self._blocks.claim(list(self._budgets.values()))
            budget.configure(limit)
            if budget.is_known and budget.per == per:
                return
        spent = spent_since(period(per, now).begins)
        with self._blocks.words:
            if not budget.is_known or budget.per != per:  # else another worker was first, and calls have been since
                budget.change(per, spent, now)

    def reserve(self, client: str, at: float, micros: int, *, is_free: bool) -> Reservation | BudgetView:
        with self._blocks.words:
            budget = self._budgets[client]
            return budget.reserve(at, micros, is_free=is_free) or budget.view(at)

    def settle(self, client: str, reservation: Reservation, micros: int) -> None:
        if reservation.is_open:
            with self._blocks.words:
                self._budgets[client].settle(reservation, micros)

    def views(self) -> Mapping[str, BudgetView]:
        with self._blocks.words:
            now = self._clock.wall()
            return {name: budget.view(now) for name, budget in self._budgets.items() if budget.is_known}

    def close(self) -> None:
        self._blocks.words.close()


def forget(blocks: Blocks, worker: int) -> None:
    """What a dead worker had reserved is free.

    Args:
        blocks: of the file.
        worker: its number.
    """
    with blocks.words:
        for place in blocks.places.values():
            budget = SharedBudget("", 0, worker)
            budget.bind(blocks.words, place.at)
            budget.forget(worker)
