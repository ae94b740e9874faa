"""What a row counts: requests, tokens, and requests under way, each by the same few questions.

A gauge belongs to one number of a row. It is plain arithmetic under the lock of its row's engine. The engine asks all
gauges of all rows before it takes anything of any of them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from gateway.limits.cell_window import CellWindow
from gateway.limits.slots import DAY, MINUTE
from gateway.limits.window import SlidingWindow

REQUESTS, TOKENS, PLACES = range(3)
"""The fields of a Need, by position."""
DURATIONS: Final = 20
"""Calls whose median duration tells how long a place is taken."""
SHORTEST: Final = 0.016
"""Seconds that a place is taken at least: an answer may end in the tick of the clock in which it began (Windows: 10 to
16 ms, https://learn.microsoft.com/en-us/windows/win32/api/sysinfoapi/nf-sysinfoapi-gettickcount64)."""
FIRST_GUESS: Final = 1.0
"""Seconds that a place is taken, where no call has ended yet."""


Uses: TypeAlias = Sequence[tuple[float, int]]
"""When something was used, and how much."""


class Gauge(Protocol):
    """One number of a row.

    Attributes:
        unit: the setting's name in the file.
        of: the position in a Need of what it counts.
        limit: the number.
        is_timed: room comes with time; else only when a call ends.
        is_held: a call that has left holds something of it that is settled or given back later.
    """

    unit: str
    of: int
    limit: int
    is_timed: bool
    is_held: bool

    def configure(self, limit: int) -> None:
        """Have another limit; what was taken counts on."""

    def used(self, now: float) -> int:
        """What counts now."""

    def take(self, now: float, amount: int) -> None:
        """Take an amount, which has room."""

    def sent(self, now: float, granted: float, amount: int) -> None:
        """What was taken at `granted` has left."""

    def give_back(self, now: float, granted: float, amount: int) -> None:
        """What was taken at `granted` will never leave."""

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """What was sent at `sent_at` has used so many tokens more."""

    def end(self, now: float, sent_at: float, amount: int) -> None:
        """The last byte of what was sent at `sent_at` has come."""

    def due(self, now: float, ahead: int, amount: int) -> float:
        """When there is room for an amount behind so much in the line."""


class CountedGauge(Gauge, Protocol):
    """One whose grants another engine may give, and which tells what it counts."""

    def count_in(self, now: float, amount: int) -> None:
        """Take an amount that another engine has granted, whether there is room or not."""

    def uses(self, now: float) -> Uses:
        """What counts, the earliest first; of requests of a minute those that have left."""


class RequestsPerMinute:
    """Requests in any minute, each at its own time.

    Args:
        limit: as in Gauge.
        seconds: the window's length.
    """

    unit = "requestsPerMinute"
    of = REQUESTS
    is_timed, is_held = True, False

    def __init__(self, limit: int, seconds: float = MINUTE) -> None:
        self.limit = limit
        self._window = SlidingWindow(limit, seconds)
        self.used = self._window.count

    def configure(self, limit: int) -> None:
        self.limit = self._window.limit = limit

    def take(self, now: float, amount: int) -> None:
        self._window.take(now)

    def count_in(self, now: float, amount: int) -> None:
        self._window.count_in(now)

    def uses(self, now: float) -> Uses:
        return [(at, 1) for at in self._window.times(now)]

    def sent(self, now: float, granted: float, amount: int) -> None:
        self._window.sent(now, granted)

    def give_back(self, now: float, granted: float, amount: int) -> None:
        self._window.give_back(now, granted)

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """A request counts as one, whatever it used."""

    def end(self, now: float, sent_at: float, amount: int) -> None:
        """A request that has left counts until it leaves the window."""

    def due(self, now: float, ahead: int, amount: int) -> float:
        return self._window.due(now, ahead)


class RequestsPerDay(CellWindow):
    """Requests in any 24 hours, in cells of a minute."""

    unit = "requestsPerDay"
    of = REQUESTS
    is_timed, is_held = True, False

    def __init__(self, limit: int, seconds: float = DAY) -> None:
        super().__init__(limit, seconds)

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """A request counts as one, whatever it used."""


class TokensPerMinute(CellWindow):
    """Tokens in any minute, in cells of 42 ms."""

    unit = "tokensPerMinute"
    of = TOKENS
    is_timed, is_held = True, True

    def __init__(self, limit: int, seconds: float = MINUTE) -> None:
        super().__init__(limit, seconds)

    def settle(self, now: float, sent_at: float, change: int) -> None:
        self.add(now, sent_at, change)


class TokensPerDay(TokensPerMinute):
    """Tokens in any 24 hours, in cells of a minute."""

    unit = "tokensPerDay"

    def __init__(self, limit: int, seconds: float = DAY) -> None:
        super().__init__(limit, seconds)


class Durations(Protocol):
    """Seconds that the last calls took."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[float]: ...

    def append(self, seconds: float, /) -> None: ...


class MaxConcurrent:
    """Requests under way at once: from before they leave until the last byte of their answer.

    Args:
        limit: as in Gauge.
    """

    unit = "maxConcurrent"
    of = PLACES
    is_timed, is_held = False, True

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._durations: Durations = deque(maxlen=DURATIONS)

    def configure(self, limit: int) -> None:
        self.limit = limit

    def used(self, now: float) -> int:
        return self._taken

    def take(self, now: float, amount: int) -> None:
        self._taken += amount

    count_in = take

    def uses(self, now: float) -> Uses:
        """Those under way are known by their grants."""
        return ()

    def sent(self, now: float, granted: float, amount: int) -> None:
        """The place was taken before."""

    def give_back(self, now: float, granted: float, amount: int) -> None:
        self._taken -= amount

    def settle(self, now: float, sent_at: float, change: int) -> None:
        """A place is a place, whatever it used."""

    def end(self, now: float, sent_at: float, amount: int) -> None:
        self._taken -= amount
        self._durations.append(now - sent_at)

    def due(self, now: float, ahead: int, amount: int) -> float:
        """An estimate: nobody knows when an answer ends. The median duration, as often as the line needs it."""
        behind = self._taken + ahead + amount - 1 - self.limit
        if behind < 0:
            return now
        usual = max(SHORTEST, median(self._durations)) if self._durations else FIRST_GUESS
        return now + (1 + behind // self.limit) * usual


UNITS: Final[Mapping[str, Callable[[int], Gauge]]] = MappingProxyType(
    {
        "max_concurrent": MaxConcurrent,
        "requests_per_minute": RequestsPerMinute,
        "tokens_per_minute": TokensPerMinute,
        "requests_per_day": RequestsPerDay,
        "tokens_per_day": TokensPerDay,
    }
)
"""The gauge of each number that a row may have, by its attribute in the configuration."""
