"""What all processes know of targets that are to be skipped: the seam between health and whoever carries it to others.

Each process has a `Health` of its own, whose counts of failures stay its own. Where it learns that a target or an
account is not to be asked until a time, it writes that on a board, and before each turn it reads what others wrote. One
entry of the board:

    none, lifted ------ rest --------> resting: everybody skips it until its time
    resting ----------- its time ----> over: nobody skips it, and one call may ask first
    over -------------- probe -------> probed: one call asks, everybody else skips it
    probed ------------ lift --------> lifted: everybody asks, and forgets what led to the rest
    probed ------------ rest --------> resting, with the longer time that health computes
    probed ------------ release, PROBE_SECONDS, the end of the process that probes ----> over
    resting, over ----- lift, because a call that another process had begun has shown that it works ----> lifted

With one process there is no board, and health is as it is without this module.
"""

import threading
from collections.abc import Collection
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gateway.routing.breaker import LOOK_AGAIN
from gateway.routing.cooldowns import CooldownReason
from gateway.routing.router import Target

RestReason: TypeAlias = CooldownReason | Literal["opened"]
"""Why all skip it: a cooldown's reason, or that a breaker has opened."""
PROBE_SECONDS: Final = 600.0
"""The longest that one call keeps the others away; a call may take as long. It ends earlier with the call."""
ENTRIES: Final = 1_000
"""Of a board; the one that has not changed for longest goes."""


class Rest(Struct, frozen=True):
    """One entry of a board. Times are monotonic seconds of this machine.

    Attributes:
        until: when its time is over; 0 where it was lifted.
        why: the reason of what ends last.
        times: how often in a row, from 1; what follows takes the longer for it.
        serial: grows with each `rest` and `lift` of it, so that a reader sees whether it knows this already.
        probed_until: until when a probe keeps the others away; 0 where none is under way.
    """

    until: float
    why: RestReason
    times: int
    serial: int = 0
    probed_until: float = 0.0

    @property
    def lifted(self) -> bool:
        return not self.until

    def due(self, now: float) -> float:
        """Seconds until a call may ask; 0 where one may now."""
        if self.until > now:
            return self.until - now
        return LOOK_AGAIN if self.probed_until > now else 0.0

    def needs_probe(self, now: float) -> bool:
        """Whether its time is over and no call has shown since that it works."""
        return 0 < self.until <= now


class RestBoard(Protocol):
    """The board. Its key is a target without account (a provider's server), an account's model, or, with the model "",
    an account as a whole.

    An implementation promises: every method is safe from many threads, raises nothing and waits for no network (health
    calls it under its lock, `find` up to three times before each turn, so that one should take about 1 us). A change is
    seen by the next `find` of this process; by that of others at once where they share memory, within a second where
    they do not. It may forget entries: each process then goes by what itself has seen.
    """

    def find(self, target: Target) -> Rest | None:
        """What stands there; None for nothing."""

    def rest(self, target: Target, rest: Rest, now: float) -> Rest:
        """Have everybody skip it. Of two times that are not over the longer stands. A probe of it is over.

        Args:
            target: the key.
            rest: `until`, `why` and `times` of it.
            now: the time.

        Returns:
            What stands there now.
        """

    def lift(self, target: Target) -> Rest | None:
        """It works: nobody skips it from now on, and a probe of it is over. Returns what stands there now; None where
        nothing stood there."""

    def probe(self, target: Target, now: float) -> bool:
        """Take the probe of an entry whose time is over. True for one call of one process, over all that share memory,
        until it lifts, rests or releases it, for at most PROBE_SECONDS; False for others, and where none is needed."""

    def release(self, target: Target) -> None:
        """The call that has taken the probe has ended without a verdict: the next one may take it."""

    def forget(self, providers: Collection[str]) -> None:
        """Drop what is known of these providers and their accounts: they are asked elsewhere from now on."""


def rested(before: Rest | None, rest: Rest, serial: int, now: float) -> Rest:
    """What stands on a board after `rest`.

    Args:
        before: what stood there.
        rest: what is written.
        serial: the number of this change.
        now: the time.
    """
    longest = before if before is not None and before.until > max(now, rest.until) else rest
    return replace(longest, serial=serial, probed_until=0.0)


def lifted(before: Rest, serial: int) -> Rest:
    """What stands on a board after `lift`."""
    return replace(before, until=0.0, times=0, serial=serial, probed_until=0.0)


class MemoryBoard:
    """A board within one process, for what other machines have told it. It keeps at most ENTRIES.

    Args:
        size: entries.
    """

    def __init__(self, size: int = ENTRIES) -> None:
        self._size = size
        self._lock = threading.Lock()  # guards both; `find` reads the dict without it
        self._entries: dict[Target, Rest] = {}  # the one changed last at the end
        self._serial = 0

    def find(self, target: Target) -> Rest | None:
        return self._entries.get(target)

    def rest(self, target: Target, rest: Rest, now: float) -> Rest:
        with self._lock:
            self._serial += 1
            after = rested(self._entries.pop(target, None), rest, self._serial, now)
            if len(self._entries) >= self._size:
                del self._entries[next(iter(self._entries))]
            self._entries[target] = after
            return after

    def lift(self, target: Target) -> Rest | None:
        with self._lock:
            before = self._entries.pop(target, None)
            if before is None:
                return None
            self._serial += 1
            after = self._entries[target] = lifted(before, self._serial)
            return after

    def probe(self, target: Target, now: float) -> bool:
        with self._lock:
            found = self._entries.get(target)
            if found is None or not found.needs_probe(now) or found.due(now) > 0:
                return False
            self._entries[target] = replace(found, probed_until=now + PROBE_SECONDS)
            return True

    def release(self, target: Target) -> None:
        with self._lock:
            if (found := self._entries.get(target)) is not None:
                self._entries[target] = replace(found, probed_until=0.0)

    def forget(self, providers: Collection[str]) -> None:
        with self._lock:
            self._entries = {each: rest for each, rest in self._entries.items() if each.provider not in providers}
