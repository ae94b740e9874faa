"""The shape of `GET /gateway/status.json`: what the page and other readers are told.

It holds names of models, providers, accounts and keys, numbers and our own words: no prompt, no answer, no secret, and
no code of a login; so do the shapes beside it (account_json, calls_json). A name of an attribute is a key in camelCase.
`...At` is a time in wall seconds (since the epoch), `...Seconds` and `...Ms` are durations; null says that something is
not known or that there is none.

Every list has an end (the MAX_ names), so that a status has at most MAX_STATUS bytes; a number beside a list says how
many there are in all.
"""

from typing import Final, Literal

from msgspec import Struct

from gateway.server.account_json import Account
from gateway.server.client_json import ClientNow
from gateway.sharing.follower import SharingView

MAX_STATUS: Final = 65_536
"""Bytes."""
MAX_MODELS: Final = 50
MAX_TARGETS: Final = 80
"""Of all models together."""
MAX_ACCOUNTS: Final = 40
MAX_CLIENTS: Final = 40
MAX_NEEDS: Final = 20
MAX_FAULTS: Final = 10
MAX_SETTINGS: Final = 20
"""Names of settings in a list."""
DAYS: Final = 30
LONGEST: Final = 300
"""Characters of a text."""

TurnWord = Literal["first", "next", "in line", "forced"]
"""How a target would be asked now: before all others; if those before it fail; after them, in the queue of its rate
limit; although it rests, because no other is left."""
Why = Literal["rate_limited", "quota", "model_missing", "key_refused", "failures", "no_room", "login_needed"]
NeedKind = Literal["login", "key", "quota", "token", "reload", "restart", "ledger", "sharing"]


class Need(Struct, frozen=True, rename="camel"):
    """One thing that a person has to do. The most urgent one comes first.

    Attributes:
        kind: `login`: at the provider. `key`: the provider has refused its key. `quota`: nothing is left there until
            somebody pays or `until`. `token`: another tool's token, or a renewal that fails. `reload`: the
            configuration file has faults (`configuration.lastReload`). `restart`: settings wait for a restart.
            `ledger`: it cannot be written. `sharing`: the server that gateways share does not answer.
        provider, account: whose; "" where it is nobody's.
        message: what is wrong, in an English sentence.
        command: the command that helps; null where none does.
        canLogIn: whether POST /gateway/login helps: the page shows a button. Where it is false and the kind is `login`,
            only the command does.
        untilAt: when it ends by itself; null where it does not.
    """

    kind: NeedKind
    message: str
    provider: str = ""
    account: str = ""
    command: str | None = None
    can_log_in: bool = False
    until_at: float | None = None


class TargetNow(Struct, frozen=True, rename="camel"):
    """One target of a model, as `explain` would show it.

    Attributes:
        place: its rank in the configuration, from 1.
        turn: how it would be asked now.
        state: its breaker's state (`closed`, `open`, `half-open`), or `resting` while it cools down.
        why: why it is not asked in its turn; null where it is.
        restingUntilAt: when it may be asked again; null where it may be asked now.
        failures: in a row.
        wire: in which it is asked.
        firstP50Ms, firstP95Ms: until the first content of its latest streams (at most 50); null where there was none.
        samples: how many streams that is.
    """

    provider: str
    account: str
    model: str
    place: int
    turn: TurnWord
    state: str
    why: Why | None
    resting_until_at: float | None
    failures: int
    wire: str
    first_p50_ms: int | None
    first_p95_ms: int | None
    samples: int


class ModelNow(Struct, frozen=True, rename="camel"):
    """One alias.

    Attributes:
        name: of the alias; with a `*` it is a pattern.
        whenLimited: `next` or `wait`, as configured.
        targets: in the order in which they would be asked now.
        targetCount: how many there are, where the list is cut.
    """

    name: str
    pattern: bool
    when_limited: str
    targets: tuple[TargetNow, ...]
    target_count: int


class Series(Struct, frozen=True, rename="camel"):
    """The last hour by minute, the oldest first: MINUTES numbers each. The last minute is not over. All of it is
    counted since the gateway's start.

    Attributes:
        fromAt: when the first minute began; minute N begins at fromAt + 60 * N.
        answered, failed, refused, cancelled: calls that ended in it, by their outcome (as in calls.json).
        firstP50Ms, firstP95Ms: until the first content of the streams that ended in it; null where none did.
        input, output: tokens.
    """

    from_at: float
    answered: tuple[int, ...]
    failed: tuple[int, ...]
    refused: tuple[int, ...]
    cancelled: tuple[int, ...]
    first_p50_ms: tuple[int | None, ...]
    first_p95_ms: tuple[int | None, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]


class Day(Struct, frozen=True, rename="camel"):
    """One local day of the ledger.

    Attributes:
        day: `2026-11-29`.
        costUsd: of the calls whose price is known; null where that is none of them. A day without calls cost 0.
        unpriced: calls whose price is not known: the cost is at least `costUsd`.
    """

    day: str
    calls: int
    failed: int
    cost_usd: float | None
    unpriced: int


class FaultNow(Struct, frozen=True, rename="camel"):
    """A fault of the configuration file. `setting`: in dotted form, "" for the file; line and column are 0 where it has
    no place."""

    setting: str
    line: int
    column: int
    message: str


class Reload(Struct, frozen=True, rename="camel"):
    """How the latest reload ended.

    Attributes:
        at: wall seconds.
        result: `success` or `failed`. After a failed one the configuration before it is served on.
        changed: the settings that were taken over.
        faults: why nothing was; `faultCount` of them where the list is cut.
    """

    at: float
    result: Literal["success", "failed"]
    changed: tuple[str, ...]
    faults: tuple[FaultNow, ...]
    fault_count: int


class ConfigurationNow(Struct, frozen=True, rename="camel"):
    """What is served.

    Attributes:
        path: of the file; null where the gateway runs without one.
        generation: how many configurations have been served, with this one.
        reload: `auto` or `manual`, as configured.
        lastReload: null where there was none since the start.
        needsRestart: settings of the file whose old value is served until the process is started anew.
    """

    path: str | None
    generation: int
    reload: str
    last_reload: Reload | None
    needs_restart: tuple[str, ...]


class LedgerNow(Struct, frozen=True, rename="camel"):
    """Where calls are kept.

    Attributes:
        state: `ok`; `failing`: calls go on and wait to be written; `memory`: no configuration file, so the last calls
            are kept until the end of the process; `off`: nothing is kept.
        path: of the file; null where there is none.
        sizeBytes: of the file; null where there is none yet.
        problem: why it fails and what to do; null where it does not.
        dropped: records that were lost since the start.
    """

    state: Literal["ok", "failing", "memory", "off"]
    path: str | None
    size_bytes: int | None
    problem: str | None
    dropped: int


class PricesNow(Struct, frozen=True, rename="camel"):
    """The table of prices that is shipped.

    Attributes:
        date: `2026-11-29`; null where no call had to be priced yet.
        old: whether it is older than 120 days.
    """

    date: str | None
    old: bool


class Status(Struct, frozen=True, rename="camel"):
    """All that the page shows but the calls, which `GET /gateway/calls.json` has.

    Attributes:
        now: the gateway's clock, wall seconds: compare `...At` with it and not with the reader's clock.
        startedAt: when the process began. Another value than before says that it was started anew: ids of calls begin
            again.
        version: of the gateway.
        state: `serving`, or `draining` while it stops.
        baseUrl: for clients that speak OpenAI's APIs; without `/v1` for Claude Code.
        keyNeeded: whether callers have to show a key.
        firstRun: no call has come yet, now or before.
        runningCalls, runningStreams: now; streams that have begun are among the calls.
        waitingCalls: in queues of rate limits.
        lastCall: the id of the latest call in calls.json; 0 where there is none.
        needs: what needs a person; `needCount` in all.
        models, accounts, clients: `modelCount`, `accountCount` and `clientCount` in all.
        series: the last hour.
        days: the last DAYS days with today as the last, the oldest first; null where no ledger can be read.
        sharing: what is shared with other gateways through a server; null where nothing is.
    """

    now: float
    started_at: float
    version: str
    state: Literal["serving", "draining"]
    base_url: str
    key_needed: bool
    first_run: bool
    running_calls: int
    running_streams: int
    waiting_calls: int
    last_call: int
    needs: tuple[Need, ...]
    need_count: int
    models: tuple[ModelNow, ...]
    model_count: int
    accounts: tuple[Account, ...]
    account_count: int
    clients: tuple[ClientNow, ...]
    client_count: int
    series: Series
    days: tuple[Day, ...] | None
    configuration: ConfigurationNow
    ledger: LedgerNow
    prices: PricesNow
    sharing: SharingView | None = None
