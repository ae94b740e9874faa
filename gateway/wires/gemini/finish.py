"""Finish reasons: Google's words, and the neutral form's.

Source: https://ai.google.dev/api/generate-content#FinishReason and #BlockReason.
"""

from typing import Final

from msgspec import Struct

from gateway.core.answer import Finish
from gateway.core.provider_failures import GenerationFailed, InvalidAnswer
from gateway.wires.failure_classes import shortened
from gateway.wires.finish_words import NO_FINISH, breaks_off, folded

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
_OTHER: Final = "OTHER"
"""A reason that Google does not tell: a filter where nothing was said, and behind words their end in the middle."""
_STOPPED: Final = frozenset({STOP, "END_TURN", "EOS", "STOP_SEQUENCE"})
_LENGTHS: Final = frozenset({"MAX_TOKENS", "LENGTH", "MAX_OUTPUT_TOKENS", "MODEL_CONTEXT_WINDOW_EXCEEDED"})
"""Google's word, and those of servers between that speak its wire."""


class Ending(Struct, frozen=True):
    """What a finish reason means.

    Attributes:
        finish: the neutral word; "stop" for an unknown one.
        broken: the answer broke off.
        known: the word is in one of the lists.
    """

    finish: Finish
    broken: bool = False
    known: bool = True


_STOP: Final = Ending("stop")


def is_unset(reason: str) -> bool:
    """Whether a reason stands for "no finish yet", as Google or a server between writes it."""
    return reason in UNSET or (reason != STOP and folded(reason) in NO_FINISH)


def read_finish(reason: str, *, spoke: bool, called: bool) -> Ending:
    """The ending of a choice.

    Args:
        reason: Google's word, in any case; "" where there is none.
        spoke: whether the choice has any content.
        called: whether it called a tool. Google sends STOP then too, on any of the events.
    """
    word = folded(reason).upper() if reason != STOP else reason
    if word in FAILED or (word == _OTHER and spoke and not called):
        return Ending("stop", broken=True)
    if word in _FILTERED or word == _OTHER:
        return Ending("tool_calls" if called else "content_filter")
    if word in _LENGTHS:
        return Ending("tool_calls" if called else "length")
    if called:
        return Ending("tool_calls", broken=word not in _STOPPED and breaks_off(word.lower()))
    if not word or word in _STOPPED:
        return _STOP
    return Ending("stop", broken=breaks_off(word.lower()), known=False)


def failure(reason: str, explanation: str) -> InvalidAnswer:
    """The failure for a reason that is `broken`. `explanation`: the server's, "" where it gave none."""
    kind = GenerationFailed if reason.upper() in FAILED else InvalidAnswer
    return kind(_sentence(f"The provider broke its answer off: {reason}", explanation))


def refusal(what: str, reason: str, explanation: str) -> str:
    """A sentence for people about the filtered part `what` of the exchange."""
    return _sentence(f"The provider blocked {what}: {reason}", explanation)


def _sentence(begin: str, explanation: str) -> str:
    return shortened(f"{begin}: {explanation}" if explanation else f"{begin}.")
