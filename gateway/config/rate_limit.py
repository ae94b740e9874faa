"""The rows of `rateLimits`."""

from typing import Annotated

from msgspec import Meta

from gateway.config.setting_types import Name, Struct

Requests = Annotated[int, Meta(ge=1, le=1_000_000)]
MostTokens = Annotated[int, Meta(ge=1, le=1_000_000_000_000)]


class RateLimit(Struct, frozen=True):
    """How much a provider may be asked for. Several rows may fit a call, which then waits for all of them."""

    provider: Annotated[Name, Meta(description="Whose limit it is: a name under providers.")]
    model: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=256,
                description="Count only the provider's models of this name, with one * at most; absent: all together.",
            ),
        ]
        | None
    ) = None
    account: (
        Annotated[Name, Meta(description="Count only this account of the provider; absent: each account by itself.")]
        | None
    ) = None
    requests_per_minute: Annotated[Requests, Meta(description="Requests in any 60 seconds.")] | None = None
    requests_per_day: (
        Annotated[int, Meta(ge=1, le=1_000_000_000, description="Requests in any 24 hours, in cells of a minute.")]
        | None
    ) = None
    tokens_per_minute: (
        Annotated[
            MostTokens,
            Meta(description="Tokens of input and output in any 60 seconds; an estimate until they are known."),
        ]
        | None
    ) = None
    tokens_per_day: (
        Annotated[MostTokens, Meta(description="Tokens of input and output in any 24 hours, in cells of a minute.")]
        | None
    ) = None
    max_concurrent: (
        Annotated[
            int,
            Meta(ge=1, le=100_000, description="Requests under way at once, each until the last byte of its answer."),
        ]
        | None
    ) = None
    max_queue_size: Annotated[
        int, Meta(ge=0, le=100_000, description="Callers that may wait; the next one gets 429 at once.")
    ] = 50
    max_wait_seconds: Annotated[
        float,
        Meta(
            ge=0, le=86_400, description="A wait known to be longer than this is a 429 at once; any other ends by it."
        ),
    ] = 30.0
