"""The section `clients`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.rate_limit import MostTokens, Requests
from gateway.config.setting_types import Day, Name, Struct
from gateway.core.secrets import Secret


class Budget(Struct, frozen=True):
    """What the calls of a client may cost. Before a call its cost is an estimate; when it is over, what it has cost."""

    usd: Annotated[float, Meta(gt=0, le=1_000_000_000, description="US dollars.")]
    per: Annotated[
        Literal["day", "week", "month", "total"],
        Meta(description="In which time, by the local calendar; a week begins on Monday."),
    ]
    unpriced: Annotated[
        Literal["refuse", "allow"],
        Meta(description="A model without a known price: refuse passes it over, allow counts it as 0."),
    ] = "refuse"


class Client(Struct, frozen=True):
    """A key of a caller, and what it may do. Its name stands in the ledger, in the log and in /metrics, and is never
    sent to a provider."""

    name: Annotated[Name, Meta(description="What was spent stays with the name, whatever its key.")]
    key_hash: (
        Annotated[
            str,
            Meta(
                pattern=r"^sha256:[0-9a-f]{64}$",
                description="SHA-256 of its key, as `key NAME` prints it; in place of key.",
            ),
        ]
        | None
    ) = None
    key: Annotated[Secret, Meta(description="The key itself; best by ${NAME}.")] | None = None
    models: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...] | None,
        Meta(description="The names it may ask for, each with one * at most; absent: all. Others look as unknown."),
    ] = None
    expires: Annotated[Day, Meta(description="The last day on which its key is taken, local time.")] | None = None
    requests_per_minute: Annotated[Requests, Meta(description="Calls in any 60 seconds.")] | None = None
    requests_per_day: (
        Annotated[int, Meta(ge=1, le=1_000_000_000, description="Calls in any 24 hours, in cells of a minute.")] | None
    ) = None
    tokens_per_minute: (
        Annotated[MostTokens, Meta(description="Tokens of input and output in any 60 seconds, of all tries.")] | None
    ) = None
    max_concurrent: (
        Annotated[
            int, Meta(ge=1, le=100_000, description="Calls under way at once, each until the last byte of its answer.")
        ]
        | None
    ) = None
    budget: Annotated[Budget, Meta(description="What its calls may cost; absent: anything.")] | None = None
    admin: Annotated[
        bool, Meta(description="It may also reload, read /metrics and explain, and see the calls of everybody.")
    ] = False
