"""What a 400 of Anthropic's says that a request could do without: the fields by neutral names, or a smaller limit.

Models differ in what they take, names do not always say which model answers, and other servers of this wire take less.
So a refusal that names what can be left out is kept with its names, for another try without them.
Source: the texts of api.anthropic.com (2026-11), as its clients' users have reported them.
"""

import re
from typing import Final

from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.anthropic_messages.outbound.adjustments import BUDGET, EFFORT, PREFILL, SYSTEM_INSIDE

_FIELDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (r"invalid `?signature`? in `?thinking`?|`?(redacted_)?thinking`? blocks?.{0,80}cannot be modified", (REASONING,)),
    # a budget wants the reasoning of a loop of calls back, which may be another provider's
    (r"expected `?thinking`? or `?redacted_thinking`?", (EFFORT, BUDGET)),
    (r"thinking\.type\.enabled.{0,40}not supported", (BUDGET,)),
    (r"adaptive thinking is not supported", (EFFORT,)),
    (r"(does not|doesn't) support (the )?`?effort|effort`?( parameter)? is not supported", (EFFORT,)),
    (r"(does not|doesn't) support (extended )?thinking|thinking is not supported", (EFFORT, BUDGET)),
    (r"thinking may not be enabled when tool_choice forces", (EFFORT, BUDGET)),
    (r"(does not|doesn't) support assistant message prefill|must end with a user message", (PREFILL,)),
    (r"role ['\"`]?system['\"`]? is not supported", (SYSTEM_INSIDE,)),
    (r"`temperature` and `top_p` cannot both", ("top_p",)),
    (r"temperature.{0,20}top_p.{0,30}(deprecated|not supported)", ("temperature", "top_k", "top_p")),
    (r"`?temperature`?.{0,20}(deprecated|not supported|may only be set)", ("temperature",)),
    (r"`?top_p`?.{0,20}(deprecated|not supported|must be unset|must be greater)", ("top_p",)),
    (r"`?top_k`?.{0,20}(deprecated|not supported|must be unset)", ("top_k",)),
)
_COMPILED: Final = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), names) for pattern, names in _FIELDS)
_LIMITS: Final = (
    re.compile(r"max_tokens`?: \d+ > (?P<most>\d{1,9}),", re.IGNORECASE),
    re.compile(r"max_tokens`? is too large.{0,60}?at most (?P<most>\d{1,9})", re.IGNORECASE),
    re.compile(r"max_tokens`?.{0,40}less than or equal to (?P<most>\d{1,9})", re.IGNORECASE),
)


def refused_fields(message: str) -> tuple[str, ...]:
    """The neutral names of the fields that the message refuses; none where it is no such refusal."""
    return next((names for pattern, names in _COMPILED if pattern.search(message)), ())


def largest_limit(message: str) -> int | None:
    """The largest max_tokens that the message allows; None where it speaks of none."""
    found = next((found for pattern in _LIMITS if (found := pattern.search(message))), None)
    most = int(found["most"]) if found else 0
    return most if most > 0 else None
