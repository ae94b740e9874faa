"""Finish reasons: Google's words, and the neutral form's.

Source: https://ai.google.dev/api/generate-content#FinishReason and #BlockReason.
"""

from typing import Final

from gateway.core.answer import Finish
from gateway.core.provider_failures import InvalidAnswer
from gateway.wires.failure_classes import shortened

STOP: Final = "STOP"
UNSET: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})
"""The values that stand for "no value"."""

FAILED: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "MALFORMED_RESPONSE",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)
"""Reasons for a fault of the model or its server. Agents would take an empty "stop" for a decision, and repeat the
request for ever or give up (sub2api#7098, hermes#83882). So it is a failure, which another try can repair."""

_FILTERED: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "MODEL_ARMOR",
        "ESCALATION",
    }
)


def finish(reason: str, *, spoke: bool, called: bool) -> Finish:
    """The finish of a choice.

    Args:
        reason: Google's word; not one of FAILED.
        spoke: whether the choice has any content.
        called: whether it called a tool. Google sends STOP then too, on any of the events.
    """
    word = reason.upper()
    if called:
        return "tool_calls"
    if word == "MAX_TOKENS":
        return "length"
    if word in _FILTERED or (word == "OTHER" and not spoke):
        return "content_filter"
    return "stop"


def failure(reason: str, explanation: str) -> InvalidAnswer:
    """The failure for one of FAILED. `explanation`: the server's, "" where it gave none."""
    return InvalidAnswer(_sentence(f"The provider broke its answer off: {reason}", explanation))


def refusal(what: str, reason: str, explanation: str) -> str:
    """A sentence for people about the filtered part `what` of the exchange."""
    return _sentence(f"The provider blocked {what}: {reason}", explanation)


def _sentence(begin: str, explanation: str) -> str:
    return shortened(f"{begin}: {explanation}" if explanation else f"{begin}.")
