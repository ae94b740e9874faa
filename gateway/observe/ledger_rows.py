"""Records of calls as rows of the ledger's tables, and their sums by day. Pure."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, cast

from msgspec.structs import replace

from gateway.core.local_days import day_of
from gateway.core.records import CallRecord, TryRecord
from gateway.observe.ledger_schema import UNPRICED

LONGEST: Final = 200
"""Characters of a text from outside."""
LONGEST_ATTEMPTS: Final = 2_000
LARGEST: Final = 10**12
"""Of a count from outside: SQLite has integers of 64 bits, a provider may write any number, and millions of these can
be added up."""
Row = tuple[object, ...]
_AT: Final = 1
_KEY: Final = slice(3, 9)
_ERROR: Final = 10
_COUNTS: Final = slice(15, 20)
_COST: Final = 20
_COST_SOURCE: Final = 21
_QUARTER: Final = 900.0
"""Seconds. Days begin at quarters of an hour, in every time zone of today."""


def without_secrets(records: Sequence[CallRecord], mask: Callable[[str], str]) -> Sequence[CallRecord]:
    """The records, with the secrets masked in every text that comes from outside. Most batches have none, and one look
    at all their texts tells it."""
    texts: set[str] = set()  # a batch has most of them many times, and to search them is what takes the time
    for record in records:
        texts |= {record.request_id, record.asked, record.model, record.error or "", record.attempts}
        texts |= {each.their_id for each in record.tries if each.their_id}
    text = "\n".join(texts)
    return records if mask(text) == text else [_without_secrets(record, mask) for record in records]


def _without_secrets(record: CallRecord, mask: Callable[[str], str]) -> CallRecord:
    return replace(
        record,
        request_id=mask(record.request_id),
        asked=mask(record.asked),
        model=mask(record.model),
        error=mask(record.error) if record.error else record.error,
        attempts=mask(record.attempts),
        tries=tuple(_try_without_secrets(each, mask) for each in record.tries),
    )


def _try_without_secrets(each: TryRecord, mask: Callable[[str], str]) -> TryRecord:
    return replace(
        each,
        model=mask(each.model),
        outcome=mask(each.outcome),
        their_id=mask(each.their_id) if each.their_id else each.their_id,
    )


def call_row(id: int, record: CallRecord) -> Row:
    """The row of a call in `calls`; the places below are those of this tuple."""
    return (
        id,
        record.at,
        _text(record.request_id),
        *_names(record.client, record.alias, record.provider, record.account, record.model, record.endpoint),
        record.status,
        None if record.error is None else _text(record.error),
        int(record.streamed),
        record.queue_ms,
        record.first_ms,
        record.total_ms,
        *_counts(record),
        None if record.cost is None else _bounded(record.cost),
        record.cost_source,
        _text(record.attempts, LONGEST_ATTEMPTS),
    )


def try_rows(id: int, record: CallRecord) -> Iterable[Row]:
    """The rows of a call in `tries`, where those of a call that took one are not kept."""
    for number, each in enumerate(record.tries, start=1):
        theirs = None if each.their_id is None else _text(each.their_id)
        target = (_text(each.provider), _text(each.account), _text(each.model))
        yield (id, number, *target, _text(each.outcome), each.ms, theirs)


def day_rows(rows: Iterable[Row]) -> list[Row]:
    """What the rows of calls add to `days`."""
    found: dict[Row, list[Row]] = {}
    days: dict[float, str] = {}
    for row in rows:
        at = cast("float", row[_AT])
        quarter = at // _QUARTER
        day = days.get(quarter) or days.setdefault(quarter, day_of(at))
        found.setdefault((day, *row[_KEY]), []).append(row)
    return [(*key, *_sums(those)) for key, those in found.items()]


def _sums(rows: Sequence[Row]) -> Row:
    """How many calls, and of these failed, their tokens, their cost as far as it is known, and how many have none."""
    columns = list(zip(*rows, strict=True))  # a column at a time is added up in C
    tokens = [sum(filter(None, cast("tuple[int | None, ...]", each))) for each in columns[_COUNTS]]
    costs = [cast("int", each) for each in columns[_COST] if each is not None]
    failed, unpriced = len(rows) - columns[_ERROR].count(None), columns[_COST_SOURCE].count(UNPRICED)
    return (len(rows), failed, *tokens, sum(costs) if costs else None, unpriced)


def _counts(record: CallRecord) -> tuple[int | None, ...]:
    """Its tokens: input, cached, cache_write, output, reasoning."""
    counts = (record.input, record.cached, record.cache_write, record.output, record.reasoning)
    return tuple([each if each is None or -LARGEST <= each <= LARGEST else _bounded(each) for each in counts])


def _bounded(count: int) -> int:
    return max(-LARGEST, min(count, LARGEST))


@lru_cache(maxsize=256)
def _names(*names: str) -> tuple[str, ...]:
    """By what calls are added up: the same few names again and again."""
    return tuple(map(_text, names))


def _text(text: str, longest: int = LONGEST) -> str:
    """A text that SQLite takes: short, and without halves of surrogate pairs."""
    cut = text if len(text) <= longest else text[:longest]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()
