"""What a dead worker held of shared limits is dealt with, by whoever comes first: the parent, or its successor.

Its places are free, its calls stand in no line, and what it had not reported as sent counts as sent now, because it may
have left a moment before the end. Whoever does it needs no configuration: the directory of a file says what is in it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from gateway.core.clock import Clock
from gateway.limits.gauges import TokensPerMinute
from gateway.limits.shared_gauges import CELLS_KIND, PLACES_KIND, SharedCells, SharedPlaces
from gateway.limits.shared_line import KIND as LINE_KIND
from gateway.limits.shared_line import SharedLine
from gateway.limits.shared_window import KIND as WINDOW_KIND
from gateway.limits.shared_window import SharedRequests
from gateway.sharing.blocks import Blocks, Memory
from gateway.sharing.words import Words

LAYOUT: Final = "limits 1"
"""What the kinds of blocks mean."""
SUFFIX: Final = ".limits"
"""Of the files' names."""


class _Part(Protocol):
    def bind(self, words: Words | Memory, at: int) -> None: ...

    def forget(self, worker: int, now: float) -> bool: ...


_PARTS: Final[Mapping[int, Callable[[], _Part]]] = MappingProxyType(
    {
        WINDOW_KIND: lambda: SharedRequests("", 1, 0),
        CELLS_KIND: lambda: SharedCells("", 1, 0, TokensPerMinute),
        PLACES_KIND: lambda: SharedPlaces("", 1, 0),
        LINE_KIND: lambda: SharedLine("", 1, 0),
    }
)


def forget(blocks: Blocks, worker: int, clock: Clock) -> None:
    """Deal with all that a worker held in one file. It is dead, or is this process and holds nothing yet.

    Args:
        blocks: of the file.
        worker: its number.
        clock: the time.
    """
    with blocks.words:
        names = list(blocks.places)
    for name in names:
        more = True
        while more:  # a step each, so that the file is not held for long
            with blocks.words:
                place = blocks.places.get(name)
                if place is None:
                    break
                part = _PARTS[place.kind]()
                part.bind(blocks.words, place.at)
                more = part.forget(worker, clock.monotonic())
