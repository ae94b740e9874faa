"""What clients have used of their limits and budgets, for the page."""

from collections.abc import Sequence

from gateway.clients.admission import ClientStatus
from gateway.clients.budget import BudgetView
from gateway.server.client_json import BudgetNow, ClientNow
from gateway.server.status_json import LONGEST
from gateway.view.limits import numbers_of


def clients_of(found: Sequence[ClientStatus]) -> Sequence[ClientNow]:
    """The clients that have a limit or a budget, in the order of the configuration."""
    return [
        ClientNow(each.name[:LONGEST], tuple(numbers_of(each.limits)) if each.limits else (), _budget(each.budget))
        for each in found
        if each.limits is not None or each.budget is not None
    ]


def _budget(view: BudgetView | None) -> BudgetNow | None:
    if view is None:
        return None
    return BudgetNow(view.per, view.limit_usd, view.spent_usd, view.reserved_usd, view.ends_at)
