"""All rows of `rateLimits`: which of them fit a target, what a reload makes of them, and what a start knows of before.

A row is known by its provider, pattern of models and account. As long as those stay, its windows and its line stay, and
a changed number counts what was granted before.
"""

import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from gateway.config.limit_rules import row_text
from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.core.patterns import matches
from gateway.core.records import login_name
from gateway.limits.gauges import UNITS, Gauge
from gateway.limits.local_slots import LocalSlots
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.row import Row
from gateway.limits.slots import RowStatus
from gateway.limits.token_reserves import TokenReserves

NO_ACCOUNTS: Final[Mapping[str, Sequence[str]]] = {}
REMEMBERED: Final = 1_024
"""Targets whose rows are not looked up anew; callers may name any model of a provider."""


class RowKey(NamedTuple):
    """What a row is known by.

    Attributes:
        provider: whose calls it counts.
        model: a pattern of the models that it counts; None for all.
        account: the account that it counts; None where its provider has none.
        is_own: the row names the account; else it is one of the windows that a row has for each account.
    """

    provider: str
    model: str | None = None
    account: str | None = None
    is_own: bool = True

    def __str__(self) -> str:
        """`openai`, `openai/gpt-4o*`, `openai@work/gpt-4o*`."""
        return row_text(self.provider, self.model, self.account)

    def fits(self, provider: str, model: str, account: str) -> bool:
        """Whether it counts the calls of a target."""
        if provider != self.provider or (self.account is not None and account != self.account):
            return False
        return self.model is None or matches(self.model, model)


class PastUse(NamedTuple):
    """What left for a provider before the process began.

    Attributes:
        at: wall seconds.
        requests: how many requests.
        tokens: how many tokens, of input and output.
    """

    at: float
    requests: int
    tokens: int


class RateLimiters:
    """The limits of all targets that have some.

    Attributes:
        reserves: how many tokens a call takes.

    Args:
        limits: as configured.
        clock: the time.
    """

    def __init__(self, limits: Sequence[RateLimit], clock: Clock) -> None:
        self.reserves = TokenReserves()
        self._clock = clock
        self._rows: Mapping[RowKey, Row] = {}
        self._unfilled: set[RowKey] = set()
        self._find: Callable[[str, str, str], RateLimiter | None] = lambda provider, model, account: None
        self.configure(limits)

    def __repr__(self) -> str:
        found = (self._limiter(key.provider, [row]) for key, row in self._rows.items())
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
        return {key: self._limiter(key.provider, [row]).status()[0] for key, row in self._rows.items()}

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
        before, rows = self._rows, dict[RowKey, Row]()
        locks = {key.provider: row.lock for key, row in before.items()}
        for key, limit in _keyed(limits, accounts):
            lock = locks.setdefault(key.provider, threading.Lock())
            with lock:
                rows[key] = self._configured(key, before.get(key), limit, lock)
        self._rows = rows
        self._unfilled &= rows.keys()
        self._find = lru_cache(REMEMBERED)(partial(self._found, rows))
        for key, row in before.items():
            with row.lock:
                if served is not None and key.provider not in served:
                    row.dismiss()
                if key not in rows:
                    row.lift()

    def unfilled(self) -> Sequence[RowKey]:
        """The rows with a window of a day that does not know yet what was sent before it began."""
        return sorted(self._unfilled, key=str)

    def refill(self, key: RowKey, grants: Iterable[PastUse]) -> None:
        """Count in a row's windows of a day what was sent before they began, so that a restart gives no second day.
        Once a row; again it does nothing.

        Args:
            key: of a row that is `unfilled`.
            grants: what the ledger knows of its targets, in any order; older than a day counts nothing.
        """
        if key not in self._unfilled:
            return
        self._unfilled.discard(key)
        row = self._rows[key]
        with row.lock:
            now = self._clock.monotonic()
            since = now - self._clock.wall()
            for grant in grants:
                row.refill(min(since + grant.at, now), grant.requests, grant.tokens, now)

    def _configured(self, key: RowKey, row: Row | None, limit: RateLimit, lock: threading.Lock) -> Row:
        """A row with its settings, and with the gauges that it had. Under its lock."""
        kept = {gauge.unit: gauge for gauge in row.gauges} if row else {}
        gauges: list[Gauge] = []
        for setting, make in UNITS.items():
            number = getattr(limit, setting)
            if number is None:
                continue
            gauge = make(number)
            if (before := kept.get(gauge.unit)) is not None:
                before.configure(number)
                gauge = before
            elif gauge.unit.endswith("Day"):
                self._unfilled.add(key)
            gauges.append(gauge)
        if row is None:
            return Row(str(key), gauges, max_queue=limit.max_queue_size, max_wait=limit.max_wait_seconds, lock=lock)
        row.configure(gauges, max_queue=limit.max_queue_size, max_wait=limit.max_wait_seconds)
        return row

    def _found(self, rows: Mapping[RowKey, Row], provider: str, model: str, account: str) -> RateLimiter | None:
        fitting = [row for key, row in rows.items() if key.fits(provider, model, account)]
        return self._limiter(login_name(provider, account), fitting) if fitting else None

    def _limiter(self, name: str, rows: Sequence[Row]) -> RateLimiter:
        return RateLimiter(name, LocalSlots(rows, self._clock), counts_tokens=any(row.counts_tokens for row in rows))


def _keyed(limits: Iterable[RateLimit], accounts: Mapping[str, Sequence[str]]) -> Iterator[tuple[RowKey, RateLimit]]:
    """The rows by what they are known by. One that names no account has a window for each account of its provider."""
    for limit in limits:
        names = accounts.get(limit.provider, ())
        if limit.account is not None or not names:
            yield RowKey(limit.provider, limit.model, limit.account), limit
        else:
            yield from ((RowKey(limit.provider, limit.model, name, is_own=False), limit) for name in names)
