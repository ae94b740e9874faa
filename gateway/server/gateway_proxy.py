"""The HTTP surface: routes, errors, and the headers every reply carries. The only importer of Flask.

Every request passes the guard before anything is looked at, every reply is JSON or SSE, and every failure, foreseen or
not, is an OpenAI error object with a request id.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as FlaskMethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

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
from gateway.core.strict_json import JsonObject, dumps
from gateway.dispatch.call import DRAINING_RETRY, Call
from gateway.dispatch.caller import Caller, Headers, NoCaller
from gateway.dispatch.explain import Explainer
from gateway.handler.reply import EVENT_STREAM, HEARTBEAT, JSON_TYPE, Reply, error_reply, retry_advice
from gateway.handler.request_handler import RequestHandler
from gateway.httpd.interfaces import Application
from gateway.routing.router import Router
from gateway.server.guard import Guard
from gateway.server.headers import ALWAYS, new_request_id
from gateway.server.paths import EXPLAIN
from gateway.server.wsgi_body import WholeBody
from gateway.wires.base import InboundWire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CHAT_PATHS: Final = frozenset({"/v1/chat/completions", "/chat/completions"})
DIGITS: Final = re.compile(r"[0-9]{1,15}")
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

logger = logging.getLogger(__name__)


class DrainState:
    """Whether the gateway drains. Turned once, by the thread that stops it."""

    def __init__(self) -> None:
        self.draining = False


class GatewayProxy:
    """The WSGI application; `wsgi` is what a server calls.

    Args:
        handler: answers chat requests.
        router: knows the model names.
        explainer: how a name would be routed now.
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
        explainer: Explainer,
        guard: Guard,
        wire: InboundWire,
        clock: Clock,
        switch: DrainState,
        timeout: float,
        max_body: int,
    ) -> None:
        self._handler = handler
        self._router = router
        self._explainer = explainer
        self._guard = guard
        self._wire = wire
        self._clock = clock
        self._switch = switch
        self._timeout = timeout
        self._max_body = max_body
        self._created = int(clock.wall())
        self._app = Flask("gateway", static_folder=None)
        self._app.config["MAX_CONTENT_LENGTH"] = max_body
        self._app.url_map.strict_slashes = False
        self._app.url_map.merge_slashes = False
        self._register()

    @property
    def application(self) -> Application:
        """What the server is to serve."""
        return Application(self.wsgi, lambda error, path: render_engine_error(error, self._wire), is_model_call)

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        environ["PATH_INFO"] = plain_path(environ["PATH_INFO"])
        if self._is_chat(environ):
            return self._chat_lane(environ, start_response)
        return self._app(environ, start_response)

    def _is_chat(self, environ: "WSGIEnvironment") -> bool:
        """Whether it is a chat request whose body has a known length, within the limit."""
        length = environ.get("CONTENT_LENGTH", "")
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ["PATH_INFO"] in CHAT_PATHS
            and DIGITS.fullmatch(length) is not None
            and int(length) <= self._max_body
        )

    def _chat_lane(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The chat route without Flask's request and response objects, which are a third of what a short answer costs
        here. The same functions as behind Flask's view, which serves what this does not know, and the same bytes."""
        request_id = _request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        try:
            self._guard.check(environ)
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            reply = self._chat_reply(environ, request_id, body)
        except GatewayError as error:
            reply = self._refusal(error, environ, request_id)
        except Exception as error:  # noqa: BLE001 - told and logged as Flask's handler does it
            reply = self._refusal(_crash(error, request_id), environ, request_id)
        headers = [*reply.headers, *self._always(environ, request_id)]
        status = f"{reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown').upper()}"
        if not isinstance(reply.body, bytes):
            start_response(status, headers)
            return reply.body
        whole = WholeBody(reply.body, reply.sent)
        whole.begin(start_response, status, headers)
        return whole

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
        self._app.add_url_rule(EXPLAIN, EXPLAIN, self._explain, methods=["GET"])
        self._app.before_request(self._admit)
        self._app.after_request(self._finish)
        self._app.register_error_handler(GatewayError, self._failed)
        self._app.register_error_handler(HTTPException, self._refused)
        self._app.register_error_handler(Exception, self._crashed)

    def _admit(self) -> Response | None:
        """Before every request, whatever its path."""
        g.request_id = _request_id(request.headers.get("x-request-id", ""))
        self._guard.check(request.environ)
        if request.method == "OPTIONS":
            empty = Response(status=204)
            del empty.headers["Content-Type"]
            return empty
        return None

    def _chat(self) -> Response:
        return _response(self._chat_reply(request.environ, g.request_id, request.get_data(cache=False)))

    def _chat_reply(self, environ: "WSGIEnvironment", request_id: str, body: bytes) -> Reply:
        if self._switch.draining:
            raise Draining("The gateway is shutting down.", retry_after=DRAINING_RETRY)
        if environ.get("gateway.overloaded"):
            raise Overloaded(
                "Every thread is busy, and too many calls wait for one or this one has for too long.", retry_after=1.0
            )
        caller = _caller(environ)
        head = (*EVENT_STREAM, *self._always(environ, request_id))
        caller.allow_heartbeats(lambda: head, HEARTBEAT, self._clock.monotonic)
        call = Call(request_id, self._clock, timeout=self._timeout, caller=caller)
        return self._handler.handle(call, body)

    def _models(self) -> Response:
        return _json({"object": "list", "data": [self._describe(name) for name in self._router.aliases]})

    def _model(self, name: str) -> Response:
        if name not in self._router.aliases:
            self._router.candidates(name)  # `provider/model` is a name too; whatever else raises ModelNotFound
        return _json(self._describe(name))

    def _describe(self, name: str) -> JsonObject:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "llm-gateway"}

    def _explain(self) -> Response:
        """What `python app.py explain` asks of a gateway that runs."""
        model = request.args.get("model")
        if not model:
            raise InvalidRequest(f"Which model? Ask {EXPLAIN}?model=NAME.", param="model")
        return Response(msgspec.json.encode(self._explainer.explain(model)), content_type=JSON_TYPE)

    def _health(self) -> Response:
        if self._switch.draining:
            return _json({"status": "draining"}, 503)
        return _json({"status": "ok"})

    def _finish(self, response: Response) -> Response:
        """After every request, refused or not."""
        for name, value in self._always(request.environ, g.request_id):
            response.headers[name] = value
        return response

    def _always(self, environ: "WSGIEnvironment", request_id: str) -> Headers:
        """What every reply to this request carries."""
        return (("x-request-id", request_id), *ALWAYS, *self._guard.cors_headers(environ))

    def _failed(self, error: GatewayError) -> Response:
        return _response(self._refusal(error, request.environ, g.request_id))

    def _refusal(self, error: GatewayError, environ: "WSGIEnvironment", request_id: str) -> Reply:
        """The reply to a request that got no answer, with its line in the log."""
        path = _shown(_path(environ))
        told = {"request_id": request_id, "method": str(environ["REQUEST_METHOD"]), "path": path}
        words = (*told.values(), error.status, error.code)
        logger.warning("%s %s %s refused: %s [%s]", *words, extra={"fields": {**told, "status": error.status}})
        reply = error_reply(error, self._wire)
        if _caller(environ).commit():
            return Reply(200, EVENT_STREAM, sse.encode(cast(bytes, reply.body)))
        if error.status == 401:
            return replace(reply, headers=(*reply.headers, ("WWW-Authenticate", 'Bearer realm="llm-gateway"')))
        return reply

    def _refused(self, error: HTTPException) -> Response:
        response = self._failed(_translated(error))
        if isinstance(error, FlaskMethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    def _crashed(self, error: Exception) -> Response:
        return self._failed(_crash(error, g.request_id))


def _crash(error: Exception, request_id: str) -> InternalFault:
    """A fault of ours: the log has it, the caller does not."""
    logger.error("request %s failed on a fault of the gateway", request_id, exc_info=error)
    return InternalFault("The gateway failed on a fault of its own; its log has the details.")


def _request_id(told: str) -> str:
    """The caller's own, where it is one."""
    return told if REQUEST_ID.fullmatch(told) else new_request_id()


def _path(environ: "WSGIEnvironment") -> str:
    """WSGI hands bytes over as Latin-1 (PEP 3333)."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")


def _translated(error: HTTPException) -> GatewayError:
    """Flask's and Werkzeug's errors in our words."""
    where = _shown(_path(request.environ))
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


def is_model_call(method: str, path: str) -> bool:
    """Whether a request may take as long as a provider does: the server has other threads for those."""
    return method == "POST" and plain_path(path).rstrip("/") in CHAT_PATHS


def plain_path(path: str) -> str:
    """`/v1/x` for `/v1/v1/x` and `/v1//x`: a client's base address may have one /v1 or one slash too many."""
    if path.startswith(("/v1//", "/v1/v1/")):
        return "/v1/" + path.removeprefix("/v1/").removeprefix("v1/").lstrip("/")
    return path


def _caller(environ: "WSGIEnvironment") -> Caller:
    """The caller as our server knows it; under another one there are no heartbeats."""
    found: Caller | None = environ.get("gateway.caller")
    return NoCaller(environ.get("waitress.client_disconnected", _never)) if found is None else found


def render_engine_error(error: GatewayError, wire: InboundWire) -> tuple[Headers, bytes]:
    """An error of the server's own as headers and body, which no request id of the caller's belongs to."""
    return (
        ("Content-Type", JSON_TYPE),
        ("X-Request-Id", new_request_id()),
        *retry_advice(error),
        *ALWAYS,
    ), wire.render_error(error)


def _response(reply: Reply) -> Response:
    # direct_passthrough: the server iterates and closes the body itself, with nothing in between
    headers, body = list(reply.headers), reply.body
    if isinstance(body, bytes) and reply.sent is not None:
        headers.append(("Content-Length", str(len(body))))
        return Response(WholeBody(body, reply.sent), reply.status, headers, direct_passthrough=True)
    return Response(body, reply.status, headers, direct_passthrough=True)


def _json(value: JsonObject, status: int = 200) -> Response:
    return Response(dumps(value), status=status, content_type=JSON_TYPE)


def _never() -> bool:
    return False
