"""The configuration file's schema, as frozen types.

Settings are named here and nowhere else: the loader checks the YAML against these types, `check --schema` prints them
as JSON Schema, with the docstrings as descriptions, and all other packages read the values. The keys in the file are
camelCase.
"""

from typing import Annotated, Literal

from msgspec import Meta, field, structs

from gateway.config.accounts import Account, Credentials
from gateway.config.clients import Client
from gateway.config.ledger import Ledger
from gateway.config.log_settings import Logging
from gateway.config.prices import Price
from gateway.config.rate_limit import RateLimit
from gateway.config.response_store import ResponseStore
from gateway.config.setting_types import (
    Address,
    HeaderName,
    HeaderText,
    Name,
    Seconds,
    Struct,
    Text,
    Tokens,
    Weight,
)
from gateway.config.sharing import Sharing
from gateway.config.token_files import WatchFile
from gateway.core.secrets import Secret


class Gateway(Struct, frozen=True):
    """The server itself."""

    host: Annotated[Text, Meta(description="Loopback address or name to listen on; with `exposed`, any address.")] = (
        "127.0.0.1"
    )
    exposed: Annotated[bool, Meta(description="Whether other machines may reach it: then callers need a key.")] = False
    port: Annotated[int, Meta(ge=0, le=65_535, description="TCP port; 0 picks a free one and prints it.")] = 8080
    threads: Annotated[
        int, Meta(ge=4, le=1024, description="One a request until its stream has begun; a few stay for /health.")
    ] = 64
    workers: Annotated[
        Literal["auto"] | Annotated[int, Meta(ge=1, le=16)],
        Meta(description="Processes that serve; auto: one a core, 8 at most. Above 1: Linux and macOS."),
    ] = 1
    max_body_mib: Annotated[int, Meta(ge=1, le=1024, description="Largest request body, in MiB.")] = field(
        default=32, name="maxBodyMiB"
    )
    api_keys: Annotated[
        tuple[Secret, ...], Meta(description="If given, callers must show one: Authorization: Bearer, or x-api-key.")
    ] = ()
    allowed_hosts: Annotated[
        tuple[Text, ...], Meta(description="Host names to accept besides the loopback ones, as name or name:port.")
    ] = ()
    allowed_origins: Annotated[
        tuple[Text, ...], Meta(description="Origins of web pages that may call, as https://name[:port].")
    ] = ()
    request_timeout_seconds: Annotated[
        Seconds, Meta(description="One deadline for a request: queue, every try, the whole answer.")
    ] = 600.0
    drain_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long running requests may still take after a stop signal.")
    ] = 30.0
    reload: Annotated[
        Literal["auto", "manual"], Meta(description="auto: take this file over when it changes; manual: when asked to.")
    ] = "auto"
    response_model: Annotated[
        Literal["alias", "upstream"], Meta(description="Which name an answer carries as `model`.")
    ] = "alias"
    response_store: ResponseStore = ResponseStore()
    metrics: Annotated[bool, Meta(description="Whether GET /metrics is served.")] = True
    page: Annotated[bool, Meta(description="Whether GET / shows a page of what is going on, with logins.")] = True
    metrics_key: Annotated[Secret, Meta(description="Opens /metrics alone, for a scraper.")] | None = None


class Auth(Struct, frozen=True):
    """Where tokens are kept."""

    token_store_path: Annotated[
        Text, Meta(description="The gateway's own token file; relative to the configuration file.")
    ] = "./tokens.json"
    watch_files: Annotated[
        tuple[Text | WatchFile, ...], Meta(description="Token files of other tools, as a path or {path, provider}.")
    ] = ()


class Target(Struct, frozen=True):
    """One way to answer an alias."""

    provider: Annotated[Name, Meta(description="Who is asked: a name under providers.")]
    model: Annotated[
        str, Meta(min_length=1, max_length=256, description="Its name there; a * repeats what the alias's * matched.")
    ]
    priority: Annotated[int, Meta(ge=0, le=1_000_000, description="Lower is asked first; equals in file order.")] = 1
    weight: Annotated[
        Weight, Meta(description="Its share of the calls among equal priorities, where the alias is weighted.")
    ] = 1
    max_output_tokens: Annotated[Tokens, Meta(description="As for a provider, for this model of it alone.")] | None = (
        None
    )


class Alias(Struct, frozen=True):
    """A model name that clients use, and who answers it."""

    alias: Annotated[
        str,
        Meta(min_length=1, max_length=256, description="With a * it is a pattern, such as claude-*; not listed."),
    ]
    providers: Annotated[tuple[Target, ...], Meta(min_length=1, description="Who answers it.")]
    strategy: Annotated[
        Literal["priority", "weighted"],
        Meta(description="Among targets of equal priority: in file order, or each its share of the calls by weight."),
    ] = "priority"
    when_limited: Annotated[
        Literal["next", "wait"],
        Meta(description="next: use a candidate with room now, wait only if none has. wait: queue at the first."),
    ] = "next"
    stream_recovery: Annotated[
        Literal["resume", "error"],
        Meta(description="For a stream that breaks after content went out: another goes on, or it ends with an error."),
    ] = "resume"
    same_vectors: Annotated[
        bool,
        Meta(description="Embeddings: all targets give the same vectors, though their models have different names."),
    ] = False


class Timeouts(Struct, frozen=True):
    """How long a provider may take, in seconds."""

    connect_seconds: Annotated[
        Seconds, Meta(description="For looking its name up, and for connecting to each of its addresses.")
    ] = 5.0
    first_token_seconds: Annotated[
        Literal["auto"] | Seconds,
        Meta(
            description="Until the first content, or the head of an answer that is not streamed; "
            "auto: the request's time, with a candidate that stands ready asked beside a slow one."
        ),
    ] = "auto"
    stall_seconds: Annotated[
        Literal["auto"] | Seconds,
        Meta(description="Silence allowed between two pieces of a stream; auto: 20 or 120."),
    ] = "auto"


class Provider(Credentials, frozen=True):
    """Someone who answers: Claude, Gemini, or an OpenAI-compatible API, in the cloud or on this machine."""

    type: (
        Annotated[str, Meta(description="openai for any compatible API, or a known vendor; defaults to the name.")]
        | None
    ) = None
    enabled: Annotated[bool, Meta(description="false keeps the entry and never calls it.")] = True
    api_endpoint: (
        Annotated[
            Address,
            Meta(
                description="The base address, up to and without /chat/completions; Gemini's: /models; Anthropic's: "
                "/v1/messages."
            ),
        ]
        | None
    ) = None
    api: (
        Annotated[
            Literal["native", "openai", "chat", "responses"],
            Meta(
                description="Which API of a vendor that has two. gemini: its own (native) or its OpenAI-compatible one"
                " (openai). openai: chat completions (chat, the default) or the Responses API (responses)."
            ),
        ]
        | None
    ) = None
    api_key_header: (
        Annotated[
            HeaderName, Meta(description="Send the key in this header, as it is, instead of Authorization: Bearer.")
        ]
        | None
    ) = None
    quota_project: (
        Annotated[HeaderText, Meta(description="Google project that calls are billed to (x-goog-user-project).")] | None
    ) = None
    user_agents: Annotated[
        tuple[HeaderText, ...], Meta(description="User-Agent texts to send; absent: the gateway's own name.")
    ] = ()
    user_agent_rotation: Annotated[
        Literal["request", "credential"],
        Meta(
            description="request: the next of userAgents each call; credential: one of them, fixed for a key or token."
        ),
    ] = "request"
    stream_usage: (
        Annotated[
            bool,
            Meta(description="Ask for token counts at the end of a stream; false for servers that refuse the option."),
        ]
        | None
    ) = None
    message_extras: (
        Annotated[
            Literal["strip", "keep"],
            Meta(
                description="Fields of messages that are another vendor's; absent: strip where the vendor refuses them."
            ),
        ]
        | None
    ) = None
    max_output_tokens: (
        Annotated[
            Tokens,
            Meta(description="The largest limit of an answer's tokens to ask for; a larger one is lowered to it."),
        ]
        | None
    ) = None
    timeouts: Timeouts = Timeouts()
    accounts: Annotated[
        tuple[Account, ...],
        Meta(description="Several accounts in place of one credential; what they do not say is the provider's."),
    ] = ()
    account_strategy: Annotated[
        Literal["priority", "round-robin", "sticky"],
        Meta(description="Which of the accounts is asked: the first with room, each in turn, or each session its own."),
    ] = "priority"


class Config(Struct, frozen=True):
    """The whole file."""

    gateway: Gateway = Gateway()
    auth: Auth = Auth()
    clients: Annotated[tuple[Client, ...], Meta(description="Keys of callers, each with what it may do.")] = ()
    model_aliases: Annotated[tuple[Alias, ...], Meta(description="Model names, and who answers each.")] = ()
    rate_limits: Annotated[tuple[RateLimit, ...], Meta(description="How often providers may be called.")] = ()
    providers: Annotated[dict[Name, Provider], Meta(description="Who answers; the names are free.")] = field(
        default_factory=dict
    )
    prices: Annotated[
        tuple[Price, ...], Meta(description="What models cost; each row overrides the shipped table.")
    ] = ()
    logging: Logging = Logging()
    ledger: Ledger = Ledger()
    sharing: Sharing = Sharing()


def sections(base: type[Struct] = Struct) -> tuple[type[Struct], ...]:
    """Every kind of section."""
    return tuple(found for each in base.__subclasses__() for found in (each, *sections(each)))


SETTING_NAMES = frozenset(field.encode_name for section in sections() for field in structs.fields(section))
"""The name of every setting."""
