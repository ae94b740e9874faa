"""Every store of a step in a mapped file, in order, and the file as it was after each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.sharing.words import WORD, Words


class _Recorded:
    """A view that writes down where it is written to."""

    def __init__(self, view: Any, at: int, stores: list[tuple[int, bytes]]) -> None:
        self.view, self.at, self.stores = view, at, stores

    def __getitem__(self, place: Any) -> Any:
        return self.view[place]

    def __setitem__(self, place: int, value: Any) -> None:
        self.view[place] = value
        self.stores.append((self.at + place * WORD, bytes(self.view[place : place + 1])))


def interrupted(words: Words, path: Path, step: Callable[[], object]) -> Iterator[bytes]:
    """Take a step. Returns the bytes of the file before it and after each store of it; the last is whole."""
    before = bytearray(path.read_bytes())
    head = len(before) - len(words.raw)
    stores: list[tuple[int, bytes]] = []
    plain = words._head, words.ints, words.floats
    words._head = _Recorded(words._head, 0, stores)  # type: ignore[assignment]
    words.ints = _Recorded(words.ints, head, stores)  # type: ignore[assignment]
    words.floats = _Recorded(words.floats, head, stores)  # type: ignore[assignment]
    try:
        step()
    finally:
        words._head, words.ints, words.floats = plain
    yield bytes(before)
    for at, stored in stores:
        before[at : at + WORD] = stored
        yield bytes(before)
    assert bytes(before) == path.read_bytes(), "every store was seen"
