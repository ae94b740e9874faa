"""Cooldowns: how long a target is skipped after it reported a limit, a quota, a missing model or a refused key.

A cooldown follows from the provider's own word about future calls; the breaker is the gateway's guess from results. So
the two are kept apart. Plain arithmetic like breaker.py: the caller passes the time in and holds the lock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from gateway.routing.breaker import BreakerEntry

CooldownReason = Literal["rate_limited", "quota", "model_missing", "key_refused", "failures"]

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class CooldownPolicy:
    """The seconds of a cooldown for one reason.

    Attributes:
        first: the cooldown without advice from the provider; it doubles each time in a row.
        longest: the most that doubling gives.
        bounds: the least and the most that the provider's advice gives; None if advice is ignored.
    """

    first: float
    longest: float
    bounds: tuple[float, float] | None

    def advised(self, advised_seconds: float | None) -> float | None:
        """The cooldown that the provider's advice gives; None without usable advice."""
        if advised_seconds is None or self.bounds is None or not math.isfinite(advised_seconds):
            return None
        least, most = self.bounds
        return min(max(advised_seconds, least), most)

    def doubled(self, times: int) -> float:
        """The cooldown without advice, for the given number of times in a row."""
        return min(self.first * 2.0 ** min(times - 1, 30), self.longest)


COOLDOWNS: Final[Mapping[CooldownReason, CooldownPolicy]] = MappingProxyType(
    {
        "rate_limited": CooldownPolicy(5.0, 60.0, (1.0, DAY)),  # after 0 s the next call would hit the limit again
        "quota": CooldownPolicy(600.0, 3600.0, (1.0, DAY)),
        "model_missing": CooldownPolicy(60.0, 600.0, None),
        "key_refused": CooldownPolicy(30.0, 300.0, None),  # the vendor mends it without telling the gateway
        "failures": CooldownPolicy(0.0, 0.0, (0.0, 60.0)),  # only with advice; without it the breaker alone decides
    }
)


@dataclass(frozen=True, slots=True)
class _Cooldown:
    times: int
    until: float
    after: int


class Cooldowns:
    """One target's cooldowns, at most one for each reason; the longest one binds. Times are monotonic seconds.

    The number of a call tells whether it ran when a cooldown began. Ten calls that hit one limit together count once,
    and the good end of an old call does not lift a limit that was reported later.

    Args:
        policies: how long each takes.
    """

    __slots__ = ("_cooldowns", "_policies")

    def __init__(self, policies: Mapping[CooldownReason, CooldownPolicy] = COOLDOWNS) -> None:
        self._cooldowns: dict[CooldownReason, _Cooldown] = {}
        self._policies = policies

    def due(self, now: float) -> float:
        """Seconds until no cooldown binds; 0 where none does."""
        if not self._cooldowns:
            return 0.0
        return max((each.until - now for each in self._cooldowns.values() if each.until > now), default=0.0)

    def is_over(self, now: float) -> bool:
        """Whether a cooldown has run out, and no call has ended well since."""
        return bool(self._cooldowns) and self.due(now) <= 0

    def reason(self, now: float) -> CooldownReason | None:
        """The reason of the cooldown that binds."""
        binding = {reason: each.until for reason, each in self._cooldowns.items() if each.until > now}
        return max(binding, key=binding.__getitem__, default=None)

    def binding(self, now: float) -> tuple[CooldownReason, float, int] | None:
        """The reason of the cooldown that binds, until when it does, and how often in a row; None where none does."""
        reason = self.reason(now) if self._cooldowns else None
        return (reason, self._cooldowns[reason].until, self._cooldowns[reason].times) if reason else None

    def is_clear(self) -> bool:
        """Whether none is left, nor one that makes the next one longer."""
        return not self._cooldowns

    def adopt(self, reason: CooldownReason, until: float, times: int, *, entered: int) -> None:
        """One began elsewhere.

        Args:
            reason: why.
            until: when it is over.
            times: how often in a row.
            entered: the number of the latest call that went in here.
        """
        self._cooldowns[reason] = _Cooldown(times, until, entered)

    def clear(self) -> None:
        """A call elsewhere has ended well: every cooldown is over, and so is its doubling."""
        self._cooldowns = {}

    def start(
        self, reason: CooldownReason, now: float, advised_seconds: float | None, *, entry: BreakerEntry, entered: int
    ) -> None:
        """A call was rejected.

        Args:
            reason: why.
            now: the time.
            advised_seconds: the provider's advice, if it gave any. NaN and infinity count as none.
            entry: the call.
            entered: the number of the latest call that went in.
        """
        policy = self._policies[reason]
        advised = policy.advised(advised_seconds)
        before = self._cooldowns.get(reason)
        if before is not None and entry.number <= before.after and now < before.until:
            until = max(before.until, now + (advised or 0.0))
            self._cooldowns[reason] = replace(before, until=until)
        elif advised is not None or policy.first:
            times = before.times + 1 if before is not None else 1
            seconds = policy.doubled(times) if advised is None else advised
            self._cooldowns[reason] = _Cooldown(times, now + seconds, entered)

    def lift(self, entry: BreakerEntry) -> None:
        """The call ended well: every cooldown that began before the call went in is over, and so is its doubling."""
        if self._cooldowns:
            self._cooldowns = {reason: each for reason, each in self._cooldowns.items() if entry.number <= each.after}
