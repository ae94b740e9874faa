"""The contract of what keeps the rows of limits: in this process, in a mapping that processes share, or in a server.

An engine knows rows by their keys and gives a `Slots` for those that fit a target. It keeps windows and lines; which
rows fit which target, and the waiting, are the same over every engine (gateway.limits.rate_limiters, rate_limiter).
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from gateway.config.rate_limit import RateLimit
from gateway.limits.row_key import RowKey
from gateway.limits.slots import Slots

SlotsOf: TypeAlias = Callable[[Sequence[RowKey]], Slots]


class PastUse(NamedTuple):
    """What left for a provider before the process began.

    Attributes:
        at: wall seconds.
        requests: how many requests.
        tokens: how many tokens, of input and output.
    """

    at: float
    requests: int
    tokens: int


class LimitEngine(Protocol):
    """Safe to use from many threads; `configure` by one at a time."""

    def configure(self, limits: Mapping[RowKey, RateLimit], served: Container[str] | None) -> SlotsOf:
        """Have these rows from now on. A row that goes on keeps its windows and its line, and a number that it had
        before counts what was granted before. A row that goes has room for everything, also for who waits for it.

        Args:
            limits: the settings of all rows.
            served: the providers that are called; None for all. Those who wait for a row of another one fail (`gone`).

        Returns:
            Gives the slots of some of these rows, at least one, all of one provider. It stays good after another
            configuration, and so do the slots: to rows that have gone they say so.
        """

    def unfilled(self) -> Sequence[RowKey]:
        """The rows with a window of a day that does not know yet what was sent before it began, in a fixed order."""

    def refill(self, key: RowKey, uses: Iterable[PastUse]) -> None:
        """Count in a row's windows of a day what was sent before they began. Once a row; again it does nothing.

        Args:
            key: of a row that is `unfilled`.
            uses: in any order; what is older than a day counts nothing.
        """

    def close(self) -> None:
        """Let go of what it has open. Idempotent; nothing is asked after it."""
