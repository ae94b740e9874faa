"""What a client of the running gateway has used, for people."""

from gateway.commands.console import utc_time
from gateway.commands.running_gateway import ClientUsed


def client_in_words(client: ClientUsed) -> str:
    """`requestsPerMinute 3 of 30, $1.20 of $5.00 a day spent, begins anew at 2026-11-30T00:00:00Z`."""
    parts = [f"{unit.unit} {unit.used:,} of {unit.limit:,}" for unit in client.limits]
    if (budget := client.budget) is not None:
        per = "in all" if budget.per == "total" else f"a {budget.per}"
        parts.append(f"${budget.spent_usd:,.2f} of ${budget.usd:,.2f} {per} spent")
        if budget.reserved_usd:
            parts.append(f"${budget.reserved_usd:,.2f} reserved")
        if budget.ends_at is not None:
            parts.append(f"begins anew at {utc_time(budget.ends_at)}")
    return ", ".join(parts) or "no limits"
