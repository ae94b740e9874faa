"""This wire's names of fields that an outbound wire has left out, which names them as OpenAI chat does."""

from collections.abc import Mapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "logprobs": "include.message.output_text.logprobs",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
_PREFIXES: Final[Mapping[str, str]] = {
    "messages.content.image_url": "input.content",
    "messages.content.input_audio": "input.content.input_audio",
    "messages.content.file": "input.content.input_file",
    "messages": "input",
    "response_format.json_schema": "text.format",
    "tools.function": "tools",
    "tools.custom": "tools",
}


def field_name(name: str) -> str:
    """The name of the field in this wire; the name itself where it has none or is one already."""
    if name in _NAMES:
        return _NAMES[name]
    for prefix, own in _PREFIXES.items():
        if name == prefix or name.startswith(f"{prefix}."):
            return own + name.removeprefix(prefix)
    return name
