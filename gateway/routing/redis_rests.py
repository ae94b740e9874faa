"""Rests that gateways tell one another through a server.

What this gateway learns is written on its own board and told to the server without waiting; what others have learned
comes as messages, and is written on the board by the thread that listens. So a turn reads memory alone. After the
connection was lost the whole table is read. Times go as durations, because each machine has a clock of its own; they
are late by the way of a message. A probe is this machine's own: each machine tries a target once.
"""

from collections.abc import Callable, Collection, Sequence
from importlib.resources import files
from typing import Any, Final, cast

from gateway.core.clock import Clock
from gateway.routing.rest_board import ENTRIES, Rest, RestBoard, RestReason
from gateway.routing.router import Target
from gateway.sharing.script import Script, plain
from gateway.sharing.shared_server import SharedServer

MICROS: Final = 1_000_000
REASONS: Final = frozenset({"rate_limited", "quota", "model_missing", "key_refused", "failures", "opened"})
PARTS: Final = 5
"""Of a message: who, how long, why, how often, which target."""
LONGEST: Final = 10 * 86_400 * MICROS
"""A rest that another gateway may ask for, in microseconds."""


class RedisRests:
    """Implements gateway.routing.rest_board.RestBoard, and reads messages.

    Args:
        board: this machine's.
        server: tells the others.
        clock: the time.
    """

    def __init__(self, board: RestBoard, server: SharedServer, clock: Clock) -> None:
        self.channel = f"gw:{server.group}:rests"
        self.find: Callable[[Target], Rest | None] = board.find
        self.probe = board.probe
        self.release = board.release
        self._board = board
        self._server = server
        self._clock = clock
        self._key = f"gw:{{{server.group}}}:rests"
        self._script = Script(files("gateway.routing").joinpath("rests.lua").read_text(encoding="utf-8"))

    def rest(self, target: Target, rest: Rest, now: float) -> Rest:
        after = self._board.rest(target, rest, now)
        self._tell(target, max(1, int((after.until - now) * MICROS)), after)
        return after

    def lift(self, target: Target) -> Rest | None:
        after = self._board.lift(target)
        if after is not None:
            self._tell(target, 0, after)
        return after

    def forget(self, providers: Collection[str]) -> None:
        self._board.forget(providers)

    def hear(self, message: bytes) -> None:
        """Take a message of another gateway over; its own it knows."""
        parts = message.decode(errors="replace").split("\n", PARTS - 1)
        if len(parts) == PARTS and parts[0] != self._server.gateway:
            self._take_over(*parts[1:])

    def catch_up(self) -> None:
        """Read the whole table.

        Raises:
            RedisAway: the server does not answer.
        """
        time, found = self._server.ask(plain("TIME"), plain("HGETALL", self._key))
        now = int(time[0]) * MICROS + int(time[1])
        for target, text in zip(found[::2], found[1::2], strict=False):
            parts = text.decode(errors="replace").split("\n")
            if len(parts) == 3 and parts[0].isdecimal() and int(parts[0]) > now:
                self._take_over(str(int(parts[0]) - now), parts[1], parts[2], target.decode(errors="replace"))

    def _take_over(self, micros: str, why: str, times: str, key: str) -> None:
        target = _target(key)
        if target is None or why not in REASONS or not (micros.isdecimal() and times.isdecimal()):
            return  # of another version
        if micros == "0":
            self._board.lift(target)
            return
        now = self._clock.monotonic()
        until = now + min(int(micros), LONGEST) / MICROS
        self._board.rest(target, Rest(until, cast(RestReason, why), min(int(times), 1_000)), now)

    def _tell(self, target: Target, micros: int, rest: Rest) -> None:
        key = "\t".join((target.provider, target.account, target.model))
        said = (self.channel, self._server.gateway, key, micros, rest.why, rest.times, ENTRIES)
        self._server.tell(self._script.command([self._key], *said))


def _target(key: str) -> Target | None:
    parts: Sequence[Any] = key.split("\t", 2)
    return Target(parts[0], parts[2], parts[1]) if len(parts) == 3 else None
