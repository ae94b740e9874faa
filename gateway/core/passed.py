"""A request of an endpoint beside chat: it passes as it came, but for the name of its model.

This module knows no wire format, no vendor, and nothing of what the endpoints do.
"""

from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from gateway.core.strict_json import JsonObject

EndpointName: TypeAlias = Literal["embeddings", "completions", "rerank", "moderations"]
"""The endpoints whose requests pass."""
PASSED: Final[tuple[EndpointName, ...]] = get_args(EndpointName)


class PassedRequest(Struct, frozen=True):
    """One request.

    Attributes:
        endpoint: what is asked for.
        model: the name by which it is routed.
        body: as it came.
        fields: the body, decoded; nobody changes it.
        stream: whether the answer is a stream of events.
    """

    endpoint: EndpointName
    model: str
    body: bytes
    fields: JsonObject
    stream: bool = False
