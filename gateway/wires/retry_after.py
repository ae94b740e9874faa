"""The time after which a refused request can be repeated, from the answer's headers or its text.

The wires share this, because the headers belong to HTTP and not to a wire. All results are seconds from now. Points in
time are compared with the provider's own `Date` header, so its clock and ours need not agree.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.core.spans import SPAN, seconds_of, span

_SPAN_ADVISED: Final = re.compile(rf"(?:retry|try again) (?:in|after) {SPAN}\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,12})?")
_RESET: Final = "x-ratelimit-reset"
_REMAINING: Final = "x-ratelimit-remaining"
_EARLIEST: Final = 1e9
"""A number from here on is a point in time, not a duration: seconds since 1970, or milliseconds."""
_EARLIEST_MS: Final = 1e11


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `Retry-After` (RFC 9110 section 10.2.3: seconds or a date); None where
    there is neither."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) / unit
        except ValueError:
            seconds = _until(text, headers.get("date"))
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def reset_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until an exhausted limit is reset, from `x-ratelimit-reset*`: the longest of those whose
    `x-ratelimit-remaining*` is 0. A reset without such a header counts as exhausted where it is the only one.

    Only for refusals, because successful answers carry these headers too. Values: OpenAI and Groq send durations such
    as `6m0s` and `2m59.56s` (https://platform.openai.com/docs/guides/rate-limits), OpenRouter a point in time in
    milliseconds (https://openrouter.ai/docs/api-reference/limits), others seconds.
    """
    resets = {name.lower()[len(_RESET) :]: value for name, value in headers.items() if name.lower().startswith(_RESET)}
    remaining = {which: headers.get(_REMAINING + which) for which in resets}
    used_up = [which for which, left in remaining.items() if _is_zero(left)]
    if not used_up and len(resets) == 1:
        used_up = [which for which, left in remaining.items() if left is None]
    waits = (_reset(resets[which], headers.get("date")) for which in used_up)
    return max((seconds for seconds in waits if seconds is not None), default=None)


def advised_in(message: str) -> float | None:
    """The seconds that a message advises to wait (`try again in 20s`, `retry after 5 seconds`); None where it advises
    none."""
    found = _SPAN_ADVISED.search(message)
    return seconds_of(found) if found else None


def _is_zero(left: str | None) -> bool:
    return left is not None and bool(_NUMBER.fullmatch(left.strip())) and float(left) == 0


def _reset(value: str, now: str | None) -> float | None:
    if not _NUMBER.fullmatch(value):
        return span(value)
    number = float(value)
    if number < _EARLIEST:
        return number
    try:
        answered = parsedate_to_datetime(now or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = number / (1000.0 if number >= _EARLIEST_MS else 1.0) - answered
    return seconds if seconds >= 0 else None


def _until(date: str, now: str | None) -> float:
    """Seconds between two times of the provider's own clock; NaN where one of them is not a date."""
    try:
        return (parsedate_to_datetime(date) - parsedate_to_datetime(now or "")).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return math.nan
