"""What a server of this wire takes, where servers differ. The rows of vendors are in gateway.providers.vendors."""

from typing import Final, Literal

from msgspec import Struct

COMMON: Final = frozenset({"reasoning_effort", "top_k"})
"""Beyond the fields that all servers know: what most of them read or ignore."""


class Dialect(Struct, frozen=True):
    """One server.

    Attributes:
        history: "strict" removes fields from a conversation that OpenAI's own server refuses and other servers have
            added; "as_is" keeps them, for servers that read or ignore them.
        tool_calls_finish: gives a choice that called a tool the finish reason "tool_calls" where the provider sends
            "stop", as Google's own endpoint does (python-genai#2868, 2026-08). Not for OpenAI, whose "stop" after a
            forced tool is correct.
        custom_tools: whether it has custom tools; else they are sent as functions with one text.
        fields: the fields that it takes beyond those of all servers: `max_completion_tokens` (in place of max_tokens),
            `reasoning_effort`, `verbosity`, `top_k`, `strict` (of a function), and `reasoning_content` in the history.
    """

    history: Literal["strict", "as_is"] = "as_is"
    tool_calls_finish: bool = False
    custom_tools: bool = False
    fields: frozenset[str] = COMMON
