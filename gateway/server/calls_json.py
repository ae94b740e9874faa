"""The shape of `GET /gateway/calls.json`: the calls that ended last. How its names and values are read: status_json."""

from typing import Final

from msgspec import Struct

from gateway.observe.recent import Outcome

MAX_TRIES: Final = 16
"""Of one call."""


class Try(Struct, frozen=True, rename="camel"):
    """One target's turn in a call. `outcome`: the provider's status, or our word. `ms`: null where it got no
    request."""

    provider: str
    account: str
    model: str
    outcome: str
    ms: int | None


class CallNow(Struct, frozen=True, rename="camel"):
    """One call that has ended.

    Attributes:
        id: rises by the order in which calls ended, from 1 at each start.
        at: when it came.
        endpoint: the route that it came by.
        asked: the model as its caller wrote it; "" where it was refused before that was read.
        alias: the same where the configuration has it; else `(direct)` or `(unknown)`.
        provider, account, model: who answered, or was asked last; "" where nobody was.
        status: of the reply.
        outcome: `answered`; `failed`: no target could answer, or the answer broke off; `refused`: the request is to
            blame (4xx but 429); `cancelled`: its caller has left.
        error: the code of what it ended with; null where it ended well.
        tries: in order; `tryCount` in all.
        queueMs, firstMs, totalMs: in the queue of a rate limit; until the first content of a stream; until its end.
        input, cached, cacheWrite, output, reasoning: tokens; null where they are not known.
        costUsd: null where it is not known, or nothing was used (`costSource` null).
        costSource: where the price is from: `override`, `provider`, `table 2026-11-29`, `local`, `unknown`; the table's
            may end in `, approximate`.
        client: the name of its key; "" where keys have none.
    """

    id: int
    at: float
    endpoint: str
    asked: str
    alias: str
    provider: str
    account: str
    model: str
    status: int
    outcome: Outcome
    error: str | None
    streamed: bool
    tries: tuple[Try, ...]
    try_count: int
    queue_ms: int
    first_ms: int | None
    total_ms: int
    input: int | None
    cached: int | None
    cache_write: int | None
    output: int | None
    reasoning: int | None
    cost_usd: float | None
    cost_source: str | None
    client: str


class Calls(Struct, frozen=True, rename="camel"):
    """`GET /gateway/calls.json?after=ID&limit=N`: the latest calls, the newest first.

    Attributes:
        startedAt: see Status.
        lastCall: the id of the latest call; 0 where there is none.
        calls: those with an id above `after` (default 0), at most `limit` (default and most MAX_CALLS). Older
            ones than the last MAX_CALLS are not kept here.
    """

    started_at: float
    last_call: int
    calls: tuple[CallNow, ...]
