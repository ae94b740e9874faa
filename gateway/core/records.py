"""What is known of a call and of an attempt when they have ended: one frozen record each, for every observer.

Observers read records and nothing else of a call, so that a new one changes no handler. A record holds no prompt and no
secret; a text of a provider or a caller may stand in it unchecked, and whoever writes it escapes it.
"""

from msgspec import Struct


class CallRecord(Struct, frozen=True, omit_defaults=True):
    """One call. Durations are in milliseconds since it came; None where it never got that far.

    Attributes:
        target: who answered, as `provider/model`.
        attempts: every try in order, as the header x-gateway-attempts has it.
        error: the code of what it ended with, if it failed.
        dropped: fields of the request that the provider could not be given.
        skipped_events: events of the provider's stream that could not be read.
        learned: what a target has refused by name meanwhile, and is not sent again.
        endpoint: the route that it came by. JSON leaves the usual one out: log lines of chats are read by programs
            that know no other.
        mended: how many things in the answer had to be mended so that it can be read.
    """

    request_id: str
    model: str
    target: str | None
    attempts: str
    status: int
    error: str | None
    streamed: bool
    queue_ms: int
    first_ms: int | None
    total_ms: int
    prompt_tokens: int | None
    completion_tokens: int | None
    dropped: tuple[str, ...]
    skipped_events: int
    learned: tuple[str, ...] = ()
    endpoint: str = "chat"
    mended: int = 0


class AttemptRecord(Struct, frozen=True):
    """One failed attempt.

    Attributes:
        target: who was asked, as `provider/model`.
        outcome: the provider's status, or what happened instead.
        kind: the name of the failure's type.
        provider_request_id: the provider's own id for it, where it gave one.
        ms: milliseconds since its request left.
    """

    request_id: str
    target: str
    outcome: str
    kind: str
    provider_request_id: str | None
    ms: int
