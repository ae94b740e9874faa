"""The routes as a table: a row says what a path takes, in which wire it answers, and who answers it.

A new endpoint is a new row. What the rows have in common (access, deadlines, heartbeats, errors in the wire of the
path) is done for all of them in gateway_proxy. This module knows no Flask, so that the table can be read without it.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from gateway.clients.client import ANYONE, Client
from gateway.core.passed import PASSED
from gateway.core.source import NOTHING, RequestContext
from gateway.core.strict_json import JsonObject, dumps
from gateway.core.token_estimate import estimate_tokens
from gateway.dispatch.call import Call
from gateway.handler.passthrough_handler import PassthroughHandler
from gateway.handler.reply import JSON_TYPE, Reply
from gateway.handler.reply_headers import ESTIMATED_TOKENS
from gateway.handler.request_handler import RequestHandler
from gateway.routing.router import Router
from gateway.server.guard import Guard
from gateway.server.model_list import shape_for
from gateway.server.paths import HEALTH
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import CallerWire, CountingWire, InboundWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON_BODY: Final = ("application/json",)
NO_CONTEXT: Final = RequestContext()
NOT_RECORDED: Final = frozenset({"count_tokens", "input_tokens"})
"""The rows of model calls that ask no model: no record is kept of them."""

logger = logging.getLogger(__name__)


class Served(Protocol):
    """What the routes ask of the configuration that is served (gateway.assembly.Assembly)."""

    timeout: float
    max_body: int
    unserved: Collection[str]
    sticky: bool

    def handler(self, wire: InboundWire) -> RequestHandler:
        """Answers the chats of callers of a wire."""

    def passthrough(self, wire: InboundWire) -> PassthroughHandler:
        """Answers requests beside chat."""

    @property
    def router(self) -> Router:
        """Knows the model names."""

    @property
    def guard(self) -> Guard:
        """Decides who may ask."""

    def close(self) -> None:
        """Close every connection of it."""


class Asked(msgspec.Struct, frozen=True):
    """One request, as a row gets it.

    Attributes:
        environ: WSGI's.
        served: the configuration that it is answered by, from its first to its last byte.
        draining: whether the gateway stops.
        started: wall seconds when the gateway was started.
        client: who asks.
        arguments: the parts of the path that the row names.
        query: the first value of each query argument.
        call: of a model call: what the handlers know of it.
        body: of a model call: the request's.
        degraded: whether fewer workers serve than are to, because they keep dying.
    """

    environ: "WSGIEnvironment"
    served: Served
    draining: bool
    started: int
    client: Client = ANYONE
    arguments: Mapping[str, str] = NOTHING
    query: Mapping[str, str] = NOTHING
    call: Call | None = None
    body: bytes = b""
    degraded: bool = False

    @property
    def model_call(self) -> Call:
        """The call of a row that is a model call."""
        if self.call is None:
            raise TypeError("this row is no model call")
        return self.call


W = TypeVar("W", bound=CallerWire)
Mask: TypeAlias = Callable[[str], str]
"""Removes secrets from a text."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[W]):
    """One row.

    Attributes:
        name: of the route, as records of its calls have it.
        path: under /v1 it is served without that prefix too. `<path:name>` stands for the rest, for rows that are no
            model call.
        methods: that it takes; HEAD comes with GET.
        wire: makes the wire that it answers in, errors included.
        answer: answers a request in that wire. Raises GatewayError.
        model_call: whether it may take as long as a provider does: it runs on threads of its own, with a deadline,
            heartbeats, and the right to answer with a stream.
        content_types: of request bodies that it takes.
        admin: whether it concerns everybody, so that no other client may ask.
    """

    name: str
    path: str
    methods: Sequence[str]
    wire: Callable[[Mask], W]
    answer: Callable[[Asked, W], Reply]
    model_call: bool = False
    content_types: Sequence[str] = JSON_BODY
    admin: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it is served."""
        short = self.path.removeprefix("/v1")
        return (self.path,) if short == self.path else (self.path, short)

    def route(self, mask: Mask) -> "Route":
        """The row with its wire."""
        wire = self.wire(mask)
        return Route(self, wire, lambda asked: self.answer(asked, wire))


class Row(Protocol):
    """An endpoint, whatever its wire (see Endpoint)."""

    @property
    def name(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]: ...
    @property
    def methods(self) -> Sequence[str]: ...
    @property
    def model_call(self) -> bool: ...
    @property
    def content_types(self) -> Sequence[str]: ...
    @property
    def admin(self) -> bool: ...
    def route(self, mask: Mask) -> "Route": ...


@dataclass(frozen=True, slots=True)
class Route:
    """A row, its wire, and what answers in it."""

    endpoint: Row
    wire: CallerWire
    answer: Callable[[Asked], Reply]


def chat(asked: Asked, wire: InboundWire) -> Reply:
    """A chat in any wire."""
    client = asked.served.guard.owner(asked.environ) if asked.served.sticky else ""
    return asked.served.handler(wire).handle(asked.model_call, asked.body, context_of(asked, wire, client))


def count_tokens(asked: Asked, wire: CountingWire) -> Reply:
    """The number of tokens of a chat in any wire, estimated. No record is kept of it."""
    try:
        request = wire.parse_count(asked.body, context_of(asked, wire, asked.served.guard.owner(asked.environ)))
        asked.served.router.candidates(request.model, asked.client.may_use)
        counted = wire.render_count(estimate_tokens(request.prompt()))
    finally:
        asked.model_call.finish()
    logger.debug("request %s: tokens are estimated", asked.model_call.request_id)
    return Reply(200, (("Content-Type", JSON_TYPE), ESTIMATED_TOKENS), counted)


def passed(asked: Asked, wire: InboundWire) -> Reply:
    """A request beside chat, which passes as it came."""
    return asked.served.passthrough(wire).handle(asked.model_call, asked.body, NO_CONTEXT)


def models(asked: Asked, _: CallerWire) -> Reply:
    """GET /v1/models: the aliases, in the shape of the client that asks."""
    names = [name for name in asked.served.router.aliases if asked.client.may_use(name)]
    return _json(shape_for(asked.environ).page(names, asked.started, asked.query))


def model(asked: Asked, _: CallerWire) -> Reply:
    """GET /v1/models/NAME."""
    name, router = asked.arguments["name"], asked.served.router
    if name not in router.aliases or not asked.client.may_use(name):
        router.candidates(
            name, asked.client.may_use
        )  # `provider/model` is a name too; whatever else raises ModelNotFound
    return _json(shape_for(asked.environ).describe(name, asked.started))


def health(asked: Asked, _: CallerWire) -> Reply:
    """GET /health."""
    if asked.draining:
        return _json({"status": "draining"}, 503)
    return _json({"status": "degraded" if asked.degraded else "ok"})


ENDPOINTS: Final[Sequence[Row]] = (
    Endpoint("chat", "/v1/chat/completions", ("POST",), OpenAIChatCallers, chat, model_call=True),
    Endpoint("messages", "/v1/messages", ("POST",), AnthropicMessagesCallers, chat, model_call=True),
    Endpoint(
        "count_tokens",
        "/v1/messages/count_tokens",
        ("POST",),
        AnthropicMessagesCallers,
        count_tokens,
        model_call=True,
    ),
    *(Endpoint(name, f"/v1/{name}", ("POST",), OpenAIChatCallers, passed, model_call=True) for name in PASSED),
    Endpoint("rerank", "/v2/rerank", ("POST",), OpenAIChatCallers, passed, model_call=True),  # Cohere's clients
    Endpoint("models", "/v1/models", ("GET",), OpenAIChatCallers, models),
    Endpoint("model", "/v1/models/<path:name>", ("GET",), OpenAIChatCallers, model),
    Endpoint("health", HEALTH, ("GET",), OpenAIChatCallers, health),
)
"""All of them. A path that no row has answers in the wire of the row above it, or else in the first one's."""


def context_of(asked: Asked, wire: InboundWire, client: str = "") -> RequestContext:
    """What a wire is given of a request beside its body.

    Args:
        asked: the request.
        wire: names the headers that it reads.
        client: whose earlier answers the request may build on, and whose sessions stay at an account.
    """
    environ, names = asked.environ, wire.request_headers
    query, session = environ.get("QUERY_STRING", ""), environ.get("HTTP_X_SESSION_ID", "")
    if not (names or query or client or session):
        return NO_CONTEXT
    fields = ((name, environ.get("HTTP_" + name.upper().replace("-", "_"))) for name in names)
    return RequestContext({name: value for name, value in fields if value is not None}, query, client, session)


def _json(value: JsonObject, status: int = 200) -> Reply:
    return _reply(dumps(value), status)


def _reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, (("Content-Type", JSON_TYPE),), body)
