"""What clients have used of their limits and budgets, for the page."""

import math
from collections.abc import Sequence

from gateway.clients.admission import ClientStatus
from gateway.clients.budget import MICROS, BudgetView
from gateway.limits.slots import SHORT_UNITS, UNIT_SECONDS, RowStatus
from gateway.server.account_json import LimitNow
from gateway.server.client_json import BudgetNow, ClientNow
from gateway.server.status_json import LONGEST


def clients_of(found: Sequence[ClientStatus]) -> Sequence[ClientNow]:
    """The clients that have a limit or a budget, in the order of the configuration."""
    return [
        ClientNow(each.name[:LONGEST], _limits(each.limits), _budget(each.budget))
        for each in found
        if each.limits is not None or each.budget is not None
    ]


def _limits(row: RowStatus | None) -> tuple[LimitNow, ...]:
    return (
        tuple(
            LimitNow(
                SHORT_UNITS[unit.unit], "", unit.used, unit.limit, UNIT_SECONDS.get(unit.unit), row.waiting, row.wait
            )
            for unit in row.units
        )
        if row
        else ()
    )


def _budget(view: BudgetView | None) -> BudgetNow | None:
    if view is None:
        return None
    return BudgetNow(
        view.per,
        view.limit / MICROS,
        view.spent / MICROS,
        view.reserved / MICROS,
        None if math.isinf(view.ends) else view.ends,
    )
