"""Reads a provider's error, and gives the failure that it means.

Errors have the shape of all of OpenAI's APIs. Inside a stream they are in a failed response, or in an event of their
own, flat or with an object.
Source: https://platform.openai.com/docs/guides/error-codes.
"""

from collections.abc import Mapping
from typing import Final

from gateway.core.provider_failures import InvalidAnswer, ProviderFailure, RequestRejected
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires import failure_classes, openai_failures
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.untrusted_fields import an_object

FOREIGN_REASONING: Final = "invalid_encrypted_content"
"""The code for reasoning in the input that the server did not make, or not for this account."""
_ANSWER: Final = frozenset({"output", "status", "type"})


def parse(status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
    """The failure for an answer with a status other than 2xx. See gateway.wires.openai_failures."""
    failure = openai_failures.parse(status, headers, body)
    if failure.code == FOREIGN_REASONING and isinstance(failure, RequestRejected):
        failure.refused_fields = (REASONING,)  # the same request without it may pass
    return failure


def parse_event(event: JsonObject) -> ProviderFailure:
    """The failure for an event that ends a stream: a failed response, or an error."""
    response = event.get("response")
    if not isinstance(response, dict):
        return openai_failures.parse_in_stream(event if event.get("error") else {"error": event})
    if not response.get("error"):
        return InvalidAnswer("The provider broke its answer off without saying why.")
    return openai_failures.parse_in_stream({"error": an_object(response.get("error"))})


def holds_error(value: JsonValue) -> bool:
    """Whether a body is an error. The `error` of a response that has none is null."""
    return failure_classes.holds_error(value, _ANSWER)
