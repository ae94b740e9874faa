"""The vendors as rows of data: the address, the key's variable, the wire, and what their servers take.

A vendor's behaviour that differs from others' stands here with its source and date, and not in code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from gateway.config import schema
from gateway.core.passed import PASSED, EndpointName
from gateway.wires.openai_chat.outbound.dialect import Dialect

Wire: TypeAlias = Literal["openai_chat", "openai_responses", "gemini", "anthropic_messages"]
"""The wires that providers have; factory.py has a builder for each."""
COMMON_DIALECT: Final = Dialect()
COMPATIBLE: Final[Wire] = "openai_chat"
"""The wire of OpenAI-compatible APIs."""
RESPONSES: Final[Wire] = "openai_responses"
"""The wire of OpenAI's Responses API, which has the same base address."""
Paths: TypeAlias = Mapping[EndpointName, str]
"""Where a vendor has endpoints beside chat: references to its base address (RFC 3986 section 5), so that one with a
slash before it begins at the host."""
NO_PATHS: Final[Paths] = MappingProxyType({})
EVERY_PATH: Final[Paths] = MappingProxyType({name: name for name in PASSED})
"""For servers of which nothing is known but that they are compatible: what one does not have, it will say."""


def _at(*names: EndpointName, **others: str) -> Paths:
    """The paths of endpoints, most of which have their usual names."""
    usual: dict[EndpointName, str] = {name: name for name in names}
    return MappingProxyType(usual | {name: others[name] for name in PASSED if name in others})


@dataclass(frozen=True, slots=True)
class Vendor:
    """One row.

    Attributes:
        endpoint: the base address; None where only the configuration can know it.
        key_env: the vendor's usual environment variable for the key; None for servers without keys.
        wire: the wire of its own API.
        compatible: the path of its OpenAI-compatible API under the base address; None if its own API is compatible.
        stream_usage: whether it accepts `stream_options` (a server that does not may refuse the whole request).
        responses: whether it has the Responses API beside.
        dialect: what its OpenAI-compatible API takes. Another server at another address, of which nothing is known but
            that it is compatible, gets COMMON_DIALECT.
        paths: the endpoints beside chat that its OpenAI-compatible API has. Another server at another address gets
            EVERY_PATH.
        own_paths: those of its own API that the gateway translates, where that is another one.
        models: a pattern of its models' names, which it answers where no configuration file says who does.
    """

    endpoint: str | None
    key_env: str | None = None
    wire: Wire = COMPATIBLE
    compatible: str | None = None
    stream_usage: bool = True
    dialect: Dialect = COMMON_DIALECT
    paths: Paths = field(default_factory=lambda: NO_PATHS)
    own_paths: Paths = field(default_factory=lambda: NO_PATHS)
    responses: bool = False
    models: str | None = None


_MISTRAL: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
"""The keys of Mistral's messages: docs.mistral.ai/api, chat completion (2026-11)."""
VENDORS: Final[Mapping[str, Vendor]] = {
    # Refuses message fields that it does not have; https://platform.openai.com/docs/api-reference/chat/create (2026-11)
    "openai": Vendor(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        dialect=Dialect(
            "strict",
            custom_tools=True,
            fields=frozenset({"max_completion_tokens", "reasoning_effort", "strict", "verbosity"}),
        ),
        # https://platform.openai.com/docs/api-reference (2026-11)
        paths=_at("embeddings", "completions", "moderations"),
        responses=True,
        models="gpt-*",
    ),
    # The compatible API: https://ai.google.dev/gemini-api/docs/openai (2026-11), embeddings included. Its own for them:
    # https://ai.google.dev/api/embeddings (2026-11)
    "gemini": Vendor(
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        wire="gemini",
        compatible="/openai",
        dialect=Dialect(fields=frozenset({"reasoning_effort"})),
        paths=_at("embeddings"),
        own_paths=_at(embeddings="batchEmbedContents"),
        models="gemini-*",
    ),
    # https://platform.claude.com/docs/en/api/overview (2026-11)
    "anthropic": Vendor("https://api.anthropic.com", "ANTHROPIC_API_KEY", wire="anthropic_messages", models="claude-*"),
    # https://openrouter.ai/docs/api/reference/parameters (2026-11)
    "openrouter": Vendor(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        dialect=Dialect(fields=frozenset({"reasoning_effort", "strict", "top_k", "verbosity"})),
        # https://openrouter.ai/docs/api-reference (2026-11)
        paths=_at("embeddings", "completions", "rerank"),
    ),
    # Chat only, of these: https://console.groq.com/docs/api-reference (2026-11)
    "groq": Vendor(
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        dialect=Dialect("strict", fields=frozenset({"max_completion_tokens", "reasoning_effort"})),
    ),
    # Sends usage at the end of every stream, and refuses fields it does not know, null, and ids of calls that are not
    # nine letters and digits (docs.mistral.ai/api, 2026-11)
    "mistral": Vendor(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        stream_usage=False,
        dialect=Dialect("strict", call_ids="nine", message_keys=_MISTRAL, fields=frozenset({"strict"})),
        # https://docs.mistral.ai/api (2026-11). What it completes has the form of a chat, so that is not `completions`.
        paths=_at("embeddings", "moderations"),
    ),
    # Wants its reasoning back within a turn that calls tools:
    # https://api-docs.deepseek.com/guides/thinking_mode (2026-11). Completes at its beta address only:
    # https://api-docs.deepseek.com/guides/fim_completion (2026-11)
    "deepseek": Vendor(
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        dialect=Dialect(fields=frozenset({"reasoning_content"})),
        paths=_at(completions="/beta/completions"),
    ),
    # The same: https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model (2026-11)
    "moonshot": Vendor(
        "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", dialect=Dialect(fields=frozenset({"reasoning_content"}))
    ),
    # https://docs.x.ai/developers/rest-api-reference/inference/legacy (2026-11)
    "xai": Vendor(
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        dialect=Dialect(fields=frozenset({"reasoning_effort"})),
        paths=_at("completions"),
    ),
    # https://docs.together.ai/reference (2026-11)
    "together": Vendor(
        "https://api.together.xyz/v1", "TOGETHER_API_KEY", paths=_at("embeddings", "completions", "rerank")
    ),
    # https://docs.cohere.com/docs/compatibility-api, and https://docs.cohere.com/reference/rerank (2026-11)
    "cohere": Vendor(
        "https://api.cohere.com/compatibility/v1", "COHERE_API_KEY", paths=_at("embeddings", rerank="/v2/rerank")
    ),
    # No chat: https://api.jina.ai/redoc (2026-11)
    "jina": Vendor("https://api.jina.ai/v1", "JINA_API_KEY", paths=_at("embeddings", "rerank")),
    # Servers on this machine, at their default ports.
    # https://docs.ollama.com/api/openai-compatibility (2026-11)
    "ollama": Vendor("http://127.0.0.1:11434/v1", paths=_at("embeddings", "completions")),
    # https://lmstudio.ai/docs/developer/openai-compat (2026-11)
    "lmstudio": Vendor("http://127.0.0.1:1234/v1", paths=_at("embeddings", "completions")),
    # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (2026-11)
    "vllm": Vendor("http://127.0.0.1:8000/v1", paths=_at("embeddings", "completions", "rerank")),
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (2026-11)
    "llamacpp": Vendor("http://127.0.0.1:8080/v1", paths=_at("embeddings", "completions", "rerank")),
    "demo": Vendor(None, paths=_at("embeddings")),
}


def patterns(providers: Iterable[str]) -> tuple[schema.Alias, ...]:
    """Aliases by which vendors answer the names of their own models, for clients whose names are fixed."""
    return tuple(
        schema.Alias(alias=pattern, providers=(schema.Target(provider=name, model=pattern),))
        for name in providers
        if (vendor := VENDORS.get(name)) is not None and (pattern := vendor.models) is not None
    )
