"""Reads Google's error object, and gives the failure that it means and the time after which to ask again.

The status alone is ambiguous: 400 is an invalid key, an unsupported country or a wrong request, and 429 is an exhausted
minute or an exhausted day. The error's details distinguish them, or else its text.
Source: https://cloud.google.com/apis/design/errors (google.rpc.Status, error_details.proto), and
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.provider_failures import Evidence, ProviderFailure, QuotaExhausted, RateLimited
from gateway.core.spans import span
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires import failure_classes
from gateway.wires.failure_classes import Reading
from gateway.wires.refusals import error_body
from gateway.wires.refusals.error_body import ErrorBody
from gateway.wires.retry_after import advised_in, retry_after
from gateway.wires.untrusted_fields import an_object, objects, text

SOON: Final = 60.0
"""Seconds. A daily quota is not available again so soon; Google then reports the time of the exhausted minute quota."""

_ANSWER: Final = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})
_PER_DAY: Final = re.compile(r"per.?day", re.IGNORECASE)
_PLAN: Final = re.compile(r"plan and billing|per.?minute", re.IGNORECASE)
_SPENT: Final = re.compile(r"per.?day|daily|credits?\b.{0,20}depleted|spend(ing)? (cap|limit)", re.IGNORECASE)
_FIELDS: Final[Mapping[str, str]] = {
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "topP": "top_p",
    "candidateCount": "n",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
    "responseSchema": "response_format",
    "responseJsonSchema": "response_format",
    "responseMimeType": "response_format",
    "thinkingConfig": "reasoning_effort",
    "thinkingLevel": "reasoning_effort",
    "thinkingBudget": "reasoning_effort",
    "toolConfig": "tool_choice",
    "seed": "seed",
    "temperature": "temperature",
    "tools": "tools",
}
"""Google's names of fields (https://ai.google.dev/api/generate-content), and OpenAI's."""


@dataclass(frozen=True, slots=True)
class _Details:
    """What Google's details say beside the words.

    Attributes:
        quotas: the names of the exhausted quotas.
        delay: seconds until the request can be repeated.
    """

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
        details = _details(loads(body))
    except JsonFault:
        details = _Details()
    error = error_body.of_bytes(body)
    reading = _read(status, error, details)
    delay = details.delay if details.delay is not None else retry_after(headers)
    evidence = Evidence(
        status=status,
        request_id=headers.get("x-request-id") or headers.get("x-goog-request-id"),
        retry_after=_retry_after(reading, error.message, delay),
    )
    return _failure(reading, error, evidence, f"The provider answered {status} without a message.")


def parse_in_stream(value: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. The value is the error, an object that holds it as `error`, or
    an array around that. The status is its code, belongs to its name, or is unknown."""
    error, details = error_body.of_json(value), _details(value)
    reading = _read(None, error, details)
    evidence = Evidence(status=reading.status, retry_after=_retry_after(reading, error.message, details.delay))
    return _failure(reading, error, evidence, "The provider reported an error inside its answer.")


def holds_error(value: JsonValue) -> bool:
    """Whether an event or a body is an error. At a stream's address, Google puts an array around it."""
    return failure_classes.holds_error(value, _ANSWER)


def _failure(reading: Reading, error: ErrorBody, evidence: Evidence, otherwise: str) -> ProviderFailure:
    """The failure. Its code, type and field stay ours: Google's are a number, a name of gRPC and a path of its own."""
    found = failure_classes.failure(reading, replace(error, code=None, kind=None, param=None), evidence, otherwise)
    names = (_FIELDS.get(_camel(name)) for name in found.refused_fields)
    found.refused_fields = tuple(dict.fromkeys(name for name in names if name))
    return found


def _camel(name: str) -> str:
    """`max_output_tokens`, as protocol buffers call it, is `maxOutputTokens` in JSON."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _read(status: int | None, error: ErrorBody, details: _Details) -> Reading:
    """What an error means. Google names plan and billing in the text of every 429, so there the names of the quotas
    decide, and without them only words for what lasts longer than minutes."""
    reading = failure_classes.read(status, error)
    if reading.status != 429 or reading.by == "words":
        return reading
    if any(map(_PER_DAY.search, details.quotas)):
        return replace(reading, means=QuotaExhausted)
    if reading.means is QuotaExhausted and (reading.by == "code" or not _PLAN.search(error.text)):
        return reading
    if reading.means in (RateLimited, QuotaExhausted):
        spent = not details.quotas and _SPENT.search(error.text)
        return replace(reading, means=QuotaExhausted if spent else RateLimited)
    return reading


def _retry_after(reading: Reading, message: str, delay: float | None) -> float | None:
    """Seconds until the request can be repeated; None where that is unknown."""
    if delay is None:
        delay = advised_in(message)
    return None if reading.means is QuotaExhausted and delay is not None and delay <= SOON else delay


def _details(value: JsonValue) -> _Details:
    """The details of an error, of an object that holds it as `error`, or of an array around that."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    details = objects(an_object(value).get("details"))
    return _Details(
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
