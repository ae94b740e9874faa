"""Blocks of words in one shared file, found by name, for parts whose number and size a reload changes.

The file begins with a directory: for each block the digest of its name, its kind, where it begins, how long it is, how
many words a step changes in it, and which workers use it (a bit for each). A file's directory never changes but for
those bits. Where a worker needs a block that is not there, or a longer one, it builds a new file from the old one in
one step (Words.replace): blocks that somebody uses are copied, and grown where that is asked; blocks that nobody uses
are left out. So workers that take a new configuration over one after the other find each other's blocks, and a block
that all have given up begins anew when it comes again.

The object of a block is bound to its place each time the file is opened. One whose block is not in the file any more
is bound to memory of its own, where what its last holders do changes nothing.

Who touches what: objects and directory belong to whoever is in a step of the file.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakSet

from gateway.sharing.words import Words, digest

DIRECTORY_AT: Final = 1
"""Before it stands the number of blocks."""
_FIELDS: Final = 6
"""Words of a block in the directory."""
SLACK: Final = 64
"""Words that a step changes beside those of blocks."""


class Shape(NamedTuple):
    """What a block has to be.

    Attributes:
        kind: a number that tells whoever does not know its name what it is.
        size: its words, at least.
        entries: words of it that one step changes at most.
        make: writes what a new block holds, which is zeros so far.
        grow: copies an old block to a longer one, which `make` has been called for.
    """

    kind: int
    size: int
    entries: int
    make: Callable[[memoryview], None] = lambda new: None
    grow: Callable[[memoryview, memoryview], None] = lambda old, new: None


class Memory:
    """Words of this process alone: of a block that is in no file. As Words, without steps."""

    def __init__(self, size: int) -> None:
        raw = memoryview(bytearray(8 * size))
        self.ints, self.floats = raw.cast("q"), raw.cast("d")
        self.put, self.put_float = self.ints.__setitem__, self.floats.__setitem__


class Block:
    """The object of a block. Its words are changed by `_put` and `_put_float`, in a step of its file.

    Attributes:
        name: of the block.
        shape: what the block has to be.
        is_bound: its words are those of a file.

    Args:
        name, shape: as above.
    """

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.unbind()

    def bind(self, words: Words | Memory, at: int) -> None:
        """Its words are those from `at` on."""
        self._ints, self._floats = words.ints, words.floats
        self._put, self._put_float = words.put, words.put_float
        self._at = at
        self.is_bound = isinstance(words, Words)

    def unbind(self) -> None:
        """It has no block: its words are memory of its own."""
        memory = Memory(self.shape.size)
        self.shape.make(memory.ints)
        self.bind(memory, 0)


class Place(NamedTuple):
    """Where a block is, as the directory has it."""

    name: int
    kind: int
    at: int
    size: int
    entries: int
    users: int


class Blocks:
    """The blocks of one file. One object a file and process; safe to use from many threads.

    Attributes:
        words: the file; `with blocks.words:` is a step.
        places: the blocks by the digests of their names; who uses them may have changed since. It belongs to the step.

    Args:
        path: the file.
        layout: what the kinds mean, as a text.
        number: this worker's, from 0.
    """

    words: Words

    def __init__(self, path: Path, layout: str, number: int) -> None:
        self._bit = 1 << number
        self._bound: WeakSet[Block] = WeakSet()
        self.places: Mapping[int, Place] = {}
        self.words = Words(path, layout=f"blocks {layout}", size=DIRECTORY_AT, entries=SLACK, opened=self._opened)

    def claim(self, blocks: Sequence[Block]) -> None:
        """This worker uses these blocks from now on, and no others. In a step that has changed nothing yet."""
        wanted = {digest(each.name): each for each in blocks}
        self._bound.update(blocks)
        self._opened(self.words)  # others may have come and gone since
        if all(self._has(name, each) for name, each in wanted.items()):
            for entry, place in enumerate(self.places.values()):
                users = self._users(place, place.name in wanted)
                self.words.put(DIRECTORY_AT + entry * _FIELDS + _FIELDS - 1, users)
        else:
            self._rebuild(wanted)

    def _has(self, name: int, block: Block) -> bool:
        place = self.places.get(name)
        return place is not None and place.users != 0 and place.size >= block.shape.size

    def _users(self, place: Place, uses: bool) -> int:
        return place.users | self._bit if uses else place.users & ~self._bit

    def _rebuild(self, wanted: Mapping[int, Block]) -> None:
        """Build a file with these blocks and those that other workers use."""
        old = {name: place for name, place in self.places.items() if place.users}
        kept = [place for name, place in old.items() if name not in wanted and place.users & ~self._bit]
        at = DIRECTORY_AT + _FIELDS * (len(wanted) + len(kept))
        new: list[Place] = []
        for name, block in wanted.items():
            shape, before = block.shape, old.get(name, _NOWHERE)
            size, entries = max(shape.size, before.size), max(shape.entries, before.entries)
            new.append(Place(name, shape.kind, at, size, entries, before.users | self._bit))
            at += size
        for place in kept:
            new.append(place._replace(at=at, users=place.users & ~self._bit))
            at += place.size

        def fill(before: memoryview, after: memoryview) -> None:
            after[0] = len(new)
            for entry, place in enumerate(new):
                for field, value in enumerate(place):
                    after[DIRECTORY_AT + entry * _FIELDS + field] = value
                words = after[place.at : place.at + place.size]
                copied = old.get(place.name)
                if copied is not None and copied.size == place.size:
                    words[:] = before[copied.at : copied.at + copied.size]
                    continue
                shape = wanted[place.name].shape
                shape.make(words)
                if copied is not None:
                    shape.grow(before[copied.at : copied.at + copied.size], words)

        entries = SLACK + len(new) + sum(place.entries for place in new)
        self.words.replace(at, entries, fill)

    def _opened(self, words: Words) -> None:
        """Read the directory, and bind the objects of all blocks to their places."""
        ints, places = words.ints, dict[int, Place]()
        for entry in range(ints[0]):
            at = DIRECTORY_AT + entry * _FIELDS
            place = Place(*ints[at : at + _FIELDS])
            places[place.name] = place
        self.places = places
        for block in self._bound:
            found = places.get(digest(block.name))
            if found is not None:
                block.bind(words, found.at)
            elif block.is_bound:
                block.unbind()


_NOWHERE: Final = Place(0, 0, 0, 0, 0, 0)
