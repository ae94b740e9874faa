"""The list of models, in the shape of the client that asks.

One path serves the clients of several vendors, who expect objects of different shapes there. A client shows itself by a
header that no other vendor's client sends.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.strict_json import JsonObject
from gateway.server.codex_models import QUERY, codex_models
from gateway.wires.anthropic_messages.inbound import models as anthropic

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


OWNER: Final = "llm-gateway"
"""By which the gateway's own list can be told from another server's."""


class Shape(NamedTuple):
    """How a vendor's clients expect models.

    Attributes:
        page: the list, from the names, the gateway's start in seconds since the epoch, and the query.
        describe: one model, from its name and the gateway's start.
    """

    page: Callable[[Sequence[str], int, Mapping[str, str]], JsonObject]
    describe: Callable[[str, int], JsonObject]


def _openai_page(names: Sequence[str], created: int, query: Mapping[str, str]) -> JsonObject:
    codex: JsonObject = {"models": codex_models(names)} if QUERY in query else {}
    return {"object": "list", "data": [_openai_model(name, created) for name in names], **codex}


def _openai_model(name: str, created: int) -> JsonObject:
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}


_USUAL: Final = Shape(_openai_page, _openai_model)
_BY_HEADER: Final = {f"HTTP_{anthropic.VERSION.upper().replace('-', '_')}": Shape(anthropic.page, anthropic.describe)}
"""The shapes of clients that a header shows, by its name in WSGI."""


def shape_for(environ: "WSGIEnvironment") -> Shape:
    """The shape for the client that sent a request."""
    return next((shape for name, shape in _BY_HEADER.items() if name in environ), _USUAL)
