"""The limits of all worker processes of one machine, in mapped files of their run directory.

All rows of a provider are in one file, so that a call takes from all of them in one step; providers are spread over a
few files. Each worker has an engine with its own number and takes configurations over by itself. What is granted, who
waits and what is full is known to all of them, and outlives each of them.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.limits.engine import PastUse, SlotsOf
from gateway.limits.row_key import RowKey
from gateway.limits.shared_forget import LAYOUT, SUFFIX, forget
from gateway.limits.shared_gauges import SHARED_UNITS, SharedCells, SharedGauge
from gateway.limits.shared_line import SharedLine
from gateway.limits.shared_row import SharedRow
from gateway.limits.shared_slots import SharedSlots
from gateway.limits.slots import Slots
from gateway.sharing.blocks import Blocks
from gateway.sharing.words import digest

FILES: Final = 8
"""Files of one engine, over which its providers are spread: more would cost descriptors, fewer would share locks."""


class SharedEngine:
    """Implements gateway.limits.engine.LimitEngine.

    Args:
        folder: the run directory, private to the user, of all workers.
        name: of the engine; engines of another name in the folder share nothing with it.
        number: this worker's. What an earlier process of this number held is given back.
        clock: the time; its monotonic seconds are those of all processes.

    Raises:
        OSError: a file cannot be made, from each method that needs one.
    """

    def __init__(self, folder: Path, name: str, number: int, clock: Clock) -> None:
        self._folder = folder
        self._name = name
        self._number = number
        self._clock = clock
        self._files: dict[int, Blocks] = {}
        self._held: Mapping[RowKey, _Held] = {}

    def configure(self, limits: Mapping[RowKey, RateLimit], served: Container[str] | None) -> SlotsOf:
        before, held, rooms = self._held, dict[RowKey, _Held](), _rooms(limits)
        for number in sorted({_file_of(key) for key in (*before, *limits)}):
            mine = [(key, limit) for key, limit in limits.items() if _file_of(key) == number]
            gone = [(key, each.row) for key, each in before.items() if _file_of(key) == number]
            blocks = self._file(number)
            with blocks.words:
                made = {key: self._made(key, before.get(key), limit, rooms[key.provider]) for key, limit in mine}
                blocks.claim([block for each in made.values() for block in (each.row.line, *each.gauges)])
                for key, limit in mine:
                    made[key].configure(limit)
                held |= made
                for key, row in gone:
                    if served is not None and key.provider not in served:
                        row.dismiss()
                    if key not in held:
                        row.lift()
        self._held = held
        files = dict(self._files)

        def slots_of(keys: Sequence[RowKey]) -> Slots:
            rows = [held[key].row for key in keys]
            return SharedSlots(rows, files[_file_of(keys[0])].words, self._clock)

        return slots_of

    def unfilled(self) -> Sequence[RowKey]:
        found: list[RowKey] = []
        for key, held in self._held.items():
            with self._file(_file_of(key)).words:
                if _unfilled(held):
                    found.append(key)
        return sorted(found, key=str)

    def refill(self, key: RowKey, uses: Iterable[PastUse]) -> None:
        """Only the first of all workers counts what was sent before."""
        held, known = self._held.get(key), tuple(uses)
        if held is None:
            return
        with self._file(_file_of(key)).words:
            now = self._clock.monotonic()
            since = now - self._clock.wall()
            for gauge in _unfilled(held):
                amounts = ((min(since + use.at, now), (use.requests, use.tokens)[gauge.of]) for use in known)
                gauge.fill(now, amounts)

    def close(self) -> None:
        for blocks in self._files.values():
            blocks.words.close()

    def _file(self, number: int) -> Blocks:
        blocks = self._files.get(number)
        if blocks is None:
            blocks = Blocks(self._folder / f"{self._name}-{number}{SUFFIX}", LAYOUT, self._number)
            forget(blocks, self._number, self._clock)
            self._files[number] = blocks
        return blocks

    def _made(self, key: RowKey, before: "_Held | None", limit: RateLimit, room: int) -> "_Held":
        """A row, with the gauges that it had."""
        kept = {gauge.unit: gauge for gauge in before.gauges} if before else {}
        gauges: list[SharedGauge] = []
        for setting, make in SHARED_UNITS.items():
            number = getattr(limit, setting)
            if number is None:
                continue
            gauge = make(f"{tuple(key)} {setting}", number, self._number)
            gauge = kept.get(gauge.unit, gauge)
            gauge.configure(number)
            gauges.append(gauge)
        queue, wait = limit.max_queue_size, limit.max_wait_seconds
        if before is not None:
            before.row.line.configure(room)
            return _Held(before.row, gauges)
        line = SharedLine(f"{tuple(key)} line", room, self._number)
        return _Held(SharedRow(str(key), gauges, line, max_queue=queue, max_wait=wait), gauges)


class _Held(NamedTuple):
    """A row and its gauges."""

    row: SharedRow
    gauges: Sequence[SharedGauge]

    def configure(self, limit: RateLimit) -> None:
        self.row.configure(self.gauges, max_queue=limit.max_queue_size, max_wait=limit.max_wait_seconds)


def _unfilled(held: _Held) -> Sequence[SharedCells]:
    """The windows of a day that do not know what was sent before they began. In a step."""
    days = (gauge for gauge in held.gauges if isinstance(gauge, SharedCells) and gauge.is_of_day)
    return [gauge for gauge in days if not gauge.is_filled]


def _rooms(limits: Mapping[RowKey, RateLimit]) -> Mapping[str, int]:
    """By provider, the records that the line of each of its rows has: for all calls that may wait for any of them, and
    once more for those of dead workers, which fall out of some lines before they do of others."""
    rooms: dict[str, int] = {}
    for key, limit in limits.items():
        rooms[key.provider] = rooms.get(key.provider, 0) + 2 * limit.max_queue_size
    return rooms


def _file_of(key: RowKey) -> int:
    return digest(key.provider) % FILES
