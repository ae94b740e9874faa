"""The commands of the admission script (windows.lua, slots.lua), from what the engine knows to what is sent.

It knows the script's arguments and nothing of connections, so that a test can send the same commands to a script with a
clock of its own.
"""

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Final, Literal, NamedTuple

from gateway.limits.slots import Need
from gateway.sharing.script import Argument, Command, Script, packed

Mode = Literal["try", "queue", "wait", "hold"]

UNITS: Final = ("maxConcurrent", "requestsPerMinute", "tokensPerMinute", "requestsPerDay", "tokensPerDay")
"""The numbers of a row, in the script's order."""
MICROS: Final = 1_000_000
LONGEST: Final = 10**9
"""Seconds beyond which a wait is as good as for ever."""
NO_DEADLINE: Final = packed(-1)
WORDS_OF_STATUS: Final = len(UNITS) + 2


def script_text() -> str:
    """The script in Lua."""
    folder = files("gateway.limits")
    return "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("windows.lua", "slots.lua"))


class RowTerms(NamedTuple):
    """What the script is told of a row.

    Attributes:
        key: of the row in the server.
        max_queue: calls that may wait.
        max_wait: seconds.
        numbers: in the order of UNITS; 0 for none.
    """

    key: str
    max_queue: int
    max_wait: float
    numbers: tuple[int, ...]

    @property
    def has(self) -> str:
        """Which numbers it has."""
        return "".join("1" if number else "-" for number in self.numbers)


class Holding(NamedTuple):
    """What a gateway has of a row: pairs for each number, in the order of UNITS. See `restore` in the script."""

    pairs: tuple[Sequence[tuple[Argument, Argument]], ...]


class Standing(NamedTuple):
    """A ticket that stands in the lines of some rows."""

    id: str
    need: Need
    rows: str


def micros(seconds: float) -> int:
    """Microseconds, at most those of LONGEST."""
    return math.ceil(min(seconds, LONGEST) * MICROS)


class SlotsCommands:
    """The commands for some rows of one provider, by one gateway.

    Args:
        script: the admission script.
        base: the provider's key, such as `gw:{default:openai}`.
        gateway: the name under which the gateway writes.
        rows: in their order.
    """

    def __init__(self, script: Script, base: str, gateway: str, rows: Sequence[RowTerms]) -> None:
        self._script = script
        self._gateway = gateway
        self._count = len(rows)
        keys = [base, *(row.key for row in rows)]
        self._keys = packed(len(keys), *keys)
        self._terms = packed(*(text for row in rows for text in (row.max_queue, micros(row.max_wait), *row.numbers)))
        self._numbers = [number for row in rows for number in row.numbers]
        self._asked: tuple[tuple[int, Need, Mode] | None, bytes, bytes] = (None, b"", b"")  # replaced as a whole
        self.has = "".join(row.has for row in rows)

    def ask(self, epoch: int, ticket: str, need: Need, mode: Mode, remaining: float) -> Command:
        """Take a need, or stand in line for it.

        Args:
            epoch: of what the gateway has written.
            ticket: of the call, and of its grant.
            need: what it takes.
            mode: see the script.
            remaining: seconds to its deadline.
        """
        asking = (epoch, need, mode)
        known = self._asked
        if asking != known[0]:  # mostly as the one before
            known = self._asked = (asking, packed("ask", self._gateway, epoch), packed(*need, mode))
        _, before, after = known
        left = NO_DEADLINE if math.isinf(remaining) else packed(max(0, micros(remaining)))
        said = b"".join((before, packed(ticket), after, left, self._terms))
        return self._command(said, 3 + len(need) + 3 + 7 * self._count)

    def sent(self, epoch: int, grant: str, need: Need, granted: int, at: int) -> Command:
        """A request has left at a time of the server's clock, in microseconds, as `granted` is."""
        return self._said("sent", epoch, self.has, grant, need.requests, need.tokens, granted, at)

    def settle(self, epoch: int, at: int, change: int) -> Command:
        """A request that has left at that time has used so many tokens more."""
        return self._said("settle", epoch, self.has, at, change)

    def release(self, epoch: int, grant: str, need: Need, granted: int, *, was_sent: bool) -> Command:
        """A place is free, and all of a request that has not left."""
        gives_back = "" if was_sent else "1"
        return self._said("release", epoch, self.has, grant, need.requests, need.tokens, granted, gives_back)

    def leave(self, epoch: int, ticket: str, need: Need) -> Command:
        """A call waits no more."""
        return self._said("leave", epoch, ticket, need.tokens, need.places)

    def renew(self, epoch: int, grants: Sequence[Sequence[str]]) -> Command:
        """The grants of each row that still have their places."""
        said: list[Argument] = []
        for row in grants:
            said += (len(row), *row)
        return self._said("renew", epoch, *said)

    def time(self) -> Command:
        """The server's time, in microseconds."""
        return self._said("time", 0)

    def status(self) -> Command:
        """What the rows have used, who waits, and how long."""
        return self._said("status", 0, *self._numbers)

    def restore(self, epoch: int, holdings: Sequence[Holding], standing: Sequence[Standing]) -> Command:
        """Replace all that is the gateway's own."""
        said: list[Argument] = []
        for holding in holdings:
            for pairs in holding.pairs:
                said += (len(pairs), *(text for pair in pairs for text in pair))
        said.append(len(standing))
        for each in standing:
            said += (each.id, each.need.tokens, each.need.places, each.rows)
        return self._said("restore", epoch, *said)

    def _said(self, operation: str, epoch: int, *rest: Argument) -> Command:
        return self._command(packed(operation, self._gateway, epoch, *rest), 3 + len(rest))

    def _command(self, arguments: bytes, count: int) -> Command:
        head = b"*%d\r\n" % (2 + 1 + (1 + self._count) + count)
        return Command(head, self._script, self._keys + arguments)
