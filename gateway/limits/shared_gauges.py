"""The numbers of a row in words that processes share: amounts in cells, and places.

The arithmetic is that of the gauges of one process, whose few numbers are words here. What a call holds (an amount that
was taken and has not left, a place) is counted for its worker as well as in all, so that what a dead worker held can be
told. An amount that it had not reported as sent may have left a moment before, so it counts as sent when the worker is
forgotten; its places are free.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from gateway.limits.cell_window import CELLS, CellWindow
from gateway.limits.gauges import (
    DURATIONS,
    TOKENS,
    MaxConcurrent,
    RequestsPerDay,
    TokensPerDay,
    TokensPerMinute,
)
from gateway.limits.shared_window import SharedRequests
from gateway.sharing.blocks import Block, Memory, Shape
from gateway.sharing.words import Words, bits_of
from gateway.sharing.workers import MAX_WORKERS

CELLS_KIND, PLACES_KIND = 2, 3
_SIZE: Final = CELLS + 1
_LAST, _SENT, _HELD, _FILLED, _SECONDS, _HELD_BY = range(6)
_AMOUNTS: Final = _HELD_BY + MAX_WORKERS
"""The fields of a block of cells: the newest cell, the sum of the cells, what is held, whether the past is known, the
window's length, what each worker holds, the cells."""
_TAKEN, _ENDED, _SPENT = range(3)
_TAKEN_BY: Final = _SPENT + DURATIONS
"""The fields of a block of places: places taken, calls that have ended, their last durations, what each worker has."""
_PLACES_SHAPE: Final = Shape(PLACES_KIND, _TAKEN_BY + MAX_WORKERS, 16)


class _Cells:
    """The cells of a block, as the list that a CellWindow has."""

    def __init__(self, block: "SharedCells") -> None:
        self._block = block

    def __getitem__(self, place: int) -> int:
        return self._block.cell(place)

    def __setitem__(self, place: int, amount: int) -> None:
        self._block.put_cell(place, amount)


class SharedCells(Block, CellWindow):
    """Implements gateway.limits.gauges.Gauge for an amount in cells.

    Args:
        name: of its block.
        limit: as in CellWindow.
        number: this worker's.
        like: the gauge of one process that counts the same.
        seconds: the window's length; that of `like` by default.

    Attributes:
        is_of_day: its window is one of a day, which is filled at a start.
    """

    is_timed = True

    def __init__(
        self,
        name: str,
        limit: int,
        number: int,
        like: type[RequestsPerDay | TokensPerMinute],
        seconds: float | None = None,
    ) -> None:
        local = like(limit) if seconds is None else like(limit, seconds)
        self.unit, self.of, self.is_held = local.unit, local.of, local.is_held
        self.limit = limit
        self._mine = _HELD_BY + number
        self._amounts = _Cells(self)
        self.is_of_day = local.unit.endswith("Day")
        seconds = local.seconds

        def make(new: memoryview) -> None:
            new[_SECONDS] = bits_of(seconds)

        Block.__init__(self, name, Shape(CELLS_KIND, _AMOUNTS + _SIZE, 3 * _SIZE + 64, make))

    def bind(self, words: Words | Memory, at: int) -> None:
        super().bind(words, at)
        self.seconds = self._floats[at + _SECONDS]
        self._cell = self.seconds / CELLS

    @property
    def _last(self) -> int:
        return self._ints[self._at]

    @_last.setter
    def _last(self, cell: int) -> None:
        self._put(self._at, cell)

    @property
    def _sent(self) -> int:
        return self._ints[self._at + _SENT]

    @_sent.setter
    def _sent(self, amount: int) -> None:
        self._put(self._at + _SENT, amount)

    @property
    def _held(self) -> int:
        return self._ints[self._at + _HELD]

    @_held.setter
    def _held(self, amount: int) -> None:
        ints, at = self._ints, self._at
        mine = at + self._mine
        self._put(mine, ints[mine] + amount - ints[at + _HELD])
        self._put(at + _HELD, amount)

    @property
    def is_filled(self) -> bool:
        """The window knows what was sent before it began."""
        return self._ints[self._at + _FILLED] != 0

    def cell(self, place: int) -> int:
        """The amount of a cell."""
        return self._ints[self._at + _AMOUNTS + place]

    def put_cell(self, place: int, amount: int) -> None:
        """Change the amount of a cell."""
        self._put(self._at + _AMOUNTS + place, amount)

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """A request counts as one, whatever it used."""
        if self.of == TOKENS:
            self.add(now, sent_at, change)

    def fill(self, now: float, uses: Iterable[tuple[float, int]]) -> None:
        """Count amounts and the times at which they left, before the window knew of any."""
        by_cell: dict[int, int] = {}
        for at, amount in uses:
            cell = int(at // self._cell)
            by_cell[cell] = by_cell.get(cell, 0) + amount
        for cell, amount in by_cell.items():
            self.add(now, self._begin(cell), amount)
        self._put(self._at + _FILLED, 1)

    def forget(self, worker: int, now: float) -> bool:
        """A worker is dead: what it had not sent counts as sent now. Returns that there is no more."""
        self.used(now)
        ints, at = self._ints, self._at
        held = ints[at + _HELD_BY + worker]
        if held:
            self._put(at + _HELD_BY + worker, 0)
            self._put(at + _HELD, ints[at + _HELD] - held)
            self.add(now, now, held)
        return False

    def _left(self, now: float, surplus: int) -> float:
        cells = self._at + _AMOUNTS
        amounts = self._ints[cells : cells + _SIZE].tolist()
        oldest = self._last - CELLS
        first = oldest % _SIZE
        for place, amount in enumerate(amounts[first:] + amounts[:first]):
            surplus -= amount
            if surplus <= 0:
                return max(now, self._begin(oldest + place + _SIZE))
        return now + self.seconds + self._cell

    def _clear(self) -> None:
        cells = self._at + _AMOUNTS
        for place, amount in enumerate(self._ints[cells : cells + _SIZE].tolist()):
            if amount:
                self._put(cells + place, 0)


class _Durations:
    """The last durations of a block of places, as the list that MaxConcurrent has."""

    def __init__(self, block: "SharedPlaces") -> None:
        self._block = block

    def __len__(self) -> int:
        return self._block.durations

    def __iter__(self) -> Iterator[float]:
        return iter([self._block.duration(place) for place in range(len(self))])

    def append(self, seconds: float) -> None:
        self._block.add_duration(seconds)


class SharedPlaces(Block, MaxConcurrent):
    """Implements gateway.limits.gauges.Gauge for requests under way.

    Args:
        name: of its block.
        limit: as in Gauge.
        number: this worker's.
    """

    def __init__(self, name: str, limit: int, number: int) -> None:
        self.limit = limit
        self._mine = _TAKEN_BY + number
        self._durations = _Durations(self)
        Block.__init__(self, name, _PLACES_SHAPE)

    @property
    def _taken(self) -> int:
        return self._ints[self._at]

    @_taken.setter
    def _taken(self, places: int) -> None:
        mine = self._at + self._mine
        self._put(mine, self._ints[mine] + places - self._taken)
        self._put(self._at, places)

    @property
    def durations(self) -> int:
        """How many durations are known."""
        return min(self._ints[self._at + _ENDED], DURATIONS)

    def duration(self, place: int) -> float:
        """One of them, in seconds."""
        return self._floats[self._at + _SPENT + place]

    def add_duration(self, seconds: float) -> None:
        """A call has ended; the oldest duration is forgotten."""
        ended = self._ints[self._at + _ENDED]
        self._put_float(self._at + _SPENT + ended % DURATIONS, seconds)
        self._put(self._at + _ENDED, ended + 1)

    def forget(self, worker: int, now: float) -> bool:
        """A worker is dead: its places are free. Returns that there is no more."""
        mine = self._at + _TAKEN_BY + worker
        self._put(self._at, self._taken - self._ints[mine])
        self._put(mine, 0)
        return False


SharedGauge: TypeAlias = SharedRequests | SharedCells | SharedPlaces

SHARED_UNITS: Final[Mapping[str, Callable[[str, int, int], SharedGauge]]] = MappingProxyType(
    {
        "max_concurrent": SharedPlaces,
        "requests_per_minute": SharedRequests,
        "tokens_per_minute": lambda name, limit, number: SharedCells(name, limit, number, TokensPerMinute),
        "requests_per_day": lambda name, limit, number: SharedCells(name, limit, number, RequestsPerDay),
        "tokens_per_day": lambda name, limit, number: SharedCells(name, limit, number, TokensPerDay),
    }
)
"""The gauge of each number that a row may have, by its attribute in the configuration."""
