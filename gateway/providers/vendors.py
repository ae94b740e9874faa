"""The vendors as rows of data: the address, the key's variable, the wire, and what their servers take.

A vendor's behaviour that differs from others' stands here with its source and date, and not in code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.config import schema
from gateway.wires.openai_chat.outbound.dialect import Dialect

Wire: TypeAlias = Literal["openai_chat", "openai_responses", "gemini", "anthropic_messages"]
"""The wires that providers have; factory.py has a builder for each."""
COMMON_DIALECT: Final = Dialect()
COMPATIBLE: Final[Wire] = "openai_chat"
"""The wire of OpenAI-compatible APIs."""
RESPONSES: Final[Wire] = "openai_responses"
"""The wire of OpenAI's Responses API, which has the same base address."""


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
        models: a pattern of its models' names, which it answers where no configuration file says who does.
    """

    endpoint: str | None
    key_env: str | None = None
    wire: Wire = COMPATIBLE
    compatible: str | None = None
    stream_usage: bool = True
    dialect: Dialect = COMMON_DIALECT
    responses: bool = False
    models: str | None = None


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
        responses=True,
        models="gpt-*",
    ),
    # The compatible API: https://ai.google.dev/gemini-api/docs/openai (2026-11). Its streams end with "stop" where a
    # tool was called: https://github.com/googleapis/python-genai/issues/2868 (open in 2026-08)
    "gemini": Vendor(
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        wire="gemini",
        compatible="/openai",
        dialect=Dialect(tool_calls_finish=True, fields=frozenset({"reasoning_effort"})),
        models="gemini-*",
    ),
    # https://platform.claude.com/docs/en/api/overview (2026-11)
    "anthropic": Vendor("https://api.anthropic.com", "ANTHROPIC_API_KEY", wire="anthropic_messages", models="claude-*"),
    # https://openrouter.ai/docs/api/reference/parameters (2026-11)
    "openrouter": Vendor(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        dialect=Dialect(fields=frozenset({"reasoning_effort", "strict", "top_k", "verbosity"})),
    ),
    # https://console.groq.com/docs/api-reference (2026-11)
    "groq": Vendor(
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        dialect=Dialect("strict", fields=frozenset({"max_completion_tokens", "reasoning_effort"})),
    ),
    # Sends usage at the end of every stream and refuses fields it does not know (docs.mistral.ai/api, 2026-11)
    "mistral": Vendor(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        stream_usage=False,
        dialect=Dialect("strict", fields=frozenset({"strict"})),
    ),
    # Wants its reasoning back within a turn that calls tools:
    # https://api-docs.deepseek.com/guides/thinking_mode (2026-11)
    "deepseek": Vendor(
        "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", dialect=Dialect(fields=frozenset({"reasoning_content"}))
    ),
    # The same: https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model (2026-11)
    "moonshot": Vendor(
        "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", dialect=Dialect(fields=frozenset({"reasoning_content"}))
    ),
    "xai": Vendor("https://api.x.ai/v1", "XAI_API_KEY", dialect=Dialect(fields=frozenset({"reasoning_effort"}))),
    "together": Vendor("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    # Servers on this machine, at their default ports
    "ollama": Vendor("http://127.0.0.1:11434/v1"),
    "lmstudio": Vendor("http://127.0.0.1:1234/v1"),
    "vllm": Vendor("http://127.0.0.1:8000/v1"),
    "llamacpp": Vendor("http://127.0.0.1:8080/v1"),
    "demo": Vendor(None),
}


def patterns(providers: Iterable[str]) -> tuple[schema.Alias, ...]:
    """Aliases by which vendors answer the names of their own models, for clients whose names are fixed."""
    return tuple(
        schema.Alias(alias=pattern, providers=(schema.Target(provider=name, model=pattern),))
        for name in providers
        if (vendor := VENDORS.get(name)) is not None and (pattern := vendor.models) is not None
    )
