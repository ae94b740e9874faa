"""Reads Google's error object, and gives the failure that it means and the time after which to ask again.

The status alone is ambiguous: 400 is an invalid key, an unsupported country or a wrong request, and 429 is an exhausted
minute or an exhausted day. The error's details distinguish them, or else its text.
Source: https://cloud.google.com/apis/design/errors (google.rpc.Status, error_details.proto), and
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.provider_failures import (
    CredentialRefused,
    Evidence,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UnsupportedByTarget,
)
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.failure_classes import MESSAGE_READ, by_text_or_status, shortened
from gateway.wires.retry_after import advised_in, retry_after, span
from gateway.wires.untrusted_fields import an_object, objects, text

SOON: Final = 60.0
"""Seconds. A daily quota is not available again so soon; Google then reports the time of the exhausted minute quota."""

_STATUS_OF: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google/rpc/code.proto."""

_KEY_REASONS: Final = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
_SPENT_REASONS: Final = frozenset({"BILLING_DISABLED", "QUOTA_EXHAUSTED"})
_KEY: Final = re.compile(r"api key (is )?(not valid|invalid|expired|not found)", re.IGNORECASE)
_BILLING: Final = re.compile(r"billing", re.IGNORECASE)
_LOCATION: Final = re.compile(
    r"location is not supported|not (available|supported) in your (country|region|location)", re.IGNORECASE
)
_UNSUPPORTED: Final = re.compile(
    r"\b(is|are) not (enabled|supported|available)\b|\b(is|are) unsupported\b|\bdoes not support\b"
    r"|only works in thinking mode|unsupported mime type|unknown name \"|only one candidate can|cannot be combined"
    r"|thought.?signature",
    re.IGNORECASE,
)
_SPENT: Final = re.compile(r"per.?day|daily|credits?\b.{0,20}depleted|spend(ing)? (cap|limit)", re.IGNORECASE)
_PER_DAY: Final = re.compile(r"per.?day", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Error:
    """The fields of an error.

    Attributes:
        name: the name of the google.rpc.Code (`INVALID_ARGUMENT`).
        code: the number beside it, mostly the HTTP status.
        reasons: the reasons of ErrorInfo.
        quotas: the names of the exhausted quotas.
        delay: seconds until the request can be repeated, from the details.
    """

    message: str = ""
    name: str = ""
    code: JsonValue = None
    reasons: frozenset[str] = frozenset()
    quotas: tuple[str, ...] = ()
    delay: float | None = None


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
    kind = _failure_class(status, error)
    delay = error.delay if error.delay is not None else retry_after(headers)
    return kind(
        shortened(error.message) or f"The provider answered {status} without a message.",
        evidence=Evidence(
            status=status,
            request_id=headers.get("x-request-id") or headers.get("x-goog-request-id"),
            retry_after=_retry_after(kind, error, delay),
        ),
        status=_caller_status(status, kind),
    )


def parse_in_stream(value: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. The value is the error, an object that holds it as `error`, or
    an array around that. The status is its code, belongs to its name, or is unknown."""
    error = _read(value)
    numbered = error.code if type(error.code) is int and 400 <= error.code < 600 else None
    status = numbered or _STATUS_OF.get(error.name)
    kind = _failure_class(status or 0, error)
    return kind(
        shortened(error.message) or "The provider reported an error inside its answer.",
        evidence=Evidence(status=status, retry_after=_retry_after(kind, error, error.delay)),
    )


def holds_error(value: JsonValue) -> bool:
    """Whether an answer is an error. At a stream's address, Google puts an array around it."""
    if isinstance(value, list):
        return bool(value) and holds_error(value[0])
    return isinstance(value, dict) and bool(value.get("error"))


def _failure_class(status: int, error: _Error) -> type[ProviderFailure]:
    return next((kind for holds, kind in _RULES if holds(status, error)), None) or by_text_or_status(
        status, error.message
    )


_RULES: Final[tuple[tuple[Callable[[int, _Error], bool], type[ProviderFailure]], ...]] = (
    (lambda status, e: bool(e.reasons & _KEY_REASONS), CredentialRefused),
    (lambda status, e: status == 400 and bool(_KEY.search(e.message)), CredentialRefused),
    (lambda status, e: bool(e.reasons & _SPENT_REASONS), QuotaExhausted),
    (lambda status, e: e.name == "FAILED_PRECONDITION" and bool(_BILLING.search(e.message)), QuotaExhausted),
    # the location of the gateway is no fault of the request, and neither a key nor waiting changes it
    (lambda status, e: status == 400 and bool(_LOCATION.search(e.message)), Unavailable),
    (lambda status, e: status == 400 and bool(_UNSUPPORTED.search(e.message)), UnsupportedByTarget),
    (lambda status, e: status == 429 and any(map(_PER_DAY.search, e.quotas)), QuotaExhausted),
    (lambda status, e: status == 429 and not e.quotas and bool(_SPENT.search(e.message)), QuotaExhausted),
    (lambda status, e: status == 429, RateLimited),  # Google names plan and billing in every text
    (lambda status, e: status == 499, Unavailable),  # CANCELLED, and not by the gateway, which would not read this
)


def _caller_status(status: int, kind: type[ProviderFailure]) -> int | None:
    """The HTTP status for the caller; None for the status of the failure's class."""
    if status == 499 or (kind is CredentialRefused and status == 400):
        return None
    return status if 400 <= status < 600 else None


def _retry_after(kind: type[ProviderFailure], error: _Error, delay: float | None) -> float | None:
    """Seconds until the request can be repeated; None where that is unknown."""
    if delay is None:
        delay = advised_in(error.message)
    return None if kind is QuotaExhausted and delay is not None and delay <= SOON else delay


def _read(value: JsonValue) -> _Error:
    """An error in any of the known shapes: Google's, with an array around it, or a proxy's bare text."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    if isinstance(value, str):
        return _Error(value[:MESSAGE_READ])
    fields = an_object(value)
    details = objects(fields.get("details"))
    return _Error(
        message=text(fields.get("message"))[:MESSAGE_READ],
        name=text(fields.get("status")),
        code=fields.get("code"),
        reasons=frozenset(text(detail.get("reason")) for detail in details),
        quotas=tuple(filter(None, (quota for detail in details for quota in _quotas(detail)))),
        delay=max((delay for one in details if (delay := _delay(one)) is not None), default=None),
    )


def _quotas(detail: JsonObject) -> list[str]:
    """The quotas that a QuotaFailure or an ErrorInfo names."""
    violations = [text(violation.get("quotaId")) for violation in objects(detail.get("violations"))]
    return [*violations, text(an_object(detail.get("metadata")).get("quota_limit"))]


def _delay(detail: JsonObject) -> float | None:
    """The delay of a RetryInfo."""
    return span(text(detail.get("retryDelay")))
