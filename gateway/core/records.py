"""What is known of a call and of an attempt when they have ended: one frozen record each, for every observer.

Observers read records and nothing else of a call, so that a new one changes no handler. A record holds no prompt and no
secret; a text of a provider or a caller may stand in it unchecked, and whoever writes it escapes it.
"""

from typing import Final, Protocol

from msgspec import Struct

from gateway.core.answer import Usage

DIRECT: Final = "(direct)"
"""The alias of a call that asked for `provider/model`."""
UNKNOWN: Final = "(unknown)"
"""The alias of a call whose name no configuration has, and the model of one that only its caller has named. What
callers invent becomes no row's key and no label, or they could make as many as they like."""
OTHER: Final = "(other)"
"""The model of a call whose name is one too many to be told apart from the others."""
ANSWERED: Final = "200"
"""The outcome of a try whose answer the caller got, if only its beginning."""


def login_name(provider: str, account: str) -> str:
    """An account as people write it: `openai@work`, and `openai` for the account without a name."""
    return f"{provider}@{account}" if account else provider


def login_parts(login: str) -> tuple[str, str]:
    """The provider and the account of a `login_name`; no name of a provider has an `@`."""
    provider, _, account = login.partition("@")
    return provider, account


def is_account(login: str) -> bool:
    """Whether a login is one of several accounts."""
    return "@" in login


class TryRecord(Struct, frozen=True, gc=False):
    """One target's turn in a call: a request to it, or why it got none.

    Attributes:
        outcome: the provider's status, or our word for what happened instead.
        account: which of the provider's accounts was used; "" where it has one.
        ms: milliseconds from the request to its end; None where no request was made.
        first_ms: likewise until the first content of a stream; None for whole answers.
        their_id: the provider's own id for it, where it gave one.
        usage: its tokens, its tier and its cost as far as the provider has reported them; None where it has not.
        cost: what it cost, in millionths of a US dollar. It is set on the ledger's thread; None where no price is
            known.
    """

    provider: str
    model: str
    outcome: str
    account: str = ""
    ms: int | None = None
    first_ms: int | None = None
    their_id: str | None = None
    usage: Usage | None = None
    cost: int | None = None


class CallRecord(Struct, frozen=True, gc=False):
    """One call. Durations are in milliseconds since it came; None where it never got that far.

    Attributes:
        at: wall seconds when it came.
        asked: the name that was asked for, as the caller wrote it. For the log; see `alias`.
        client: the name of the caller's key; "" where keys have none.
        alias: the name asked for, where the configuration has it; else DIRECT or UNKNOWN.
        provider, account, model: who answered; if nobody did, who was asked last; "" where nobody was.
        answered: whether somebody did.
        endpoint: the route that it came by.
        attempts: every try in order, as the header x-gateway-attempts has it.
        error: the code of what it ended with, if it failed.
        input, cached, cache_write, output, reasoning: the tokens of the answer; None where they are not known. `cached`
            and `cache_write` are parts of `input`, and `reasoning` of `output`.
        tries: every try in order.
        dropped: fields of the request that the provider could not be given.
        skipped_events: events of the provider's stream that could not be read.
        mended: how many things in the answer had to be mended so that it can be read.
        learned: what a target has refused by name meanwhile, and is not sent again.
        cost: what all tries cost, in millionths of a US dollar; None where a price is not known. Set on the ledger's
            thread, as `cost_source` is.
        cost_source: where the price is from.
    """

    at: float
    request_id: str
    asked: str
    alias: str
    provider: str
    model: str
    endpoint: str
    status: int
    error: str | None
    streamed: bool
    queue_ms: int
    first_ms: int | None
    total_ms: int
    attempts: str = ""
    tries: tuple[TryRecord, ...] = ()
    answered: bool = False
    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    dropped: tuple[str, ...] = ()
    skipped_events: int = 0
    mended: int = 0
    learned: tuple[str, ...] = ()
    client: str = ""
    account: str = ""
    cost: int | None = None
    cost_source: str | None = None

    @property
    def target(self) -> str | None:
        """Who answered, as `provider/model` or `provider@account/model`."""
        return f"{login_name(self.provider, self.account)}/{self.model}" if self.answered else None


class RecordSink(Protocol):
    """What gets the records of calls on the ledger's thread, off the path of every call.

    It may take its time, but not wait for anything outside: the next records wait meanwhile. What it raises is logged
    and keeps the records from no other sink.
    """

    def take(self, records: "list[CallRecord]") -> None:
        """The calls that have ended since the last time, in that order and with their costs. One thread calls this."""


class AttemptRecord(Struct, frozen=True, gc=False):
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
