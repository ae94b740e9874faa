"""Stop reasons: Anthropic's words, and the neutral form's.

Other servers of this wire have words of their own; those here are the words of OpenAI-compatible servers, because the
same servers offer both.
Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons (2026-11).
"""

from collections.abc import Mapping
from typing import Final

from gateway.core.answer import Finish
from gateway.core.provider_failures import InvalidAnswer

_FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "stop": "stop",
    "tool_use": "tool_calls",
    "tool_calls": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "length": "length",
    "refusal": "content_filter",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
}
_BROKEN_OFF: Final = frozenset(
    {
        "error",
        "abort",
        "aborted",
        "cancel",
        "cancelled",
        "canceled",
        "timeout",
        "network_error",
        "server_error",
        "insufficient_system_resource",
        "unknown",
    }
)
"""Words for an answer that its server broke off. It is a failure: the text so far is not the answer."""
_NONE: Final = frozenset({"", "null", "none"})


def is_reason(word: str) -> bool:
    """Whether the word is a stop reason at all."""
    return word.lower() not in _NONE


def failure(word: str, *, arguments_open: bool) -> InvalidAnswer | None:
    """The failure that a stop reason means; None where it ends the answer.

    Args:
        word: the stop reason.
        arguments_open: whether the arguments of a call are unfinished. An answer may then only end at its limit.
    """
    lower = word.lower()
    if lower in _BROKEN_OFF or (arguments_open and _FINISHES.get(lower) not in ("length", "content_filter")):
        return InvalidAnswer(f"The provider broke its answer off: {word[:100]}.")
    return None


def finish(word: str, *, called: bool) -> Finish:
    """The finish of an answer.

    Args:
        word: the stop reason, for which `failure` gives None. One that is not known counts as a regular end.
        called: whether the answer called a tool.
    """
    known = _FINISHES.get(word.lower(), "stop")
    if known == "stop" and called:
        return "tool_calls"
    return "stop" if known == "tool_calls" and not called else known
