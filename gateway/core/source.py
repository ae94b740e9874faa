"""What a value of the gateway was read from: the wire format, the JSON, and what came with it.

Where both ends speak one wire, the source passes unchanged. This module knows no wire format, and no vendor.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.core.strict_json import JsonObject

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class RequestContext(Struct, frozen=True):
    """What a wire is given of a caller's request beside its body.

    Attributes:
        headers: those that the wire names in `request_headers`, in lower case.
        query: the query string, without the question mark.
        client: the id of the caller's key; "" where keys are not told apart.
        session: what the caller's header x-session-id says; "" where it has none.
    """

    headers: Mapping[str, str] = NOTHING
    query: str = ""
    client: str = ""
    session: str = ""


class Stored(Struct, frozen=True):
    """The earlier answer on which a request builds, and whose conversation was put before its own.

    Attributes:
        id: of that answer.
        provider: the name of the provider that made it and knows it by this id; "" where none does.
        items: the number of entries of the conversation that came from it.
    """

    id: str
    provider: str
    items: int


class Source(Struct, frozen=True):
    """What a value was read from.

    Attributes:
        wire: the name of a wire format.
        body: the JSON in that format.
        headers: of a request, those of the caller's that belong to the wire, in lower case.
        query: of a request, the query string.
        stored: of a request that names an earlier answer, that answer; None for all others.
    """

    wire: str
    body: JsonObject
    headers: Mapping[str, str] = NOTHING
    query: str = ""
    stored: Stored | None = None
