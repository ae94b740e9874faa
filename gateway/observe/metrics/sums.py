"""The sums of calls that have ended. The ledger's thread adds to them, and a scrape reads them.

They live as long as the process, so that no counter goes down when the configuration is reloaded. A call's figures are
added under one lock, and read under it: a scrape sees a call whole or not at all.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.core.records import ANSWERED, CallRecord, TryRecord
from gateway.core.texts import printable
from gateway.observe.ledger_schema import UNPRICED
from gateway.observe.metrics import families
from gateway.observe.metrics.families import Labels, Reading
from gateway.observe.metrics.labels import (
    GEN_AI_OPERATIONS,
    ModelNames,
    NamedTarget,
    Vendors,
    gen_ai_provider,
)
from gateway.observe.metrics.series import MAX_IN_ALL, MAX_SERIES, Counters, Histograms, Room

TOKEN_TYPES: Final = ("input", "cached_input", "cache_write", "output", "reasoning")


class Sums:
    """Adds calls up. Safe to use from many threads. It is a RecordSink.

    Args:
        max_series: of one metric.
        max_in_all: of all.
    """

    def __init__(self, max_series: int = MAX_SERIES, max_in_all: int = MAX_IN_ALL) -> None:
        room = Room(max_in_all)
        self._lock = threading.Lock()  # guards all below
        self._models = ModelNames()
        self._vendors: Vendors = {}
        self._counting = True
        self._requests = Counters(families.REQUESTS, room, max_series)
        self._duration = Histograms(families.DURATION, room, max_series)
        self._first_content = Histograms(families.FIRST_CONTENT, room, max_series)
        self._queue_wait = Histograms(families.QUEUE_WAIT, room, max_series)
        self._attempts = Counters(families.ATTEMPTS, room, max_series)
        self._tokens = Counters(families.TOKENS, room, max_series)
        self._cost = Counters(families.COST, room, max_series)
        self._unpriced = Counters(families.UNPRICED, room, max_series)
        self._gen_ai_duration = Histograms(families.GEN_AI_DURATION, room, max_series)
        self._gen_ai_first = Histograms(families.GEN_AI_FIRST_CHUNK, room, max_series)
        self._gen_ai_tokens = Histograms(families.GEN_AI_TOKENS_USED, room, max_series)

    def configure(self, targets: Iterable[NamedTarget], vendors: Vendors, *, counting: bool = True) -> None:
        """A configuration is served from now on.

        Args:
            targets: of all aliases.
            vendors: see gateway.observe.metrics.labels.
            counting: whether calls are added from now on, or cost nothing here.
        """
        with self._lock:
            self._models.configure(targets)
            self._vendors = vendors
            self._counting = counting

    def take(self, records: Sequence[CallRecord]) -> None:
        """Add calls that have ended, one after the other."""
        for record in records:
            with self._lock:
                if self._counting:
                    self._add(record)

    def read(self) -> Sequence[Reading]:
        """Every metric with its series now."""
        with self._lock:
            return [(each.family, each.read()) for each in self._all()]

    def _all(self) -> Sequence[Counters | Histograms]:
        return (
            self._requests,
            self._duration,
            self._first_content,
            self._queue_wait,
            self._attempts,
            self._tokens,
            self._cost,
            self._unpriced,
            self._gen_ai_duration,
            self._gen_ai_first,
            self._gen_ai_tokens,
        )

    def _add(self, record: CallRecord) -> None:
        alias, stream = printable(record.alias), "true" if record.streamed else "false"
        self._requests.add((alias, record.endpoint, str(record.status), record.client))
        self._duration.observe((alias, record.endpoint, stream), record.total_ms)
        if record.streamed and record.first_ms is not None:
            self._first_content.observe((alias,), record.first_ms)
        for each in record.tries:
            self._add_try(each, record)
        if record.provider:
            self._queue_wait.observe((record.provider,), record.queue_ms)
            self._add_answer(record)

    def _add_answer(self, record: CallRecord) -> None:
        """The tokens and the cost, as the ledger has them: by who answered, or was asked last."""
        model = self._models.label(record.provider, record.model, answered=record.answered)
        target = (record.provider, record.account, model)
        counts = (record.input, record.cached, record.cache_write, record.output, record.reasoning)
        for kind, count in zip(TOKEN_TYPES, counts, strict=True):
            if count:
                self._tokens.add((*target, kind), count)
        if record.cost is not None:
            self._cost.add(target, record.cost)
        elif record.cost_source == UNPRICED:
            self._unpriced.add(target)

    def _add_try(self, each: TryRecord, record: CallRecord) -> None:
        model = self._models.label(each.provider, each.model, answered=each.outcome == ANSWERED)
        self._attempts.add((each.provider, each.account, model, each.outcome))
        if each.ms is None:
            return  # no request was made
        operation = GEN_AI_OPERATIONS.get(record.endpoint, record.endpoint)
        labels: Labels = (operation, gen_ai_provider(each.provider, self._vendors), model)
        self._gen_ai_duration.observe((*labels, "" if each.outcome == ANSWERED else each.outcome), each.ms)
        if each.first_ms is not None:
            self._gen_ai_first.observe(labels, each.first_ms)
        if each.usage is not None:
            self._gen_ai_tokens.observe((*labels, "input"), each.usage.prompt)
            self._gen_ai_tokens.observe((*labels, "output"), each.usage.completion)
