"""Reads Anthropic's error object, and gives the failure that it means and the time after which to ask again.

The type names the HTTP status, also inside a stream, where there is no other. The text distinguishes what the status
does not: spent credit is a 400, and so is a parameter that only this model does not have (refusals.py).
Source: https://platform.claude.com/docs/en/api/errors and the page on rate limits beside it (2026-11).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    Evidence,
    FieldsRefused,
    ForeignReasoning,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    Unavailable,
)
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.anthropic_messages.outbound import refusals
from gateway.wires.failure_classes import MESSAGE_READ, by_text_or_status, shortened
from gateway.wires.retry_after import advised_in, retry_after
from gateway.wires.untrusted_fields import an_object, text

SOON: Final = 3_600.0
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
_CREDIT: Final = re.compile(r"credit balance is too low|(reached|exceeded) your .{0,40}usage limit|usage limits", re.I)
_CONTEXT: Final = re.compile(r"exceed context limit|prompt is too long", re.I)
_PER_DAY: Final = re.compile(r"per.?day|daily", re.I)
_REQUESTS: Final = frozenset({400, 422})
"""Statuses for a request at fault."""
_LIMITS: Final = "anthropic-ratelimit-"
_RESET: Final = "-reset"


_KIND_SHOWN: Final = 200
"""Characters of a type and of a request id."""


class _Error(Struct, frozen=True):
    """The fields of an error; "" where one is missing."""

    message: str = ""
    kind: str = ""
    request_id: str = ""


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """The failure for an answer with a status other than 2xx.

    Args:
        status: the HTTP status.
        headers: with case-insensitive or lower-case keys.
        body: the body, whose size the reader limits.
    """
    try:
        error = _read(loads(body))
    except JsonFault:
        error = _Error()
    delay = retry_after(headers)
    if delay is None:
        delay = advised_in(error.message)
    if delay is None and status == 429:
        delay = _reset_after(headers)
    request_id = headers.get("request-id") or headers.get("x-request-id") or error.request_id or None
    evidence = Evidence(status=status, request_id=request_id, retry_after=delay)
    return _failure(error, evidence, f"The provider answered {status} without a message.")


def parse_in_stream(value: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. Its status belongs to its type, or is unknown."""
    error = _read(value)
    evidence = Evidence(status=_STATUS_OF.get(error.kind), request_id=error.request_id or None)
    return _failure(error, evidence, "The provider reported an error inside its answer.")


def holds_error(value: JsonValue) -> bool:
    """Whether an event or a body is an error. Other servers of this wire leave the type out."""
    if isinstance(value, list):
        return bool(value) and holds_error(value[0])
    return isinstance(value, dict) and (value.get("type") == "error" or bool(value.get("error")))


def _failure(error: _Error, evidence: Evidence, otherwise: str) -> ProviderFailure:
    message, status = shortened(error.message) or otherwise, evidence.status or 0
    if status in _REQUESTS:
        kind = error.kind or None
        fields, most = refusals.refused_fields(error.message), refusals.largest_limit(error.message)
        if REASONING in fields:
            return ForeignReasoning(message, evidence=evidence, type=kind, status=status)
        if fields or most is not None:
            names = fields or ("max_tokens",)
            return FieldsRefused(
                message, evidence=evidence, refused_fields=names, max_tokens=most, type=kind, status=status
            )
    means = _class(status, error.message, evidence.retry_after)
    as_it_came = issubclass(means, (RequestRejected, ContentRefused))
    return means(
        message,
        evidence=evidence,
        type=error.kind or None if as_it_came else None,
        status=status if (as_it_came and status >= 400) or (means is Unavailable and 500 <= status < 600) else None,
    )


def _class(status: int, message: str, delay: float | None) -> type[ProviderFailure]:
    if status in (400, 402, 403, 429) and _CREDIT.search(message):
        return QuotaExhausted
    if status == 413 or (status == 400 and _CONTEXT.search(message)):
        return ContextTooLong
    if status == 429:
        lasting = (delay or 0.0) > SOON or (delay is None and _PER_DAY.search(message))
        return QuotaExhausted if lasting else RateLimited
    return by_text_or_status(status, message)


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


def _read(value: JsonValue) -> _Error:
    """An error in any of the known shapes: Anthropic's, OpenAI's, with an array around it, or a bare text."""
    if isinstance(value, list):
        value = value[0] if value else None
    outer = an_object(value)
    inner = outer.get("error") or value
    if isinstance(inner, str):
        return _Error(inner[:MESSAGE_READ])
    fields = an_object(inner)
    message = next((found for name in ("message", "detail", "msg") if (found := text(fields.get(name)))), "")
    kind = text(fields.get("type"))
    return _Error(
        message[:MESSAGE_READ],
        "" if kind == "error" or len(kind) > _KIND_SHOWN else kind,
        text(outer.get("request_id"))[:_KIND_SHOWN],
    )
