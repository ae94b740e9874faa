"""What `GET /gateway/status.json` says of a client."""

from msgspec import Struct

from gateway.clients.periods import Per
from gateway.server.account_json import LimitNow


class BudgetNow(Struct, frozen=True, rename="camel"):
    """A client's budget, in US dollars.

    Attributes:
        per: its period, or `total`.
        limitUsd: of a period.
        spentUsd: in this one.
        reservedUsd: by calls under way, by their estimates.
        endsAt: wall seconds at which it begins anew; null where it does not.
    """

    per: Per
    limit_usd: float
    spent_usd: float
    reserved_usd: float
    ends_at: float | None


class ClientNow(Struct, frozen=True, rename="camel"):
    """A client of the section `clients` that has a limit or a budget.

    Attributes:
        name: as configured.
        limits: its numbers; their `model` is "".
        budget: null where it has none.
    """

    name: str
    limits: tuple[LimitNow, ...]
    budget: BudgetNow | None
