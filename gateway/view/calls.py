"""The latest calls, as `GET /gateway/calls.json` shows them."""

from typing import Final

from gateway.core.records import CallRecord, TryRecord
from gateway.core.texts import printable
from gateway.observe.recent import Numbered, outcome_of
from gateway.server.calls_json import MAX_TRIES, CallNow, Try

LONGEST: Final = 100
"""Characters of a name that a caller may have invented."""
MICROS: Final = 1_000_000


def call_of(numbered: Numbered) -> CallNow:
    """A call. What its caller wrote is cut, and shown without characters that cannot be seen."""
    record = numbered.record
    return CallNow(
        id=numbered.id,
        at=record.at,
        endpoint=record.endpoint,
        asked=_short(record.asked),
        alias=_short(record.alias),
        provider=record.provider,
        account=record.account,
        model=_short(record.model),
        status=record.status,
        outcome=outcome_of(record),
        error=record.error,
        streamed=record.streamed,
        tries=tuple(map(_try, record.tries[:MAX_TRIES])),
        try_count=len(record.tries),
        queue_ms=record.queue_ms,
        first_ms=record.first_ms,
        total_ms=record.total_ms,
        input=record.input,
        cached=record.cached,
        cache_write=record.cache_write,
        output=record.output,
        reasoning=record.reasoning,
        cost_usd=_cost(record),
        cost_source=record.cost_source,
        client=record.client,
    )


def _try(each: TryRecord) -> Try:
    return Try(each.provider, each.account, _short(each.model), _short(each.outcome), each.ms)


def _cost(record: CallRecord) -> float | None:
    return None if record.cost is None else record.cost / MICROS


def _short(text: str) -> str:
    return printable(text[:LONGEST])
