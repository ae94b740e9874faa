"""Why an answer ended: Google's words, and what they become.

Source: https://ai.google.dev/api/generate-content#FinishReason and #BlockReason.
"""

from typing import Final

from gateway.core.answer import Finish
from gateway.core.provider_failures import InvalidAnswer
from gateway.wires.failure_classes import shortened

STOP: Final = "STOP"
UNSAID: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})
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
"""The model or its server went wrong. As an empty "stop" an agent would take it for a decision, and ask again for ever
or give up (sub2api#7098, hermes#83882), so it is a failure, which another try mends."""

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
        reason: Google's word; none of FAILED.
        spoke: the choice has said anything.
        called: it has called a tool. Google says STOP then too, and on whichever event it likes.
    """
    word = reason.upper()
    if called:
        return "tool_calls"
    if word == "MAX_TOKENS":
        return "length"
    if word in _FILTERED or (word == "OTHER" and not spoke):
        return "content_filter"
    return "stop"


def failure(reason: str, told: str) -> InvalidAnswer:
    """What one of FAILED is; `told`: the server's explanation, "" where it gave none."""
    return InvalidAnswer(_sentence(f"The provider broke its answer off: {reason}", told))


def refusal(what: str, reason: str, told: str) -> str:
    """Why there is no answer, for people; `what` was filtered."""
    return _sentence(f"The provider blocked {what}: {reason}", told)


def _sentence(begin: str, told: str) -> str:
    return shortened(f"{begin}: {told}" if told else f"{begin}.")
