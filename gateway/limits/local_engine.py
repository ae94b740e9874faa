"""The limits of one process, in its own memory. The rows of a provider share one lock."""

import threading
from collections.abc import Container, Iterable, Mapping, Sequence

from gateway.config.rate_limit import RateLimit
from gateway.core.clock import Clock
from gateway.limits.engine import PastUse, SlotsOf
from gateway.limits.gauges import UNITS, Gauge
from gateway.limits.local_slots import LocalSlots
from gateway.limits.row import Row
from gateway.limits.row_key import RowKey


class LocalEngine:
    """Implements gateway.limits.engine.LimitEngine.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: Mapping[RowKey, Row] = {}
        self._unfilled: dict[RowKey, set[str]] = {}  # the units of each row that know nothing of earlier calls yet

    def configure(self, limits: Mapping[RowKey, RateLimit], served: Container[str] | None) -> SlotsOf:
        before, rows = self._rows, dict[RowKey, Row]()
        locks = {key.provider: row.lock for key, row in before.items()}
        for key, limit in limits.items():
            lock = locks.setdefault(key.provider, threading.Lock())
            with lock:
                rows[key] = self._configured(key, before.get(key), limit, lock)
        self._rows = rows
        self._unfilled = {key: units for key, units in self._unfilled.items() if key in rows}
        for key, row in before.items():
            with row.lock:
                if served is not None and key.provider not in served:
                    row.dismiss()
                if key not in rows:
                    row.lift()
        return lambda keys: LocalSlots([rows[key] for key in keys], self._clock)

    def unfilled(self) -> Sequence[RowKey]:
        return sorted(self._unfilled, key=str)

    def refill(self, key: RowKey, uses: Iterable[PastUse]) -> None:
        units = self._unfilled.pop(key, None)
        if units is None:
            return
        row = self._rows[key]
        with row.lock:
            now = self._clock.monotonic()
            since = now - self._clock.wall()
            for use in uses:
                row.refill(units, min(since + use.at, now), use.requests, use.tokens, now)

    def close(self) -> None:
        """It has nothing open."""

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
                self._unfilled.setdefault(key, set()).add(gauge.unit)
            gauges.append(gauge)
        if row is None:
            return Row(str(key), gauges, max_queue=limit.max_queue_size, max_wait=limit.max_wait_seconds, lock=lock)
        row.configure(gauges, max_queue=limit.max_queue_size, max_wait=limit.max_wait_seconds)
        return row
