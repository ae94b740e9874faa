"""Reads a whole answer as far as the gateway has to know it: whether it is one, and how many tokens it took.

A 200 with nothing in it, with HTML or with an error is a failure of the target, so that another one is asked. The
gateway never completes an answer by itself: a moderation without results says nothing, and least of all "not flagged".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.passed import EndpointName, PassedRequest
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.strict_json import JsonFault, JsonValue, loads
from gateway.wires import failure_classes, openai_usage
from gateway.wires.openai_failures import parse_in_stream
from gateway.wires.openai_usage import CHAT
from gateway.wires.passed import embeddings
from gateway.wires.passed.request import number_of_inputs
from gateway.wires.untrusted_fields import an_object, count

ANSWER_KEYS: Final[Mapping[EndpointName, frozenset[str]]] = MappingProxyType(
    {
        "embeddings": frozenset({"data"}),
        "completions": frozenset({"choices"}),
        "rerank": frozenset({"results", "data"}),  # Voyage AI calls them `data`
        "moderations": frozenset({"results"}),
    }
)
"""The keys of which an answer has at least one, with an array that is not empty."""


class PassedAnswer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        content: the body, with the provider's name for the model.
        usage: the provider's token counts.
    """

    content: bytes
    usage: Usage | None


def read(body: bytes, request: PassedRequest) -> PassedAnswer:
    """Read and check a provider's whole answer to a request.

    Raises:
        InvalidAnswer: it is none.
        ProviderFailure: it holds an error.
    """
    if request.endpoint == "embeddings":
        wanted, encoding = number_of_inputs(request.fields), request.fields.get("encoding_format")
        checked = embeddings.checked(body, wanted, encoding)  # without decoding what may be millions of numbers
        if checked is not None:
            return PassedAnswer(checked.content, read_usage(_json_of(checked.usage)))
    fields = _json_of(body)
    check_answer(fields, request.endpoint)
    if request.endpoint == "embeddings":
        raise InvalidAnswer("The provider's answer has no vectors.")
    return PassedAnswer(body, read_usage(an_object(fields).get("usage")))


def check_answer(fields: JsonValue, endpoint: EndpointName) -> None:
    """Check that JSON is an answer of the endpoint. Raises the failure that it is otherwise."""
    keys = ANSWER_KEYS[endpoint]
    if failure_classes.holds_error(fields, keys):
        raise parse_in_stream(fields)
    if not isinstance(fields, dict):
        raise InvalidAnswer("The provider's answer is not a JSON object.")
    if not any(isinstance(fields.get(key), list) and fields[key] for key in keys):
        raise InvalidAnswer(f"The provider's answer has no {' or '.join(sorted(keys))}.")


def read_usage(usage: JsonValue) -> Usage | None:
    """The token counts; None where there are none. What has no completion may have a total only."""
    counts = an_object(usage)
    found = openai_usage.read_usage(counts, CHAT)
    if not found.prompt:
        found = replace(found, prompt=max(0, count(counts.get("total_tokens")) - found.completion))
    return found if found.prompt or found.completion else None


def _json_of(body: bytes) -> JsonValue:
    try:
        return loads(body)
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider's answer is not JSON: {fault}") from None
