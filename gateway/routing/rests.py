"""How long a target is left in peace for what it said: too many requests, quota spent, no such model, not now.

A rest is the provider's word about calls to come, where the breaker is our own guess from results; so each is kept by
itself. Plain arithmetic like breaker.py: time is handed in, and whoever shares it brings the lock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from gateway.routing.breaker import Entry

Why = Literal["rate_limited", "quota", "model_missing", "key_refused", "failures"]

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of rest for one reason.

    Attributes:
        first: the rest where no time was told, doubled each time in a row.
        longest: what doubling ends at.
        told: the bounds of a time that was told; None where none is listened to.
    """

    first: float
    longest: float
    told: tuple[float, float] | None

    def asked(self, told: float | None) -> float | None:
        """The rest for a time that was told, if it is one."""
        if told is None or self.told is None or not math.isfinite(told):
            return None
        least, most = self.told
        return min(max(told, least), most)

    def doubled(self, times: int) -> float:
        """The rest where none was told, for so many times in a row."""
        return min(self.first * 2.0 ** min(times - 1, 30), self.longest)


PACES: Final[Mapping[Why, Pace]] = MappingProxyType(
    {
        "rate_limited": Pace(5.0, 60.0, (1.0, DAY)),  # 0 would be no rest, and the next call would hit it again
        "quota": Pace(600.0, 3600.0, (1.0, DAY)),
        "model_missing": Pace(60.0, 600.0, None),
        "key_refused": Pace(30.0, 300.0, None),  # mended at the vendor, without a word to us
        "failures": Pace(0.0, 0.0, (0.0, 60.0)),  # only what was told: without it the breaker alone decides
    }
)


@dataclass(frozen=True, slots=True)
class _Rest:
    times: int
    until: float
    after: int


class Rests:
    """One target's rests, at most one for each reason; the one that lasts longest binds. Times are monotonic seconds.

    Calls that ran while a rest was imposed are told apart from later ones by their number: ten calls that hit one
    limit together are one hit, and the good end of an old call does not lift a limit told since.
    """

    __slots__ = ("_rests",)

    def __init__(self) -> None:
        self._rests: dict[Why, _Rest] = {}

    def due(self, now: float) -> float:
        """Seconds until no rest binds; 0 where none does."""
        if not self._rests:
            return 0.0
        return max((rest.until - now for rest in self._rests.values() if rest.until > now), default=0.0)

    def why(self, now: float) -> Why | None:
        """The reason of the rest that binds."""
        binding = {why: rest.until for why, rest in self._rests.items() if rest.until > now}
        return max(binding, key=binding.__getitem__, default=None)

    def begin(self, why: Why, now: float, told: float | None, *, entry: Entry, entered: int) -> None:
        """A call was turned away.

        Args:
            why: the reason.
            now: the time.
            told: seconds that the provider asked for, if it did; what is no finite number counts as none.
            entry: the call.
            entered: the number of the latest call that went in.
        """
        pace = PACES[why]
        asked = pace.asked(told)
        before = self._rests.get(why)
        if before is not None and entry.number <= before.after and now < before.until:
            until = max(before.until, now + (asked or 0.0))
            self._rests[why] = replace(before, until=until)
        elif asked is not None or pace.first:
            times = before.times + 1 if before is not None else 1
            seconds = pace.doubled(times) if asked is None else asked
            self._rests[why] = _Rest(times, now + seconds, entered)

    def lift(self, entry: Entry) -> None:
        """The call ended well: whatever rest it went in after is over, and the doubling with it."""
        if self._rests:
            self._rests = {why: rest for why, rest in self._rests.items() if entry.number <= rest.after}
