"""Google's error object: what a refusal means, and when asking again makes sense.

The status says little: 400 is a key that is not valid, a country that is not served, or a request that is wrong, and
429 is a busy minute or a spent day. The details tell them apart, else the text.
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
"""Seconds. No day's quota is back so soon: Google then tells when the minute's is, which was over too."""

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
class _Told:
    """What an error says.

    Attributes:
        word: google.rpc.Code's name.
        code: the number beside it, mostly the HTTP status.
        reasons: of ErrorInfo.
        quotas: names of those that are used up.
        delay: seconds until asking again makes sense, out of the details.
    """

    message: str = ""
    word: str = ""
    code: JsonValue = None
    reasons: frozenset[str] = frozenset()
    quotas: tuple[str, ...] = ()
    delay: float | None = None


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """What an answer other than 2xx means.

    Args:
        status: the HTTP status.
        headers: with case-insensitive or lower-case keys.
        body: bounded by the reader.
    """
    try:
        told = _read(loads(body))
    except JsonFault:
        told = _Told()
    kind = _meaning(status, told)
    delay = told.delay if told.delay is not None else retry_after(headers)
    return kind(
        shortened(told.message) or f"The provider answered {status} without a message.",
        evidence=Evidence(
            status=status,
            request_id=headers.get("x-request-id") or headers.get("x-goog-request-id"),
            retry_after=_patience(kind, told, delay),
        ),
        status=_shown(status, kind),
    )


def in_band(error: JsonValue) -> ProviderFailure:
    """What an error inside a stream or a 200 means: the object, or what holds it as `error`, or an array around that;
    its status is in its code or its word, or unknown."""
    told = _read(error)
    numbered = told.code if type(told.code) is int and 400 <= told.code < 600 else None
    status = numbered or _STATUS_OF.get(told.word)
    kind = _meaning(status or 0, told)
    return kind(
        shortened(told.message) or "The provider reported an error inside its answer.",
        evidence=Evidence(status=status, retry_after=_patience(kind, told, told.delay)),
    )


def holds_error(value: JsonValue) -> bool:
    """Whether what came for an answer is an error; an array is around it where the address is a stream's."""
    if isinstance(value, list):
        return bool(value) and holds_error(value[0])
    return isinstance(value, dict) and bool(value.get("error"))


def _meaning(status: int, told: _Told) -> type[ProviderFailure]:
    return next((kind for holds, kind in _RULES if holds(status, told)), None) or by_text_or_status(
        status, told.message
    )


_RULES: Final[tuple[tuple[Callable[[int, _Told], bool], type[ProviderFailure]], ...]] = (
    (lambda status, told: bool(told.reasons & _KEY_REASONS), CredentialRefused),
    (lambda status, told: status == 400 and bool(_KEY.search(told.message)), CredentialRefused),
    (lambda status, told: bool(told.reasons & _SPENT_REASONS), QuotaExhausted),
    (lambda status, told: told.word == "FAILED_PRECONDITION" and bool(_BILLING.search(told.message)), QuotaExhausted),
    # where the gateway stands is no fault of the request, and no key or waiting mends it
    (lambda status, told: status == 400 and bool(_LOCATION.search(told.message)), Unavailable),
    (lambda status, told: status == 400 and bool(_UNSUPPORTED.search(told.message)), UnsupportedByTarget),
    (lambda status, told: status == 429 and any(map(_PER_DAY.search, told.quotas)), QuotaExhausted),
    (lambda status, told: status == 429 and not told.quotas and bool(_SPENT.search(told.message)), QuotaExhausted),
    (lambda status, told: status == 429, RateLimited),  # every text of Google's speaks of plan and billing
    (lambda status, told: status == 499, Unavailable),  # CANCELLED: not by us, or nobody would read this
)


def _shown(status: int, kind: type[ProviderFailure]) -> int | None:
    """The status that the caller gets; None is the failure's own."""
    if status == 499 or (kind is CredentialRefused and status == 400):
        return None
    return status if 400 <= status < 600 else None


def _patience(kind: type[ProviderFailure], told: _Told, delay: float | None) -> float | None:
    """Seconds until asking again makes sense."""
    if delay is None:
        delay = advised_in(told.message)
    return None if kind is QuotaExhausted and delay is not None and delay <= SOON else delay


def _read(value: JsonValue) -> _Told:
    """An error in any of the shapes seen: Google's, with an array around it, or a proxy's bare text."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    if isinstance(value, str):
        return _Told(value[:MESSAGE_READ])
    fields = an_object(value)
    details = objects(fields.get("details"))
    return _Told(
        message=text(fields.get("message"))[:MESSAGE_READ],
        word=text(fields.get("status")),
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
    """Of a RetryInfo."""
    return span(text(detail.get("retryDelay")))
