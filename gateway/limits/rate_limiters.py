"""All rows of `rateLimits`: which of them fit a target, what a reload makes of them, and what a start knows of before.

A row is known by its provider, pattern of models and account. As long as those stay, its windows and its line stay, and
a changed number counts what was granted before.
"""

import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.core.patterns import matches
from gateway.limits.gauges import UNITS, Gauge
from gateway.limits.local_slots import LocalSlots
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.row import Row
from gateway.limits.slots import RowStatus
from gateway.limits.token_reserves import TokenReserves

REMEMBERED: Final = 1_024
"""Targets whose rows are not looked up anew; callers may name any model of a provider."""


class RowKey(NamedTuple):
    """What a row is known by.

    Attributes:
        provider: whose calls it counts.
        model: a pattern of the models that it counts; None for all.
        account: the account that it counts; None for all.
    """

    provider: str
    model: str | None = None
    account: str | None = None

    @classmethod
    def of(cls, limit: RateLimit) -> "RowKey":
        return cls(limit.provider, limit.model, limit.account)

    def __str__(self) -> str:
        """`openai`, `openai/gpt-4o*`."""
        return self.provider if self.model is None else f"{self.provider}/{self.model}"  # as row_name has it

    def fits(self, provider: str, model: str) -> bool:
        """Whether it counts the calls of a target."""
        return provider == self.provider and (self.model is None or matches(self.model, model))


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
        self._find: Callable[[str, str], RateLimiter | None] = lambda provider, model: None
        self.configure(limits)

    def __repr__(self) -> str:
        found = (self._limiter(key.provider, [row]) for key, row in self._rows.items())
        return f"RateLimiters({', '.join(map(repr, found))})"

    def of(self, provider: str, model: str = "") -> RateLimiter | None:
        """The limits that fit a target, if there are some.

        Args:
            provider: its provider.
            model: the provider's name of its model; "" for one that no pattern but `*` matches.
        """
        return self._find(provider, model)

    def status(self) -> Mapping[RowKey, RowStatus]:
        """All rows now, in the order of the configuration."""
        return {key: self._limiter(key.provider, [row]).status()[0] for key, row in self._rows.items()}

    def configure(self, limits: Sequence[RateLimit], served: Container[str] | None = None) -> None:
        """Take new settings over. A row that goes on keeps its windows and its line: the provider counts on.

        Args:
            limits: as configured.
            served: the providers that are called; None for all. Those who wait for another one fail.
        """
        before, rows = self._rows, dict[RowKey, Row]()
        locks = {key.provider: row.lock for key, row in before.items()}
        for limit in limits:
            key = RowKey.of(limit)
            lock = locks.setdefault(key.provider, threading.Lock())
            with lock:
                rows[key] = self._configured(key, before.get(key), limit, lock)
        self._rows = rows
        self._unfilled &= rows.keys()
        self._find = lru_cache(REMEMBERED)(lambda provider, model: self._found(rows, provider, model))
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

    def _found(self, rows: Mapping[RowKey, Row], provider: str, model: str) -> RateLimiter | None:
        fitting = [row for key, row in rows.items() if key.fits(provider, model)]
        return self._limiter(provider, fitting) if fitting else None

    def _limiter(self, name: str, rows: Sequence[Row]) -> RateLimiter:
        return RateLimiter(name, LocalSlots(rows, self._clock), counts_tokens=any(row.counts_tokens for row in rows))
