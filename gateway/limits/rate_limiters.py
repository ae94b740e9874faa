"""All rows of `rateLimits`: which of them fit a target, what a reload makes of them, and what a start knows of before.

A row is known by its provider, pattern of models and account. As long as those stay, its windows and its line stay, and
a changed number counts what was granted before. What keeps them is an engine.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final

from gateway.config.rate_limit import RateLimit
from gateway.core.records import login_name
from gateway.limits.engine import LimitEngine, PastUse, SlotsOf
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.row_key import RowKey
from gateway.limits.slots import RowStatus
from gateway.limits.token_reserves import TokenReserves

NO_ACCOUNTS: Final[Mapping[str, Sequence[str]]] = {}
REMEMBERED: Final = 1_024
"""Targets whose rows are not looked up anew; callers may name any model of a provider."""


class RateLimiters:
    """The limits of all targets that have some.

    Attributes:
        reserves: how many tokens a call takes.

    Args:
        limits: as configured.
        engine: keeps their windows and lines.
    """

    def __init__(self, limits: Sequence[RateLimit], engine: LimitEngine) -> None:
        self.reserves = TokenReserves()
        self._engine = engine
        self._find: Callable[[str, str, str], RateLimiter | None] = lambda provider, model, account: None
        self.configure(limits)

    def __repr__(self) -> str:
        found = (RateLimiter(key.provider, self._slots_of([key])) for key in self._keys)
        return f"RateLimiters({', '.join(map(repr, found))})"

    def of(self, provider: str, model: str = "", account: str = "") -> RateLimiter | None:
        """The limits that fit a target, if there are some.

        Args:
            provider: its provider.
            model: the provider's name of its model; "" for one that no pattern but `*` matches.
            account: by which account it is asked; "" where its provider has one without a name.
        """
        return self._find(provider, model, account)

    def status(self) -> Mapping[RowKey, RowStatus]:
        """All rows now, in the order of the configuration."""
        return {key: self._slots_of([key]).status()[0] for key in self._keys}

    def configure(
        self,
        limits: Sequence[RateLimit],
        served: Container[str] | None = None,
        accounts: Mapping[str, Sequence[str]] = NO_ACCOUNTS,
    ) -> None:
        """Take new settings over. A row that goes on keeps its windows and its line: the provider counts on.

        Args:
            limits: as configured.
            served: the providers that are called; None for all. Those who wait for another one fail.
            accounts: the names of each provider's accounts, where it has some.
        """
        keyed = dict(_keyed(limits, accounts))
        self._keys = tuple(keyed)
        self._slots_of = slots_of = self._engine.configure(keyed, served)
        self._find = lru_cache(REMEMBERED)(partial(_found, keyed, slots_of))

    def unfilled(self) -> Sequence[RowKey]:
        """The rows with a window of a day that does not know yet what was sent before it began."""
        return self._engine.unfilled()

    def refill(self, key: RowKey, grants: Iterable[PastUse]) -> None:
        """Count in a row's windows of a day what was sent before they began, so that a restart gives no second day.
        Once a row; again it does nothing.

        Args:
            key: of a row that is `unfilled`.
            grants: what the ledger knows of its targets, in any order; older than a day counts nothing.
        """
        self._engine.refill(key, grants)


def _found(
    limits: Mapping[RowKey, RateLimit], slots_of: SlotsOf, provider: str, model: str, account: str
) -> RateLimiter | None:
    """The limits of a target, of these rows."""
    fitting = [key for key in limits if key.fits(provider, model, account)]
    if not fitting:
        return None
    counts_tokens = any(_counts_tokens(limits[key]) for key in fitting)
    return RateLimiter(login_name(provider, account), slots_of(fitting), counts_tokens=counts_tokens)


def _counts_tokens(limit: RateLimit) -> bool:
    return limit.tokens_per_minute is not None or limit.tokens_per_day is not None


def _keyed(limits: Iterable[RateLimit], accounts: Mapping[str, Sequence[str]]) -> Iterator[tuple[RowKey, RateLimit]]:
    """The rows by what they are known by. One that names no account has a window for each account of its provider."""
    for limit in limits:
        names = accounts.get(limit.provider, ())
        if limit.account is not None or not names:
            yield RowKey(limit.provider, limit.model, limit.account), limit
        else:
            yield from ((RowKey(limit.provider, limit.model, name, is_own=False), limit) for name in names)
