"""What is known of one target, and what each kind of failure means for it and for the account that was used.

The health of a target is that of a provider's server and a model, for all accounts of the provider: another key mends
no server. Health's lock guards everything here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.provider_failures import (
    CredentialRefused,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    UnsupportedByTarget,
)
from gateway.routing.account_rests import OF_ACCOUNT, OF_MODEL, AccountRest
from gateway.routing.breaker import Breaker, BreakerEntry, BreakerState
from gateway.routing.cooldowns import CooldownReason, Cooldowns
from gateway.routing.latency import FirstContent
from gateway.routing.rest_board import Rest

REJECTIONS: Final[tuple[tuple[type[ProviderFailure], CooldownReason], ...]] = (
    (RateLimited, "rate_limited"),
    (QuotaExhausted, "quota"),
    (TargetModelMissing, "model_missing"),
    (CredentialRefused, "key_refused"),
)
"""Failures that only a working provider gives. They start a cooldown, and the breaker does not count them."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The status of a target, for people. The names of the attributes are keys in the JSON of `explain`.

    Attributes:
        state: "resting" while it cools down, otherwise the breaker's state.
        due: seconds until it may be asked; 0 if it may be asked now.
        why: why it is skipped; None if it is not.
        failures: failures in a row, of those that its breaker counts.
        stream_limit, whole_limit: seconds until the first content of a stream and of a whole answer.
        stream_samples, whole_samples: the number of answers behind these limits.
        cannot: the number of requests that it could not serve, though others can be (UnsupportedByTarget).
    """

    state: BreakerState | Literal["resting"]
    due: float
    why: CooldownReason | None
    failures: int
    stream_limit: float
    whole_limit: float
    stream_samples: int
    whole_samples: int
    cannot: int = 0


class TargetHealth:
    """What is known of one target.

    Attributes:
        serial, others_wait: see gateway.routing.known_rests.
    """

    __slots__ = ("breaker", "cannot", "cooldowns", "serial", "streams", "under_way", "wholes")

    others_wait: Final = False

    def __init__(self, random: Callable[[], float]) -> None:
        self.serial = 0
        self.breaker = Breaker(random)
        self.cooldowns = Cooldowns()
        self.streams = FirstContent()
        self.wholes = FirstContent()
        self.under_way = 0
        self.cannot = 0

    def due(self, now: float) -> float:
        return max(self.cooldowns.due(now), self.breaker.due(now))

    def adopt(self, rest: Rest) -> None:
        """Take over what other processes know."""
        if rest.lifted:
            self.cooldowns.clear()
            self.breaker.adopt_success()
        elif rest.why == "opened":
            self.breaker.adopt(rest.until, rest.times)
        else:
            self.cooldowns.adopt(rest.why, rest.until, rest.times, entered=self.breaker.entered)

    def binding(self, now: float) -> Rest | None:
        """The rest that binds: of cooldowns and an opening the longest; None where none does."""
        found = self.cooldowns.binding(now)
        opening = self.breaker.opening(now)
        if opening is not None and (found is None or opening[0] > found[1]):
            return Rest(opening[0], "opened", opening[1])
        return found and Rest(found[1], found[0], found[2])

    def is_clear(self) -> bool:
        """Whether nothing is left of earlier rests."""
        return self.cooldowns.is_clear() and not self.breaker.is_open

    def first_content(self, *, streamed: bool) -> FirstContent:
        return self.streams if streamed else self.wholes

    def status(self, now: float) -> TargetStatus:
        state = self.breaker.state(now)
        reason = self.cooldowns.reason(now)
        return TargetStatus(
            state="resting" if reason else state,
            due=self.due(now),
            why=reason or ("failures" if state != "closed" else None),
            failures=self.breaker.failures,
            stream_limit=self.streams.limit(),
            whole_limit=self.wholes.limit(),
            stream_samples=self.streams.samples,
            whole_samples=self.wholes.samples,
            cannot=self.cannot,
        )

    def enter(self, now: float) -> "Entry":
        self.under_way += 1
        return Entry(self, self.breaker.enter(now))

    def failed(self, entry: BreakerEntry, failure: ProviderFailure, now: float) -> None:
        if not failure.counts_against_target:
            self.cannot += isinstance(failure, UnsupportedByTarget)
            self.breaker.release(entry)
            return
        reason: CooldownReason = next((each for kind, each in REJECTIONS if isinstance(failure, kind)), "failures")
        if reason == "failures":
            self.breaker.failed(entry, now)
        else:
            self.breaker.rejected(entry)
        self.cooldowns.start(reason, now, failure.evidence.retry_after, entry=entry, entered=self.breaker.entered)


class Entry:
    """A call's entry to a target."""

    __slots__ = ("number", "record")

    def __init__(self, record: TargetHealth, number: BreakerEntry) -> None:
        self.record = record
        self.number = number

    def answered(self, now: float) -> None:
        self.record.breaker.succeeded(now)
        self.record.cooldowns.lift(self.number)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        self.record.failed(self.number, failure, now)

    def release(self) -> None:
        self.record.breaker.release(self.number)


class AccountEntry(Entry):
    """A call's entry to a target by one of several accounts: to the server, the account's model and the account."""

    __slots__ = ("_account", "_by_account", "_by_model", "_model")

    def __init__(self, shared: Entry, model: AccountRest, account: AccountRest, now: float) -> None:
        super().__init__(shared.record, shared.number)
        self._model, self._by_model = model, model.enter(now)
        self._account, self._by_account = account, account.enter(now)

    def answered(self, now: float) -> None:
        super().answered(now)
        self._model.answered(self._by_model)
        self._account.answered(self._by_account)

    def failed(self, failure: ProviderFailure, now: float) -> None:
        advised = failure.evidence.retry_after
        for kind, reason in OF_MODEL:
            if isinstance(failure, kind):
                self.record.breaker.rejected(self.number)
                self._model.failed(self._by_model, reason, now, advised)
                self._account.release(self._by_account)
                return
        self._model.release(self._by_model)
        for kind, reason in OF_ACCOUNT:
            if isinstance(failure, kind):
                self.record.breaker.rejected(self.number)
                self._account.failed(self._by_account, reason, now, advised)
                return
        self._account.release(self._by_account)
        super().failed(failure, now)

    def release(self) -> None:
        super().release()
        self._model.release(self._by_model)
        self._account.release(self._by_account)
