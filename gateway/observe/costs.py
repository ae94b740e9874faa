"""What a call costs: the sum of its tries, each priced by its own target. Pure; the ledger's thread asks.

A try that failed costs nothing, unless its provider has counted tokens for it. One that answered and whose provider has
counted none has a cost that nobody knows, unless its server costs nothing at all.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.records import ANSWERED, CallRecord, TryRecord
from gateway.observe.prices import UNKNOWN, Cost, total

CostOf = Callable[[str, str, Usage, float], Cost]
"""What a try costs: of the provider, its model, the tokens, and when in wall seconds."""
_NOTHING: Final = Usage(0, 0)


def with_costs(record: CallRecord, cost_of: CostOf) -> CallRecord:
    """The record with the cost of the call and of each try. A call that asked nobody has none, and no source of one."""
    if len(record.tries) == 1 and (usage := record.tries[0].usage) is not None:  # most calls: 0.9 us in place of 3
        (only,) = record.tries
        cost = cost_of(only.provider, only.model, usage, record.at)
        micros = cost.micros
        return replace(record, tries=(replace(only, cost=micros),), cost=micros, cost_source=cost.label)
    found = [_cost(each, record.at, cost_of) for each in record.tries]
    known = [cost for cost in found if cost is not None]
    if not known:
        return record
    whole = total(known)
    tries = tuple(
        each if cost is None else replace(each, cost=cost.micros)
        for each, cost in zip(record.tries, found, strict=True)
    )
    return replace(record, tries=tries, cost=whole.micros, cost_source=whole.label)


def _cost(each: TryRecord, at: float, cost_of: CostOf) -> Cost | None:
    if each.usage is not None:
        return cost_of(each.provider, each.model, each.usage, at)
    if each.outcome != ANSWERED:
        return None
    free = cost_of(each.provider, each.model, _NOTHING, at)
    return free if free.source == "local" else UNKNOWN
