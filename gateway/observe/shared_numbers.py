"""The numbers of calls of several workers (call_numbers.py): two words of a file that all of them map."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.sharing.words import Words

LAYOUT: Final = "numbers 1: the last number, wall seconds of the start"
_LAST, _STARTED = 0, 1


class SharedNumbers:
    """The sequence. Safe to use from many threads.

    Args:
        path: the file. Whoever opens it first says when the gateway was started.
        now: wall seconds.

    Raises:
        OSError: the file cannot be made or mapped.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._words = Words(path, layout=LAYOUT, size=2, entries=4)
        with self._words:
            if not self._words.ints[_STARTED]:
                self._words.put_float(_STARTED, now())
            self.started_at: float = self._words.floats[_STARTED]

    @property
    def last(self) -> int:
        """One word, which is read whole without the lock; a number that is not given in the end is nobody's call."""
        last: int = self._words.ints[_LAST]
        return last

    def take(self, count: int) -> int:
        with self._words:
            last: int = self._words.ints[_LAST]
            self._words.put(_LAST, last + count)
        return last + 1

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._words.close()
