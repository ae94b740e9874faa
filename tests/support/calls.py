"""Records of calls, as a gateway makes them, for what reads them."""

from gateway.core.answer import Usage
from gateway.core.records import CallRecord, TryRecord
from gateway.observe.ledger_schema import UNPRICED


def call(
    at: float = 1_000.0,
    *,
    model: str = "m",
    alias: str = "best",
    failed: bool = False,
    input: int = 10,
    output: int = 5,
    cost: int | None = None,
    tries: int = 1,
    their_id: str | None = None,
    endpoint: str = "chat",
) -> CallRecord:
    """A call that the provider `a` has answered. Its price is not known where no cost is given."""
    tried = [TryRecord("a", model, "503", ms=3, their_id=their_id) for _ in range(tries - 1)]
    tried.append(TryRecord("a", model, "200", ms=7, usage=Usage(input, output)))
    return CallRecord(
        at,
        "req_1",
        alias,
        alias,
        "a",
        model,
        endpoint,
        503 if failed else 200,
        "provider_unavailable" if failed else None,
        False,
        0,
        7,
        9,
        ",".join(f"{each.provider}/{each.model}={each.outcome}" for each in tried),
        tuple(tried),
        not failed,
        input=input,
        cached=input // 2,
        cache_write=0,
        output=output,
        reasoning=output // 2,
        cost=cost,
        cost_source=UNPRICED if cost is None else "table",
    )
