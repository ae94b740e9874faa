"""OpenAI chat completions: `inbound` for callers, `outbound` for providers, and the passthrough between the two.

Where caller and provider both speak this wire, JSON and events pass unchanged, except for repairs of what known servers
get wrong and known clients fail on. The two halves do not import each other; the names of the wire are here for both.
Source: https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Final

from gateway.core.strict_json import JsonObject

WIRE: Final = "openai_chat"
VENDOR: Final = "openai"
"""The vendor of the wire, by whose name its data stands in an `extra`."""
ANSWER_OBJECT: Final = "chat.completion"
CHUNK_OBJECT: Final = "chat.completion.chunk"


def is_legacy(fields: JsonObject) -> bool:
    """Whether a request has `functions` and no tools, so that its client looks for a call in `function_call` alone."""
    return bool(fields.get("functions")) and not fields.get("tools")
