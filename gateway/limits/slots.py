"""The contract of an admission engine: one question, asked in one atomic step, over all rows that fit a target.

An engine keeps the windows and the lines. It decides at once and never waits: a caller that must wait gets a ticket,
sleeps, and asks again with it (gateway.limits.rate_limiter). So an engine whose windows are in this process, in a
mapping that processes share or in a server can stand behind the same waiting. The module knows no window and no thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

from msgspec import Struct


class Need(NamedTuple):
    """What one call takes of the rows that fit it. A row takes what it has a number for.

    Attributes:
        requests: 1 for a request to a provider.
        tokens: the estimate of input and output; 0 where no row counts tokens.
        places: 1 for what counts among the requests under way; 0 for a further request of an attempt that has a place.
    """

    requests: int = 1
    tokens: int = 0
    places: int = 1


class Terms(NamedTuple):
    """On which terms a call asks.

    Attributes:
        queue: it may join the lines and wait.
        deadline: monotonic seconds; room at that time or later is of no use.
        oversized: a need above a whole limit may go when the window is empty; else it is refused for good.
    """

    queue: bool = False
    deadline: float = float("inf")
    oversized: bool = True


class Refused(Struct, frozen=True):
    """The call gets nothing, and stands in no line.

    Attributes:
        kind: `full`: there is no room, and it does not wait; `too_large`: there never is; `late`: its deadline has
            passed; `gone`: the rows' provider is not called any more; `away`: nobody can say, because the server that
            keeps the rows does not answer.
        why: which limit, what of it is used, and when it is free again.
        seconds: until it would have had room; 0 where that is not known.
    """

    kind: Literal["full", "too_large", "late", "gone", "away"]
    why: str = ""
    seconds: float = 0.0


def gone(row: str) -> Refused:
    """The refusal of a call whose row's provider is not called any more."""
    return Refused("gone", f"{row} is not in the configuration any more.", 1.0)


def late(row: str) -> Refused:
    """The refusal of a call whose deadline has passed before it asked this row."""
    return Refused("late", f"the rate limit of {row}")


class Wait(Struct, frozen=True):
    """The call stands in the lines of its rows.

    Attributes:
        ticket: what it asks again with; the engine's own kind.
        seconds: until it has room, as far as the engine can say; it asks again then, or when it was woken.
    """

    ticket: Any
    seconds: float


class Grant(Protocol):
    """What a call has taken.

    Attributes:
        waited: seconds in the line.
    """

    waited: float


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One number of a row.

    Attributes:
        unit: the setting's name in the file, such as `tokensPerMinute`.
        limit: the setting's value.
        used: what counts now.
    """

    unit: str
    limit: int
    used: int


MINUTE: Final = 60.0
DAY: Final = 86_400.0
SHORT_UNITS: Final[Mapping[str, str]] = {
    "requestsPerMinute": "rpm",
    "requestsPerDay": "rpd",
    "tokensPerMinute": "tpm",
    "tokensPerDay": "tpd",
    "maxConcurrent": "concurrent",
}
"""The settings' names where there is little room."""
UNIT_SECONDS: Final[Mapping[str, float]] = {
    "requestsPerMinute": MINUTE,
    "requestsPerDay": DAY,
    "tokensPerMinute": MINUTE,
    "tokensPerDay": DAY,
}
"""The windows of the units that have one."""


@dataclass(frozen=True, slots=True)
class RowStatus:
    """The status of a row of `rateLimits`. The names of the attributes are keys in the JSON of `explain`.

    Attributes:
        row: the provider, and the pattern of models behind a slash where it has one.
        units: its numbers.
        waiting: calls in its line.
        wait: seconds that a call of the least need would wait now.
    """

    row: str
    units: tuple[UnitStatus, ...]
    waiting: int
    wait: float


class Slots(Protocol):
    """An admission engine for the rows that fit one target. Safe to use from many threads.

    Every method is one atomic step, over all rows or none of them.
    """

    def ask(self, ticket: Any, need: Need, terms: Terms) -> "Grant | Wait | Refused":  # noqa: ANN401 - the engine's own
        """Take the need from every row, or from none.

        Args:
            ticket: of the last answer, where that was Wait; None at first.
            need: the same each time.
            terms: the same each time.

        Returns:
            A grant, whose holder calls `release` once; Wait: it stands in the lines, until it asks again with another
            result or calls `leave`; Refused: it holds nothing and stands in no line.
        """

    def pause(self, ticket: Any, seconds: float) -> None:  # noqa: ANN401 - the engine's own
        """Sleep for so many seconds at most; less where the engine knows that asking again may help."""

    def leave(self, ticket: Any) -> None:  # noqa: ANN401 - the engine's own
        """The call does not wait any more. Idempotent."""

    def sent(self, grant: Any) -> None:  # noqa: ANN401 - the engine's own
        """The request has left: what it took counts from now. Only the first report counts."""

    def settle(self, grant: Any, tokens: int) -> None:  # noqa: ANN401 - the engine's own
        """The request that was sent has used so many tokens, which count in place of those that it took."""

    def release(self, grant: Any) -> None:  # noqa: ANN401 - the engine's own
        """The last byte has come, or none ever will: its place is free; what was not sent is given back. Idempotent."""

    def expected_wait(self) -> float:
        """Seconds that a call of the least need would wait now; 0 where it has room."""

    def status(self) -> tuple[RowStatus, ...]:
        """The rows now, for people."""
