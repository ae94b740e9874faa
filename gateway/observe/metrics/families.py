"""Every metric as a row of data: its name, its labels, and what it says. docs/metrics.md describes the same rows.

Names and units follow https://prometheus.io/docs/practices/naming/ (2026-11). The names that begin with `gen_ai_` are
OpenTelemetry's, whose conventions for generative AI are still in development:
https://github.com/open-telemetry/semantic-conventions-genai (2026-11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.core.answer import MICROS

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in the order of their names."""
Histogram: TypeAlias = tuple[float, ...]
"""How many values went into each bucket, the one without a bound last, and behind them their sum."""
Value: TypeAlias = float | Histogram
"""Of one series."""
Merge: TypeAlias = Literal["add", "most", "least", "worker"]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric.

    Attributes:
        name: as a scrape has it; a counter's ends in `_total`.
        text: what it says, for people.
        labels: the names of its labels.
        buckets: the upper bounds of a histogram's buckets.
        parts: of its unit, in which its sums are whole numbers.
        merge: what makes one value of those of several workers, where it is not their sum, or of a gauge the largest;
            `worker`: nothing, each has a series of its own.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()
    parts: int = 1
    merge: Merge | None = None

    @property
    def merged_by(self) -> Merge:
        """What makes one value of those of several workers."""
        return self.merge or ("most" if self.kind == "gauge" else "add")


Reading: TypeAlias = tuple[Family, Mapping[Labels, Value]]
"""A metric and its series now."""

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
MILLI: Final = 1_000
"""Parts of a second."""
GEN_AI_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
GEN_AI_TOKENS: Final = tuple(float(4**n) for n in range(14))
"""The bounds that OpenTelemetry's conventions name."""

_TARGET: Final = ("provider", "account", "model")
_GEN_AI: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

# Sums of calls that have ended -------------------------------------------------------------------------------------

REQUESTS: Final = Family(
    "llm_gateway_requests_total",
    "counter",
    "Calls that have ended, by the name asked for and the status of the reply.",
    ("model", "endpoint", "status", "client"),
)
DURATION: Final = Family(
    "llm_gateway_request_duration_seconds",
    "histogram",
    "From a call's arrival to the last byte of its reply.",
    ("model", "endpoint", "stream"),
    SECONDS,
    MILLI,
)
FIRST_CONTENT: Final = Family(
    "llm_gateway_first_content_seconds",
    "histogram",
    "From the arrival of a call for a stream to its first content.",
    ("model",),
    SECONDS,
    MILLI,
)
QUEUE_WAIT: Final = Family(
    "llm_gateway_queue_wait_seconds",
    "histogram",
    "What a call has waited for rate limits, by the provider that was asked last.",
    ("provider",),
    SECONDS,
    MILLI,
)
ATTEMPTS: Final = Family(
    "llm_gateway_attempts_total",
    "counter",
    "Entries of the attempts of calls: a provider's status, or what happened instead.",
    (*_TARGET, "outcome"),
)
TOKENS: Final = Family(
    "llm_gateway_tokens_total",
    "counter",
    "Tokens of answers. cached_input and cache_write are parts of input, and reasoning of output.",
    (*_TARGET, "type"),
)
COST: Final = Family(
    "llm_gateway_cost_usd_total",
    "counter",
    "What calls have cost, in US dollars, as far as prices are known.",
    _TARGET,
    parts=MICROS,
)
UNPRICED: Final = Family(
    "llm_gateway_unpriced_requests_total",
    "counter",
    "Calls whose cost is not known; llm_gateway_cost_usd_total has nothing of them.",
    _TARGET,
)
GEN_AI_DURATION: Final = Family(
    "gen_ai_client_operation_duration_seconds",
    "histogram",
    "One request to a provider, from its start to its end.",
    (*_GEN_AI, "error_type"),
    GEN_AI_SECONDS,
    MILLI,
)
GEN_AI_FIRST_CHUNK: Final = Family(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "histogram",
    "One request for a stream to a provider, from its start to its first content.",
    _GEN_AI,
    GEN_AI_SECONDS,
    MILLI,
)
GEN_AI_TOKENS_USED: Final = Family(
    "gen_ai_client_token_usage",
    "histogram",
    "Tokens of one request to a provider.",
    (*_GEN_AI, "gen_ai_token_type"),
    GEN_AI_TOKENS,
)

SUMMED: Final[Sequence[Family]] = (
    REQUESTS,
    DURATION,
    FIRST_CONTENT,
    QUEUE_WAIT,
    ATTEMPTS,
    TOKENS,
    COST,
    UNPRICED,
    GEN_AI_DURATION,
    GEN_AI_FIRST_CHUNK,
    GEN_AI_TOKENS_USED,
)

# What is read at a scrape ------------------------------------------------------------------------------------------

ACTIVE_REQUESTS: Final = Family("llm_gateway_active_requests", "gauge", "Calls that are under way.", merge="add")
ACTIVE_STREAMS: Final = Family("llm_gateway_active_streams", "gauge", "Of these, streams that have begun.", merge="add")
QUEUE_WAITING: Final = Family(
    "llm_gateway_queue_waiting", "gauge", "Calls that wait for a provider's rate limit.", ("provider",)
)
LIMIT_USED: Final = Family(
    "llm_gateway_limit_used", "gauge", "What counts against a limit now.", ("provider", "account", "model", "limit")
)
LIMIT_MAX: Final = Family(
    "llm_gateway_limit_max", "gauge", "What a limit allows in its time.", ("provider", "account", "model", "limit")
)
CLIENT_USED: Final = Family(
    "llm_gateway_client_limit_used", "gauge", "What counts against a limit of a client now.", ("client", "limit")
)
CLIENT_MAX: Final = Family(
    "llm_gateway_client_limit_max", "gauge", "What a limit of a client allows in its time.", ("client", "limit")
)
BUDGET_SPENT: Final = Family(
    "llm_gateway_budget_spent_usd",
    "gauge",
    "What a client has spent in its budget's period.",
    ("client",),
)
BUDGET_RESERVED: Final = Family(
    "llm_gateway_budget_reserved_usd",
    "gauge",
    "What calls under way have reserved of it.",
    ("client",),
)
BUDGET_MAX: Final = Family("llm_gateway_budget_max_usd", "gauge", "A client's budget, in US dollars.", ("client",))
RESTING: Final = Family(
    "llm_gateway_target_resting", "gauge", "1 while a target is skipped, after failures or a refusal.", _TARGET
)
REST_SECONDS: Final = Family(
    "llm_gateway_target_rest_seconds", "gauge", "Seconds until a target may be asked again.", _TARGET
)
PROVIDER_REMAINING: Final = Family(
    "llm_gateway_provider_remaining",
    "gauge",
    "What a provider says that is left of its own limit.",
    ("provider", "account", "kind"),
    merge="least",
)
LOGIN_EXPIRES: Final = Family(
    "llm_gateway_login_expires_timestamp_seconds",
    "gauge",
    "When the token of a login expires, in seconds since 1970; a token that is renewed by itself is no concern.",
    ("provider", "account"),
)
RELOAD_SUCCESSFUL: Final = Family(
    "llm_gateway_config_last_reload_successful",
    "gauge",
    "1 where the latest reading of the configuration was taken.",
    merge="least",
)
RELOAD_TIME: Final = Family(
    "llm_gateway_config_last_reload_timestamp_seconds",
    "gauge",
    "When a configuration was taken over for the last time, in seconds since 1970.",
)
RELOADS: Final = Family(
    "llm_gateway_config_reloads_total", "counter", "Readings of a changed configuration.", ("result",), merge="most"
)
LEDGER_DROPPED: Final = Family(
    "llm_gateway_ledger_dropped_total",
    "counter",
    "Calls that are missing in the ledger, because more waited for it than it holds.",
)
LEDGER_FAILING: Final = Family("llm_gateway_ledger_failing", "gauge", "1 while the ledger cannot be written.")
SHARING_UP: Final = Family(
    "llm_gateway_sharing_up",
    "gauge",
    "1 while the server that gateways share answers, 0 while it does not.",
    merge="least",
)
BUILD_INFO: Final = Family(
    "llm_gateway_build_info", "gauge", "Always 1; the labels say what runs.", ("version", "python")
)

READ: Final[Sequence[Family]] = (
    ACTIVE_REQUESTS,
    ACTIVE_STREAMS,
    QUEUE_WAITING,
    LIMIT_USED,
    LIMIT_MAX,
    CLIENT_USED,
    CLIENT_MAX,
    BUDGET_SPENT,
    BUDGET_RESERVED,
    BUDGET_MAX,
    RESTING,
    REST_SECONDS,
    PROVIDER_REMAINING,
    LOGIN_EXPIRES,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    RELOADS,
    LEDGER_DROPPED,
    LEDGER_FAILING,
    SHARING_UP,
    BUILD_INFO,
)
