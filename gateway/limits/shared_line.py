"""The line of a row in words that processes share: records of the calls that wait, linked in the order they came.

A record says whose it is (worker), until when it counts as alive, and what it waits for. Its owner keeps it alive by
asking again; one whose owner has gone falls out. Time in which nobody looked at the line counts against nobody: a
machine that has stood still for a while has its line in the order it had. Records have numbers that are never given
twice, so that a place in the block tells whether it is still the same call's.

What a record's call waits for is known together with the sums of all that joined before it. So what stands before a
call is told without a walk along the line: at most by so much too high as others have left from its middle.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.limits.slots import Need
from gateway.sharing.blocks import Block, Shape

KIND: Final = 4
ALIVE: Final = 3.0
"""Seconds without a sign of its owner after which a record falls out; a waiter asks at least every 250 ms."""
SWEEP: Final = 0.5
"""Seconds between two looks at all records."""
STALL: Final = 1.0
"""Seconds after the last look that nobody lets pass who waits and is not stopped."""
MOST_DROPPED: Final = 64
"""Records that one step drops; the next one drops the others."""
_COUNT, _NEEDS, _JOINED, _FIRST, _LAST, _FREE, _FRESH, _NUMBER, _SWEPT, _SPARED, _RECORDS = (
    0,
    1,
    4,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
)
"""The fields of the block: records in the line, the sums of their needs, those of all that ever joined, the first and
the last record, the first of those that are free, those never used, the newest number, when all were looked at, until
when none falls out, the records. Records are named by their place from 1; 0 is none."""
_ID, _WORKER, _UNTIL, _NEED, _BEFORE, _PREVIOUS, _NEXT, _RECORD = 0, 1, 2, 3, 6, 9, 10, 11
"""The fields of a record: number, worker + 1, when it falls out, its need, the sums of those that joined before it, the
records before and after it; and how many they are. A free record is linked by `next`."""
UNITS: Final = 3
"""Numbers of a Need."""


class Standing(NamedTuple):
    """A call's place in a line.

    Attributes:
        record: where it stands.
        number: of the call.
    """

    record: int
    number: int


class SharedLine(Block):
    """The line of one row.

    Args:
        name: of its block.
        room: records at most. A call stands in the line of every row of its target, whichever of them has no room.
        number: this worker's.
    """

    def __init__(self, name: str, room: int, number: int) -> None:
        self._worker = number + 1
        self._room = room
        super().__init__(name, _shape(room))

    def configure(self, room: int) -> None:
        """Have room for so many records, once its block is claimed again."""
        self._room = room
        self.shape = _shape(room)

    @property
    def is_full(self) -> bool:
        """No record is left."""
        return len(self) >= self._room

    def __len__(self) -> int:
        return self._ints[self._at]

    def needs(self, unit: int) -> int:
        """The sum of what they wait for."""
        return self._ints[self._at + _NEEDS + unit]

    def join(self, need: Need, now: float) -> Standing:
        """Stand at the end. Raises RuntimeError where no record is left."""
        ints, put = self._ints, self._put
        record, at = self._unused(), self._at
        base, last = self._base(record), ints[at + _LAST]
        number = ints[at + _NUMBER] + 1
        put(at + _NUMBER, number)
        if not last:
            self._put_float(at + _SWEPT, now)
        put(base + _ID, number)
        put(base + _WORKER, self._worker)
        self._put_float(base + _UNTIL, now + ALIVE)
        for unit in range(UNITS):
            put(base + _NEED + unit, need[unit])
            put(base + _BEFORE + unit, ints[at + _JOINED + unit])
            put(at + _JOINED + unit, ints[at + _JOINED + unit] + need[unit])
            put(at + _NEEDS + unit, ints[at + _NEEDS + unit] + need[unit])
        put(base + _PREVIOUS, last)
        put(base + _NEXT, 0)
        put(self._base(last) + _NEXT if last else at + _FIRST, record)
        put(at + _LAST, record)
        put(at, ints[at] + 1)
        return Standing(record, number)

    def stands(self, standing: Standing) -> bool:
        """Whether the call is in the line still."""
        return self._ints[self._base(standing.record) + _ID] == standing.number

    def keep_alive(self, standing: Standing, now: float) -> None:
        """Its owner has asked."""
        self._put_float(self._base(standing.record) + _UNTIL, now + ALIVE)

    def leave(self, standing: Standing) -> None:
        """The call waits no more; nothing happens where it is not in the line."""
        if self.stands(standing):
            self._remove(standing.record)

    def is_first(self, standing: Standing) -> bool:
        """Whether no call stands before it."""
        return self._ints[self._at + _FIRST] == standing.record

    def ahead(self, standing: Standing, unit: int) -> int:
        """What the calls before it need, at most."""
        ints = self._ints
        first = self._base(ints[self._at + _FIRST])
        return ints[self._base(standing.record) + _BEFORE + unit] - ints[first + _BEFORE + unit]

    def has_room_for(self, standing: Standing, unit: int, room: int) -> bool:
        """Whether so much is enough for all before a call. It ends with the first for whom it is not, so that it looks
        at no more records than may go."""
        ints = self._ints
        record = ints[self._at + _FIRST]
        while record and record != standing.record:
            base = self._base(record)
            room -= ints[base + _NEED + unit]
            if room < 0:
                return False
            record = ints[base + _NEXT]
        return True

    def sweep(self, now: float) -> None:
        """Drop those whose owners have gone: the first at once, any other when all are looked at."""
        floats, at, first = self._floats, self._at, self._ints[self._at + _FIRST]
        swept = floats[at + _SWEPT]
        is_due = now >= swept + SWEEP
        if not first or (not is_due and floats[self._base(first) + _UNTIL] > now):
            return
        if is_due:
            self._put_float(at + _SWEPT, now)
        if now >= swept + STALL:
            self._put_float(at + _SPARED, now + ALIVE)
        elif now >= floats[at + _SPARED]:
            self._drop(lambda base: floats[base + _UNTIL] <= now)

    def forget(self, worker: int, now: float) -> bool:
        """A worker is dead: some of its calls wait no more. Returns whether there may be others of it."""
        return self._drop(lambda base: self._ints[base + _WORKER] == worker + 1)

    def _drop(self, is_gone: Callable[[int], bool]) -> bool:
        """Drop records, and no more than a step may. Returns whether there may be more of them."""
        ints, record, dropped = self._ints, self._ints[self._at + _FIRST], 0
        while record and dropped < MOST_DROPPED:
            base = self._base(record)
            follows = ints[base + _NEXT]
            if is_gone(base):
                self._remove(record)
                dropped += 1
            record = follows
        return dropped == MOST_DROPPED

    def _base(self, record: int) -> int:
        return self._at + _RECORDS + (record - 1) * _RECORD

    def _unused(self) -> int:
        """A record that no call has."""
        at, record = self._at, self._ints[self._at + _FREE]
        if record:
            self._put(at + _FREE, self._ints[self._base(record) + _NEXT])
            return record
        fresh = self._ints[at + _FRESH] + 1
        if fresh > self._room:
            raise RuntimeError(f"more than {self._room} calls stand in {self.name}")
        self._put(at + _FRESH, fresh)
        return fresh

    def _remove(self, record: int) -> None:
        ints, put, at = self._ints, self._put, self._at
        base = self._base(record)
        previous, follows = ints[base + _PREVIOUS], ints[base + _NEXT]
        put(self._base(previous) + _NEXT if previous else at + _FIRST, follows)
        put(self._base(follows) + _PREVIOUS if follows else at + _LAST, previous)
        for unit in range(UNITS):
            put(at + _NEEDS + unit, ints[at + _NEEDS + unit] - ints[base + _NEED + unit])
        put(base + _ID, 0)
        put(base + _NEXT, ints[at + _FREE])
        put(at + _FREE, record)
        put(at, ints[at] - 1)


def _shape(room: int) -> Shape:
    """Of the block of a line with so many records."""

    def grow(old: memoryview, new: memoryview) -> None:
        new[: len(old)] = old

    return Shape(KIND, _RECORDS + max(room, 1) * _RECORD, (MOST_DROPPED + 2) * 16, grow=grow)
