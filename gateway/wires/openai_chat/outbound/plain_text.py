"""The plain text of a chunk. A broken stream can be resumed while all its chunks are plain."""

from typing import Final

from gateway.core.strict_json import JsonObject

_QUIET: Final = frozenset(
    {"role", "content", "reasoning_content", "reasoning", "content_filter_results", "annotations"}
)
"""Fields of a delta that keep an answer plain."""


def plain_text(choices: list[JsonObject]) -> str | None:
    """The text that a chunk adds, if it adds nothing but text and reasoning to the first choice; else None."""
    if not choices:
        return ""
    choice = choices[0]
    delta = choice["delta"]
    if len(choices) > 1 or choice.get("index") != 0 or choice.get("logprobs") or not isinstance(delta, dict):
        return None
    if not _QUIET.issuperset(delta) and any(value for name, value in delta.items() if name not in _QUIET):
        return None
    content = delta.get("content")
    return content if isinstance(content, str) else "" if content is None else None
