"""Rows and engines for tests, in this process's memory or in words that processes share, and what of them is used."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest

from gateway.core.clock import Clock
from gateway.limits.cell_window import CellWindow
from gateway.limits.engine import LimitEngine
from gateway.limits.gauges import (
    Gauge,
    MaxConcurrent,
    RequestsPerDay,
    RequestsPerMinute,
    TokensPerDay,
    TokensPerMinute,
)
from gateway.limits.local_engine import LocalEngine
from gateway.limits.local_slots import LocalSlots
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.row import Row, RowRules
from gateway.limits.shared_engine import SharedEngine
from gateway.limits.shared_forget import LAYOUT, forget
from gateway.limits.shared_gauges import SharedCells, SharedPlaces
from gateway.limits.shared_line import SharedLine
from gateway.limits.shared_row import SharedRow
from gateway.limits.shared_slots import SharedSlots
from gateway.limits.shared_window import SharedRequests
from gateway.limits.slot_rules import SlotRules
from gateway.limits.slots import MINUTE
from gateway.sharing.blocks import Blocks

ENGINES = ("local", pytest.param("shared", marks=pytest.mark.skipif(sys.platform == "win32", reason="no flock")))
"""The engines over which the same tests run."""


CELLS = (RequestsPerDay, TokensPerMinute, TokensPerDay)


class Rows(Protocol):
    """Rows of one provider, as one worker has them."""

    rows: Sequence[RowRules]

    def slots(self, *numbers: int) -> SlotRules: ...


class LocalRows:
    """Rows in this process's memory."""

    def __init__(self, made: Sequence[Row], clock: Clock) -> None:
        self.rows, self._clock = made, clock

    def slots(self, *numbers: int) -> LocalSlots:
        return LocalSlots([self.rows[number] for number in numbers], self._clock)

    def claim(self) -> None:
        """Limits may change at any time."""


class SharedRows:
    """Rows in a file that processes share, as worker `number` has them."""

    def __init__(self, file: Path, rows: Sequence[Sequence[Gauge]], clock: Clock, number: int, **terms: Any) -> None:
        self.number, self._clock, self._file, self._terms = number, clock, file, dict(terms)
        self.blocks = Blocks(file, LAYOUT, number)
        name, queue = terms.pop("name"), terms["max_queue"]
        self.rows, self._claimed = [], []
        for place, gauges in enumerate(rows):
            made = [shared(gauge, f"{place} {gauge.unit}", number) for gauge in gauges]
            line = SharedLine(f"{place} line", 2 * queue * len(rows), number)
            self.rows.append(SharedRow(name, made, line, **terms))
            self._claimed += [line, *made]
        with self.blocks.words:
            self.claim()

    def claim(self) -> None:
        """Have blocks that are large enough for the limits now."""
        self.blocks.claim(self._claimed)

    def slots(self, *numbers: int) -> SlotRules:
        return SharedSlots([self.rows[number] for number in numbers], self.blocks.words, self._clock)

    def successor(self, rows: Sequence[Sequence[Gauge]], number: int) -> "SharedRows":
        """The same rows, as another process has them that has just begun."""
        return SharedRows(self._file, rows, self._clock, number, **self._terms)

    def forget(self, worker: int) -> None:
        """A worker is dead."""
        forget(self.blocks, worker, self._clock)


def like(gauge: Any) -> Gauge:
    """A gauge of this process's memory with the numbers of a shared one."""
    if isinstance(gauge, SharedRequests):
        return RequestsPerMinute(gauge.limit, gauge.seconds)
    if isinstance(gauge, SharedPlaces):
        return MaxConcurrent(gauge.limit)
    return next(each(gauge.limit, gauge.seconds) for each in CELLS if each.unit == gauge.unit)


def shared(gauge: Gauge, name: str, number: int) -> Any:
    """The gauge over shared words that counts the same."""
    if isinstance(gauge, RequestsPerMinute):
        return SharedRequests(name, gauge.limit, number, gauge._window.seconds)
    if isinstance(gauge, CellWindow):
        return SharedCells(name, gauge.limit, number, type(gauge), gauge.seconds)  # type: ignore[arg-type]
    return SharedPlaces(name, gauge.limit, number)


class _Kept:
    """Where tests have their rows: in memory, or in files of a folder."""

    folder: Path | None = None
    files = 0

    def new_file(self) -> Path:
        assert self.folder is not None
        self.files += 1
        return self.folder / f"rows-{self.files}"


_kept = _Kept()


@contextmanager
def kept_in(engine: str) -> Iterator[None]:
    """Have the rows that are made within on that engine."""
    if engine == "local":
        yield
        return
    with TemporaryDirectory() as folder:
        before, _kept.folder = _kept.folder, Path(folder)
        try:
            yield
        finally:
            _kept.folder = before


def engine_of(clock: Clock) -> LimitEngine:
    """An engine with no rows yet."""
    if _kept.folder is None:
        return LocalEngine(clock)
    return SharedEngine(_kept.folder, _kept.new_file().name, 0, clock)


def requests_row(
    name: str, limit: int, *, max_queue: int, max_wait: float, clock: Clock, window: float = MINUTE
) -> RateLimiter:
    """The limits of a target with one row, which counts requests."""
    return RateLimiter(
        name, slots([RequestsPerMinute(limit, window)], clock=clock, name=name, max_queue=max_queue, max_wait=max_wait)
    )


def slots(
    *rows: Sequence[Gauge], clock: Clock, name: str = "p", max_queue: int = 50, max_wait: float = 1e6
) -> SlotRules:
    """An engine with so many rows of these gauges."""
    made: Rows = rows_of(rows, clock=clock, name=name, max_queue=max_queue, max_wait=max_wait)[0]
    return made.slots(*range(len(rows)))


def rows_of(
    rows: Sequence[Sequence[Gauge]], *, clock: Clock, workers: int = 1, row: Callable[..., Row] = Row, **terms: Any
) -> Sequence[Any]:
    """So many rows of these gauges, as each of the workers has them; in memory there is only one."""
    terms = {"name": "p", "max_queue": 50, "max_wait": 1e6, **terms}
    if _kept.folder is None:
        lock = threading.Lock()
        name = terms.pop("name")
        return [LocalRows([row(name, gauges, lock=lock, **terms) for gauges in rows], clock)]
    file = _kept.new_file()
    return [SharedRows(file, rows, clock, number, **terms) for number in range(workers)]


def used(limiter: RateLimiter) -> int:
    """What counts now of the first number of the first row."""
    return limiter.status()[0].units[0].used
