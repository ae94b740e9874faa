"""What rests of a provider with several accounts: one account for a model, or one for all its models.

A limit that an account has met is about that account and a model; a quota that is used up and a key that is refused are
about the account. Neither says anything of the provider's other accounts, nor of its server, whose health is kept once
for all of them. After a quota or a refused key the first call alone asks again: as long as it runs, others go
elsewhere. Plain arithmetic like cooldowns.py: the caller passes the time in and holds the lock.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.provider_failures import (
    CredentialRefused,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
)
from gateway.routing.breaker import LOOK_AGAIN, BreakerEntry
from gateway.routing.cooldowns import COOLDOWNS, DAY, CooldownPolicy, CooldownReason, Cooldowns
from gateway.routing.rest_board import Rest

OF_MODEL: Final[tuple[tuple[type[ProviderFailure], CooldownReason], ...]] = (
    (RateLimited, "rate_limited"),
    (TargetModelMissing, "model_missing"),
)
"""What rests an account for a model: another account may have another plan."""
OF_ACCOUNT: Final[tuple[tuple[type[ProviderFailure], CooldownReason], ...]] = (
    (QuotaExhausted, "quota"),
    (CredentialRefused, "key_refused"),
)
"""What rests an account for all its models."""
ACCOUNT_COOLDOWNS: Final[Mapping[CooldownReason, CooldownPolicy]] = MappingProxyType(
    {**COOLDOWNS, "quota": CooldownPolicy(60.0, 3600.0, (1.0, DAY))}
)
"""A quota that is told no time is asked after 1, 2, 4 ... 60 minutes: other accounts answer meanwhile, so that an early
question costs little, and a late one leaves an account unused."""


def rests_account(failure: ProviderFailure) -> bool:
    """Whether a failure is about the account that was asked, so that another one may answer."""
    return isinstance(failure, RateLimited | TargetModelMissing | QuotaExhausted | CredentialRefused)


class AccountRest:
    """The rests of one account, for a model or for all.

    Attributes:
        serial, others_wait: see gateway.routing.known_rests.

    Args:
        probed: whether one call alone asks again when a rest is over.
    """

    __slots__ = ("_entered", "_probe", "_probed", "cooldowns", "others_wait", "serial")

    def __init__(self, *, probed: bool) -> None:
        self.serial = 0
        self.others_wait = probed
        self.cooldowns = Cooldowns(ACCOUNT_COOLDOWNS)
        self._probed = probed
        self._entered = 0
        self._probe = 0  # the number of the call that asks again; 0 where none does

    def due(self, now: float) -> float:
        """Seconds until a call may ask; 0 where one may now."""
        return self.cooldowns.due(now) or (LOOK_AGAIN if self._probe else 0.0)

    def adopt(self, rest: Rest) -> None:
        """Take over what other processes know."""
        if rest.lifted:
            self.cooldowns.clear()
        elif rest.why != "opened":
            self.cooldowns.adopt(rest.why, rest.until, rest.times, entered=self._entered)

    def binding(self, now: float) -> Rest | None:
        """The rest that binds; None where none does."""
        found = self.cooldowns.binding(now)
        return found and Rest(found[1], found[0], found[2])

    def is_clear(self) -> bool:
        """Whether nothing is left of earlier rests."""
        return self.cooldowns.is_clear()

    def enter(self, now: float) -> BreakerEntry:
        """A call asks."""
        self._entered += 1
        probing = self._probed and not self._probe and self.cooldowns.is_over(now)
        if probing:
            self._probe = self._entered
        return BreakerEntry(self._entered, probing)

    def answered(self, entry: BreakerEntry) -> None:
        """The call ended well: every rest from before it is over."""
        self.release(entry)
        self.cooldowns.lift(entry)

    def failed(self, entry: BreakerEntry, reason: CooldownReason, now: float, advised_seconds: float | None) -> None:
        """The account has refused the call."""
        self.release(entry)
        self.cooldowns.start(reason, now, advised_seconds, entry=entry, entered=self._entered)

    def release(self, entry: BreakerEntry) -> None:
        """The call ended without a word on the account: the next one may ask."""
        if entry.number == self._probe:
            self._probe = 0
