"""What a server of this wire takes, where servers differ. The rows of vendors are in gateway.providers.vendors."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

COMMON: Final = frozenset({"reasoning_effort", "top_k"})
"""Beyond the fields that all servers know: what most of them read or ignore."""


class Dialect(Struct, frozen=True):
    """One server.

    Attributes:
        history: "strict" removes fields from a conversation that OpenAI's own server refuses and other servers have
            added; "as_is" keeps them, for servers that read or ignore them.
        call_ids: the ids of tool calls that a strict server takes: "short" ones of 40 characters, or "nine" letters and
            digits.
        message_keys: the keys that it takes in a message, by role; it refuses all others, and null. None where it does
            not mind.
        custom_tools: whether it has custom tools; else they are sent as functions with one text.
        fields: the fields that it takes beyond those of all servers: `max_completion_tokens` (in place of max_tokens),
            `reasoning_effort`, `verbosity`, `top_k`, `strict` (of a function), and `reasoning_content` in the history.
    """

    history: Literal["strict", "as_is"] = "as_is"
    call_ids: Literal["short", "nine"] = "short"
    message_keys: Mapping[str, frozenset[str]] | None = None
    custom_tools: bool = False
    fields: frozenset[str] = COMMON
