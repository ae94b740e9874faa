"""Reads Anthropic's error object, and gives the failure that it means and the time after which to ask again.

The shapes of errors and their meanings are shared by all wires (gateway.wires.refusals). Here is what belongs to this
one: the type names the HTTP status, also inside a stream, where there is no other; the headers say when a limit is
reset; and a 400 may say what the request could do without (refusals.py).
Source: https://platform.claude.com/docs/en/api/errors and the page on rate limits beside it (2026-11).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.core.provider_failures import (
    ContextTooLong,
    Evidence,
    FieldsRefused,
    ForeignReasoning,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    UnsupportedByModel,
)
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires import failure_classes
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.anthropic_messages.outbound import refusals
from gateway.wires.failure_classes import Reading
from gateway.wires.refusals import error_body
from gateway.wires.refusals.error_body import ErrorBody
from gateway.wires.retry_after import advised_in, retry_after
from gateway.wires.untrusted_fields import an_object, text

SOON: Final = 60.0
"""Seconds. A quota that is available again within a minute is a rate limit."""
LONG: Final = 3_600.0
"""Seconds. A limit that lasts longer is a spent quota."""
_STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_ANSWER: Final = frozenset({"type", "role", "content"})
_LIMITS: Final = "anthropic-ratelimit-"
_RESET: Final = "-reset"
_ID_SHOWN: Final = 200


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """The failure for an answer with a status other than 2xx.

    Args:
        status: the HTTP status.
        headers: with case-insensitive or lower-case keys.
        body: the body, whose size the reader limits.
    """
    error = error_body.of_bytes(body)
    delay = retry_after(headers)
    if delay is None:
        delay = advised_in(error.message)
    if delay is None and status == 429:
        delay = _reset_after(headers)
    id = headers.get("request-id") or headers.get("x-request-id") or _id_in(body)
    evidence = Evidence(status=status, request_id=id or None, retry_after=delay)
    return _failure(status, error, evidence, f"The provider answered {status} without a message.")


def parse_in_stream(value: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. Its status belongs to its type, or is unknown."""
    error = error_body.of_json(value)
    status = _STATUS_OF.get(error.kind or "")
    id = text(an_object(value).get("request_id"))[:_ID_SHOWN]
    evidence = Evidence(status=status, request_id=id or None, retry_after=advised_in(error.message))
    return _failure(status, error, evidence, "The provider reported an error inside its answer.")


def holds_error(value: JsonValue) -> bool:
    """Whether an event or a body is an error. Other servers of this wire leave the type out."""
    return an_object(value).get("type") == "error" or failure_classes.holds_error(value, _ANSWER)


def _failure(status: int | None, error: ErrorBody, evidence: Evidence, otherwise: str) -> ProviderFailure:
    reading = _of_this_wire(failure_classes.read(status, error), evidence.retry_after)
    fields = refusals.refused_fields(error.text) if reading.means in (RequestRejected, UnsupportedByModel) else ()
    most = refusals.largest_limit(error.text) if reading.means in (RequestRejected, UnsupportedByModel) else None
    if REASONING in fields:
        reading = replace(reading, means=ForeignReasoning)
    elif fields or most is not None:
        reading = replace(reading, means=FieldsRefused)
    failure = failure_classes.failure(reading, error, evidence, otherwise)
    if isinstance(failure, FieldsRefused):
        failure.max_tokens = most
    if fields or most is not None:
        failure.refused_fields = fields or ("max_tokens",)
    return failure


def _of_this_wire(reading: Reading, delay: float | None) -> Reading:
    """The reading, with what the status means here. A body is too large for this API at 32 MB, which is a conversation
    with many images; how long a limit lasts says whether it is one of minutes."""
    if reading.status == 413 and reading.means in (RequestRejected, UnsupportedByModel):
        return replace(reading, means=ContextTooLong)
    if reading.means is RateLimited and (delay or 0.0) > LONG:
        return replace(reading, means=QuotaExhausted)
    if reading.means is QuotaExhausted and reading.status == 429 and delay is not None and delay <= SOON:
        return replace(reading, means=RateLimited)
    return reading


def _reset_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until an exhausted limit is reset, from `anthropic-ratelimit-*-reset`: the longest of those whose
    `-remaining` is 0. The times are compared with the provider's own `Date` header."""
    try:
        now = parsedate_to_datetime(headers.get("date") or "")
    except (TypeError, ValueError):
        return None
    waits: list[float] = []
    for name, value in headers.items():
        which = name.lower()
        if not (which.startswith(_LIMITS) and which.endswith(_RESET)):
            continue
        if (headers.get(which.removesuffix(_RESET) + "-remaining") or "").strip() != "0":
            continue
        try:
            waits.append((datetime.fromisoformat(value) - now).total_seconds())
        except (TypeError, ValueError):
            continue
    return max((seconds for seconds in waits if seconds >= 0), default=None)


def _id_in(body: bytes) -> str:
    try:
        return text(an_object(loads(body)).get("request_id"))[:_ID_SHOWN]
    except JsonFault:
        return ""
