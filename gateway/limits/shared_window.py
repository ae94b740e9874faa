"""Requests a minute in words that processes share: the arithmetic of SlidingWindow, over two rings.

The ring of what has left has a time for each call, in order. The ring of grants whose call has not left yet has a time
and a worker for each, in order of the grants; a grant that ends before older ones leaves its place empty (worker 0),
and empty places go when they come to the begin. Heads and tails only grow; a place is their remainder. All times are
monotonic seconds, which processes of one machine share.

What a worker had not reported as sent when it died may have left a moment before. So it counts as sent when the worker
is forgotten.
"""

from typing import Final

from gateway.limits.gauges import RequestsPerMinute
from gateway.limits.slots import MINUTE
from gateway.sharing.blocks import Block, Memory, Shape
from gateway.sharing.words import Words, bits_of

KIND: Final = 1
_SENT_HEAD, _SENT_TAIL, _HEAD, _TAIL, _LIVE, _SENT_ROOM, _ROOM, _SECONDS, _RINGS = range(9)
"""The fields of the block: begin and end of both rings, grants that have not left, the rings' lengths, the
window's length, the rings."""
MOST_UNSENT: Final = 1 << 17
"""Grants that may stand in the second ring, the empty places among them; past it there is no room until the oldest
leaves the window. Calls under way are far fewer."""


class SharedRequests(Block):
    """Implements gateway.limits.gauges.Gauge.

    Args:
        name: of its block.
        limit: requests in any window.
        seconds: the window's length.
        number: this worker's.
    """

    unit, of = RequestsPerMinute.unit, RequestsPerMinute.of
    is_timed, is_held = RequestsPerMinute.is_timed, RequestsPerMinute.is_held

    def __init__(self, name: str, limit: int, number: int, seconds: float = MINUTE) -> None:
        self.limit = limit
        self.seconds = seconds
        self._worker = number + 1
        super().__init__(name, _shape(limit, seconds))

    def bind(self, words: Words | Memory, at: int) -> None:
        super().bind(words, at)
        self.seconds = self._floats[at + _SECONDS]

    def configure(self, limit: int) -> None:
        self.limit = limit
        self.shape = _shape(limit, self.seconds)

    def used(self, now: float) -> int:
        ints, floats, at, seconds = self._ints, self._floats, self._at, self.seconds
        head, tail = ints[at], ints[at + _SENT_TAIL]
        if head < tail:
            ring, mask, first = at + _RINGS, ints[at + _SENT_ROOM] - 1, head
            while first < tail and floats[ring + (first & mask)] + seconds <= now:
                first += 1
            if first != head:
                self._put(at, first)
                head = first
        if ints[at + _HEAD] < ints[at + _TAIL]:
            self._drop_old(now)
            if ints[at + _TAIL] - ints[at + _HEAD] >= ints[at + _ROOM]:
                return max(self.limit, tail - head + ints[at + _LIVE])
        return tail - head + ints[at + _LIVE]

    def take(self, now: float, amount: int) -> None:
        ints, at = self._ints, self._at
        tail = ints[at + _TAIL]
        place = self._unsent(tail)
        self._put_float(place, now)
        self._put(place + 1, self._worker)
        self._put(at + _TAIL, tail + 1)
        self._put(at + _LIVE, ints[at + _LIVE] + 1)

    def sent(self, now: float, granted: float, amount: int) -> None:
        self.used(now)
        if self._end(granted):
            self._append(now)

    def give_back(self, now: float, granted: float, amount: int) -> None:
        self.used(now)
        self._end(granted)

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """A request counts as one, whatever it used."""

    def end(self, now: float, sent_at: float, amount: int) -> None:
        """A request that has left counts until it leaves the window."""

    def due(self, now: float, ahead: int, amount: int) -> float:
        """As SlidingWindow.due."""
        counting = self.used(now)
        over = max(0, counting - self.limit)
        windows, place = divmod(counting - over + ahead, self.limit)
        follows = self._nth(over + place) if over + place < counting else now
        return follows + windows * self.seconds

    def forget(self, worker: int, now: float) -> bool:
        """A worker is dead: one of its grants counts as sent now. Returns whether it may have more."""
        self.used(now)
        ints, at = self._ints, self._at
        for index in range(ints[at + _HEAD], ints[at + _TAIL]):
            if ints[self._unsent(index) + 1] == worker + 1:
                self._empty(index)
                self._append(now)
                return True
        return False

    def _unsent(self, index: int) -> int:
        """Where a grant stands."""
        ints, at = self._ints, self._at
        return at + _RINGS + ints[at + _SENT_ROOM] + 2 * (index & (ints[at + _ROOM] - 1))

    def _append(self, now: float) -> None:
        ints, at = self._ints, self._at
        tail = ints[at + _SENT_TAIL]
        self._put_float(at + _RINGS + (tail & (ints[at + _SENT_ROOM] - 1)), now)
        self._put(at + _SENT_TAIL, tail + 1)

    def _drop_old(self, now: float) -> None:
        """Drop grants that have left the window, and empty places, from the begin of their ring."""
        ints, at = self._ints, self._at
        head, tail, live = ints[at + _HEAD], ints[at + _TAIL], ints[at + _LIVE]
        first, left = head, live
        while first < tail:
            place = self._unsent(first)
            if ints[place + 1]:
                if self._floats[place] + self.seconds > now:
                    break
                left -= 1
            first += 1
        if first != head:
            self._put(at + _HEAD, first)
            if left != live:
                self._put(at + _LIVE, left)

    def _end(self, granted: float) -> bool:
        """Remove this worker's grant of that time. Returns whether it still counted."""
        ints, floats, at = self._ints, self._floats, self._at
        low, high = ints[at + _HEAD], ints[at + _TAIL]
        tail = high
        while low < high:  # the first that is not older
            middle = (low + high) // 2
            if floats[self._unsent(middle)] < granted:
                low = middle + 1
            else:
                high = middle
        while low < tail and floats[place := self._unsent(low)] == granted:
            if ints[place + 1] == self._worker:
                self._empty(low)
                return True
            low += 1
        return False

    def _empty(self, index: int) -> None:
        """A grant ends: its place is empty, or goes where it is the first."""
        ints, at = self._ints, self._at
        if index == ints[at + _HEAD]:
            self._put(at + _HEAD, index + 1)
        else:
            self._put(self._unsent(index) + 1, 0)
        self._put(at + _LIVE, ints[at + _LIVE] - 1)

    def _nth(self, number: int) -> float:
        """The time of what counts, in order, from 0."""
        ints, floats, at = self._ints, self._floats, self._at
        places = (self._unsent(index) for index in range(ints[at + _HEAD], ints[at + _TAIL]))
        unsent = [floats[place] for place in places if ints[place + 1]]
        head, tail, mask = ints[at], ints[at + _SENT_TAIL], ints[at + _SENT_ROOM] - 1

        def sent(place: int) -> float:
            return floats[at + _RINGS + ((head + place) & mask)] if head + place < tail else float("inf")

        before = 0  # those that have not left, among the first
        while before < len(unsent) and before <= number and unsent[before] <= sent(number - before):
            before += 1
        of_sent = sent(number - before) if before <= number else float("-inf")
        return max(of_sent, unsent[before - 1]) if before else of_sent


def _shape(limit: int, seconds: float) -> Shape:
    room = 1 << (limit - 1).bit_length()
    unsent = min(2 * room, MOST_UNSENT)

    def make(new: memoryview) -> None:
        new[_SENT_ROOM], new[_ROOM], new[_SECONDS] = room, unsent, bits_of(seconds)

    return Shape(KIND, _RINGS + room + 2 * unsent, 24, make, _grow)


def _grow(old: memoryview, new: memoryview) -> None:
    """Copy both rings to longer ones."""
    new[:_SENT_ROOM] = old[:_SENT_ROOM]
    for index in range(old[_SENT_HEAD], old[_SENT_TAIL]):
        new[_RINGS + index % new[_SENT_ROOM]] = old[_RINGS + index % old[_SENT_ROOM]]
    for index in range(old[_HEAD], old[_TAIL]):
        before = _RINGS + old[_SENT_ROOM] + 2 * (index % old[_ROOM])
        after = _RINGS + new[_SENT_ROOM] + 2 * (index % new[_ROOM])
        new[after : after + 2] = old[before : before + 2]
