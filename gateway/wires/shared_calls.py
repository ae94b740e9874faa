"""The latest tool calls of all workers: a log in a file that they map, which each of them reads on.

The next request of a conversation may come to another worker than the one that had its answer. So what a worker
remembers of a call (reasoning_memory.py) it also appends here, and before it looks a call up it reads what the others
have appended since. The log is a ring of CAPACITY bytes: the oldest entries give way to new ones, and a worker that
comes too late for them has lost them.

Who touches what: the two words and the ring belong to whoever holds the file's lock. `oldest` moves past what will be
overwritten, and that holds, before a byte is written; `written` moves last. So a worker that dies in between leaves
entries out and no entry in pieces. The first word alone is read without the lock, to see that nothing is new.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.core.strict_json import JsonObject, dumps, loads
from gateway.sharing.words import WORD, Words

CAPACITY: Final = 1 << 20
MOST: Final = CAPACITY // 8
"""Bytes of one entry; a larger one is remembered by its own worker alone."""
LAYOUT: Final = "calls 1: written, oldest, 8 words of head; a ring of lengths and texts"
HEAD: Final = 8
_WRITTEN, _OLDEST = 0, 1
_TURN: Final = -1
"""In the place of a length: the next entry begins at the ring's begin."""


class SharedCalls:
    """The log as one worker sees it. Safe to use from many threads.

    Args:
        path: the file.
        capacity: bytes of the ring, a multiple of 8.

    Raises:
        OSError: the file cannot be made or mapped.
    """

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._words = Words(path, layout=LAYOUT, size=HEAD + capacity // WORD, entries=8)
        self._seen = 0  # bytes ever written, up to which this worker has read; belongs to the lock's holder
        self._words_at = HEAD * WORD

    def append(self, call_id: str, extra: JsonObject) -> None:
        """Tell the others what is to be remembered of a call."""
        text = dumps([call_id, extra])
        size = _padded(len(text))
        if size > min(MOST, self._capacity // 3):  # of three thirds the one before stays, wherever the ring turns
            return
        with self._words:
            written = self._words.ints[_WRITTEN]
            begin = written if self._fits(written, size) else _next_turn(written, self._capacity)
            self._make_room(begin + size)
            if begin != written:
                self._write(written, _TURN, b"")
            self._write(begin, len(text), text)
            self._words.put(_WRITTEN, begin + size)
            if self._seen == written:
                self._seen = begin + size

    def new(self) -> Iterator[tuple[str, JsonObject]]:
        """What others have appended since the last time, in order; own entries may be among it."""
        if self._words.ints[_WRITTEN] == self._seen:
            return
        with self._words:
            texts = self._read()
        for text in texts:
            entry = loads(text)
            match entry:
                case [str(call_id), dict(extra)]:
                    yield call_id, extra

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._words.close()

    # In a step ------------------------------------------------------------------------------------------------------

    def _read(self) -> Sequence[bytes]:
        ints, texts = self._words.ints, []
        place, written = max(self._seen, ints[_OLDEST]), ints[_WRITTEN]
        while place < written:
            length = self._length(place)
            if length != _TURN:
                begin = self._words_at + place % self._capacity + WORD
                texts.append(bytes(self._words.raw[begin : begin + length]))
            place = self._after(place, length)
        self._seen = written
        return texts

    def _make_room(self, end: int) -> None:
        """Give up the oldest entries whose bytes are needed up to `end`."""
        before = oldest = self._words.ints[_OLDEST]
        while oldest < end - self._capacity:
            oldest = self._after(oldest, self._length(oldest))
        if oldest != before:
            self._words.put(_OLDEST, oldest)
            self._words.commit()

    def _fits(self, place: int, size: int) -> bool:
        return place % self._capacity + size <= self._capacity

    def _after(self, place: int, length: int) -> int:
        return _next_turn(place, self._capacity) if length == _TURN else place + _padded(length)

    def _length(self, place: int) -> int:
        length: int = self._words.ints[HEAD + place % self._capacity // WORD]
        return length

    def _write(self, place: int, length: int, text: bytes) -> None:
        begin = self._words_at + place % self._capacity
        self._words.ints[HEAD + place % self._capacity // WORD] = length
        self._words.raw[begin + WORD : begin + WORD + len(text)] = text


def _padded(length: int) -> int:
    """The bytes of an entry whose text has so many."""
    return WORD + -(-length // WORD) * WORD


def _next_turn(place: int, capacity: int) -> int:
    return -(-place // capacity) * capacity
