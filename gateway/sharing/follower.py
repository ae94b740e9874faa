"""Who hears of a shared server's changes, and what people see of it."""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gateway.core.durations import plural
from gateway.sharing.script import Command


class Follower(Protocol):
    """What shares something through the server."""

    def away(self) -> None:
        """The server is away. Idempotent."""

    def back(self) -> None:
        """It answers again, in a new generation."""

    def beat(self) -> None:
        """Some seconds have passed, and the number of gateways may be another."""

    def renewals(self) -> Sequence[Command]:
        """What is told every 20 s, so that it does not expire."""


class SharingView(Struct, frozen=True):
    """The sharing now, for people. The names of the attributes are keys in JSON.

    Attributes:
        group: whose gateways share.
        server: its address, without user and password.
        state: `up`; `away`: it does not answer.
        seconds: for which it has been so.
        gateways: those that are there, or were there last, this one included.
        fallback: what calls go by while it is away, as set by `onFailure`.
        why: what was seen of it last; "" while it is up.
    """

    group: str
    server: str
    state: Literal["up", "away"]
    seconds: float
    gateways: int
    fallback: Literal["share", "refuse"]
    why: str

    def in_words(self) -> str:
        """The state in a sentence."""
        others = f"{self.gateways} {plural('gateway', self.gateways)} of the group {self.group}"
        if self.state == "up":
            return f"{others} share through Redis at {self.server}."
        if self.fallback == "refuse":
            follows = "calls with a limit are refused"
        elif self.gateways > 1:
            follows = f"each of {self.gateways} gateways holds to its share of the limits"
        else:
            follows = "this gateway goes by what it knows itself"
        return f"Redis at {self.server} does not answer ({self.why}): {follows} until it does."
