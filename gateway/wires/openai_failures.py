"""Reads an error of an API of OpenAI's kind, and gives the failure that it means.

The shapes of errors and their meanings are shared by all wires (gateway.wires.refusals); here is what belongs to these
APIs: the headers and texts that say when to ask again.
Source: https://platform.openai.com/docs/guides/error-codes.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.core.provider_failures import Evidence, ProviderFailure, QuotaExhausted, RateLimited
from gateway.core.strict_json import JsonValue
from gateway.wires import failure_classes
from gateway.wires.failure_classes import Reading
from gateway.wires.refusals import error_body
from gateway.wires.retry_after import advised_in, reset_after, retry_after

SOON: Final = 60.0
"""Seconds. A quota that is available again within a minute is a rate limit."""


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """The failure for an answer with a status other than 2xx.

    Args:
        status: the HTTP status.
        headers: with case-insensitive or lower-case keys.
        body: the body, whose size the reader limits.
    """
    error = error_body.of_bytes(body)
    evidence = Evidence(
        status=status,
        request_id=headers.get("x-request-id"),
        retry_after=_retry_after(status, headers, error.message),
    )
    reading = _of_minutes(failure_classes.read(status, error), evidence.retry_after)
    return failure_classes.failure(reading, error, evidence, f"The provider answered {status} without a message.")


def parse_in_stream(error: JsonValue) -> ProviderFailure:
    """The failure for an error inside a stream or a 200. Its status is its code, belongs to its type, or is unknown."""
    found = error_body.of_json(error)
    advised = advised_in(found.message)
    reading = _of_minutes(failure_classes.read(None, found), advised)
    evidence = Evidence(status=reading.status, retry_after=advised)
    return failure_classes.failure(reading, found, evidence, "The provider reported an error inside its answer.")


def _of_minutes(reading: Reading, seconds: float | None) -> Reading:
    """The reading; a quota that only words tell of is a rate limit where it is available again soon. Google names plan
    and billing in every 429, also in those for a busy minute."""
    if reading.means is QuotaExhausted and reading.by != "code" and (seconds or math.inf) <= SOON:
        return replace(reading, means=RateLimited)
    return reading


def _retry_after(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """Seconds until the request can be repeated. Advice for this error precedes the general state of the limits."""
    advised = retry_after(headers)
    if advised is None:
        advised = advised_in(message)
    return reset_after(headers) if advised is None and status == 429 else advised
