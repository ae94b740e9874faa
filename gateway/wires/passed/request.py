"""Reads a request as far as the gateway has to know it: its model, whether it streams, and no field that misleads.

Every other field is the provider's to check.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.json_members import with_first_member, with_member
from gateway.core.passed import EndpointName, PassedRequest
from gateway.core.strict_json import JsonObject
from gateway.wires.addresses import check_fields
from gateway.wires.field_reader import FieldReader, wrong_type
from gateway.wires.request_fields import checked_model, read_object

DEFAULT_MODELS: Final[Mapping[EndpointName, str]] = MappingProxyType({"moderations": "omni-moderation-latest"})
"""The models of requests that name none. OpenAI's clients leave it out, and its API then takes this one:
https://platform.openai.com/docs/api-reference/moderations/create (2026-11)."""
_STREAMED: Final = frozenset({"completions"})


def parse(endpoint: EndpointName, body: bytes) -> PassedRequest:
    """Read and check a request body.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    fields = read_object(body)
    reader = FieldReader(fields)
    named = fields.get("model")
    model = checked_model(DEFAULT_MODELS.get(endpoint) if named is None else named)
    check_fields(fields)
    if endpoint == "embeddings":
        _check_input(fields)
    stream = endpoint in _STREAMED and reader.flag("stream") is True
    return PassedRequest(endpoint, model, body, fields, stream)


def render(request: PassedRequest, model: str) -> bytes:
    """The body for a provider, which calls the model by this name."""
    if "model" in request.fields:
        return with_member(request.body, "model", model)
    return with_first_member(request.body, "model", model)


def number_of_inputs(fields: JsonObject) -> int:
    """How many vectors an embeddings request asks for: a list of tokens is one input, as a text is."""
    given = fields.get("input")
    return len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1


def _check_input(fields: JsonObject) -> None:
    """Check what the number of vectors depends on."""
    given = fields.get("input")
    if not isinstance(given, str | list) or not given:
        raise wrong_type("input", "a string or an array that is not empty", given)
