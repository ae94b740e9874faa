"""The HTTP surface: routes, errors, and the headers every reply carries. The only importer of Flask.

Every request passes the guard before anything is looked at, every reply is JSON or SSE, and every failure, foreseen or
not, is an OpenAI error object with a request id.
"""

import logging
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, cast

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as FlaskMethodNotAllowed

from gateway.core import sse
from gateway.core.clock import Clock
from gateway.core.errors import (
    BodyTooLarge,
    Draining,
    GatewayError,
    InternalFault,
    InvalidRequest,
    MethodNotAllowed,
    Overloaded,
    RouteNotFound,
)
from gateway.core.jsontext import JsonObject, dumps
from gateway.handler.call import Call
from gateway.handler.caller_line import EVENT_STREAM
from gateway.handler.reply import JSON_TYPE, Headers, Reply, error_reply
from gateway.handler.request_handler import RequestHandler
from gateway.routing.router import Router
from gateway.server.caller_line import LINE, Line
from gateway.server.guard import Guard
from gateway.server.headers import ALWAYS, new_request_id
from gateway.wires.base import InboundWire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

logger = logging.getLogger(__name__)


class Switch:
    """Whether the gateway drains. Turned once, by the thread that stops it."""

    def __init__(self) -> None:
        self.draining = False


class GatewayProxy:
    """The WSGI application; `wsgi` is what a server calls.

    Args:
        handler: answers chat requests.
        router: knows the model names.
        guard: decides who may ask.
        wire: for errors.
        clock: for deadlines and `created`.
        switch: whether we drain.
        timeout: seconds a request may take.
        max_body: bytes a body may have.
    """

    def __init__(  # noqa: PLR0913 - the server's parts, handed in once
        self,
        *,
        handler: RequestHandler,
        router: Router,
        guard: Guard,
        wire: InboundWire,
        clock: Clock,
        switch: Switch,
        timeout: float,
        max_body: int,
    ) -> None:
        self._handler = handler
        self._router = router
        self._guard = guard
        self._wire = wire
        self._clock = clock
        self._switch = switch
        self._timeout = timeout
        self._created = int(clock.wall())
        self._app = Flask("gateway", static_folder=None)
        self._app.config["MAX_CONTENT_LENGTH"] = max_body
        self._app.url_map.strict_slashes = False
        self._app.url_map.merge_slashes = False
        self._register()

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, on a line that another thread may give signs of life on."""
        return Line(environ, start_response, self._clock).answer(self._app, environ)

    def _register(self) -> None:
        routes: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("POST", "/chat/completions", self._chat),
            ("GET", "/models", self._models),
            ("GET", "/models/<path:name>", self._model),
        )
        for method, path, view in routes:
            for prefix in ("/v1", ""):
                self._app.add_url_rule(prefix + path, prefix + path, view, methods=[method])
        self._app.add_url_rule("/health", "/health", self._health, methods=["GET"])
        self._app.before_request(self._admit)
        self._app.after_request(self._finish)
        self._app.register_error_handler(GatewayError, self._failed)
        self._app.register_error_handler(HTTPException, self._refused)
        self._app.register_error_handler(Exception, self._crashed)

    def _admit(self) -> Response | None:
        """Before every request, whatever its path."""
        told = request.headers.get("x-request-id", "")
        g.request_id = told if REQUEST_ID.fullmatch(told) else new_request_id()
        self._guard.check(request.environ)
        if request.method == "OPTIONS":
            empty = Response(status=204)
            del empty.headers["Content-Type"]
            return empty
        return None

    def _chat(self) -> Response:
        if self._switch.draining:
            raise Draining("The gateway is shutting down.", retry_after=5.0)
        if request.environ.get("gateway.overloaded"):
            raise Overloaded(
                "Every thread is busy, and too many calls wait for one or this one has for too long.", retry_after=1.0
            )
        gone = request.environ.get("waitress.client_disconnected", _never)
        line = _line()
        line.allow((*EVENT_STREAM, *self._always()))
        call = Call(g.request_id, self._clock, timeout=self._timeout, left=gone, line=line)
        return _response(self._handler.handle(call, request.get_data(cache=False)))

    def _models(self) -> Response:
        return _json({"object": "list", "data": [self._describe(name) for name in self._router.aliases]})

    def _model(self, name: str) -> Response:
        if name not in self._router.aliases:
            self._router.candidates(name)  # `provider/model` is a name too; whatever else raises ModelNotFound
        return _json(self._describe(name))

    def _describe(self, name: str) -> JsonObject:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "llm-gateway"}

    def _health(self) -> Response:
        if self._switch.draining:
            return _json({"status": "draining"}, 503)
        return _json({"status": "ok"})

    def _finish(self, response: Response) -> Response:
        """After every request, refused or not."""
        for name, value in self._always():
            response.headers[name] = value
        return response

    def _always(self) -> Headers:
        """What every reply to this request carries."""
        request_id = g.get("request_id") or new_request_id()
        return (("x-request-id", request_id), *ALWAYS, *self._guard.cors_headers(request.environ))

    def _failed(self, error: GatewayError) -> Response:
        told = {"request_id": g.get("request_id", "-"), "method": request.method, "path": _shown(request.path)}
        words = (*told.values(), error.status, error.code)
        logger.warning("%s %s %s refused: %s [%s]", *words, extra={"fields": {**told, "status": error.status}})
        reply = error_reply(error, self._wire)
        if _line().settle():
            return _response(Reply(200, EVENT_STREAM, sse.encode(cast(bytes, reply.body))))
        response = _response(reply)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="llm-gateway"'
        return response

    def _refused(self, error: HTTPException) -> Response:
        response = self._failed(_translated(error))
        if isinstance(error, FlaskMethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    def _crashed(self, error: Exception) -> Response:
        logger.error("request %s failed on a fault of the gateway", g.get("request_id"), exc_info=error)
        return self._failed(InternalFault("The gateway failed on a fault of its own; its log has the details."))


def _translated(error: HTTPException) -> GatewayError:
    """Flask's and Werkzeug's errors in our words."""
    where = _shown(request.path)
    if error.code == 404:
        return RouteNotFound(f"No such path: {request.method} {where}. The API is under /v1.")
    if isinstance(error, FlaskMethodNotAllowed):
        return MethodNotAllowed(f"{where} does not take {request.method}.")
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLarge("The request body is larger than gateway.maxBodyMiB allows.")
    if error.code is not None and 400 <= error.code < 500:
        return InvalidRequest(error.description or error.name, status=error.code)
    return InternalFault("The gateway failed on a fault of its own.")


def _shown(path: str) -> str:
    """A path from outside, fit for a message and a log line."""
    return ascii(path[:200])[1:-1]


def _line() -> Line:
    return cast(Line, request.environ[LINE])


def _response(reply: Reply) -> Response:
    # direct_passthrough: the server iterates and closes the body itself, with nothing in between
    return Response(reply.body, status=reply.status, headers=list(reply.headers), direct_passthrough=True)


def _json(value: JsonObject, status: int = 200) -> Response:
    return Response(dumps(value), status=status, content_type=JSON_TYPE)


def _never() -> bool:
    return False
