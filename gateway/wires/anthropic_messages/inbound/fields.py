"""Access to a request's fields, and their names: paths in Anthropic's notation (`messages.0.content`)."""

from collections.abc import Mapping
from typing import Final

from gateway.wires.field_reader import FieldReader


class Fields(FieldReader):
    """A FieldReader whose paths are Anthropic's. Source: https://platform.claude.com/docs/en/api/errors."""

    item = ".{}"


_NAMES: Final[Mapping[str, str]] = {
    "stop": "stop_sequences",
    "reasoning_effort": "output_config.effort",
    "response_format": "output_config.format",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "max_completion_tokens": "max_tokens",
    "tools.function.parameters": "tools.input_schema",
    "tools.function.strict": "tools.strict",
    "messages.tool_calls": "messages.content.tool_use",
    "messages.content.image_url": "messages.content.image",
    "messages.content.image_url.detail": "messages.content.image",
    "messages.content.file": "messages.content.document",
    "messages.content.file.filename": "messages.content.document.title",
    "messages.reasoning_content": "messages.content.thinking",
    "messages.reasoning": "messages.content.thinking",
    "reasoning": "messages.content.thinking",
}
"""The names of OpenAI chat's fields in this wire. The rest have the same name in both."""


def field_name(name: str) -> str:
    """This wire's name for a field that a wire has left out, which names it as OpenAI chat does."""
    return _NAMES.get(name, name)
