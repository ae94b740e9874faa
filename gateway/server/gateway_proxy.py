"""The HTTP surface: access, routes, errors in the wire of the path, and the headers every reply carries.

Every request passes the guard before anything is looked at, every reply is JSON or an event stream, and every failure,
foreseen or not, is an error object of the path's wire with a request id. What a path does is in routes.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from flask import Response, abort, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as FlaskMethodNotAllowed

from gateway.core.clock import Clock
from gateway.core.errors import Draining, GatewayError, Overloaded
from gateway.dispatch.call import DRAINING_RETRY, Call
from gateway.dispatch.caller import Caller, Headers, NoCaller
from gateway.handler.call_record import refusal_of
from gateway.handler.reply import EVENT_STREAM, Reply, error_reply
from gateway.httpd.interfaces import CALLER, LEFT, OVERLOADED, Application
from gateway.observe.observers import NO_OBSERVERS, Observers
from gateway.server.errors import crash, path_of, render_engine_error, shown, translated
from gateway.server.flask_app import flask_app
from gateway.server.guard import Guard
from gateway.server.headers import ALWAYS, request_id_of, status_text
from gateway.server.paths import plain_path
from gateway.server.route_table import Routes
from gateway.server.routes import ENDPOINTS, JSON_BODY, NOT_RECORDED, Asked, Route, Row, Served
from gateway.server.wsgi_body import WholeBody, read_body
from gateway.wires.base import CallerWire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)


class Pointer(Protocol):
    """The configuration that is served (gateway.runtime.Current)."""

    def enter(self) -> Served:
        """What is served now; it stays open until `leave`."""

    def leave(self, served: Served) -> None:
        """A request that has entered is over."""


class DrainStateLike(Protocol):
    """Whether the gateway drains."""

    @property
    def draining(self) -> bool:
        """Whether it does."""

    @property
    def degraded(self) -> bool:
        """Whether fewer workers serve than are to, because they keep dying."""


class GatewayProxy:
    """The WSGI application; `application` is what a server serves.

    Args:
        current: what is served.
        drain_state: whether the gateway drains.
        clock: for deadlines and `created`.
        mask: takes secrets out of errors.
        endpoints: the routes.
        observers: get a record of every model call that is refused here.
        started: wall seconds when the gateway was started; None for now.
    """

    def __init__(  # noqa: PLR0913 - what a proxy is given, handed in once
        self,
        current: Pointer,
        drain_state: DrainStateLike,
        clock: Clock,
        mask: Callable[[str], str],
        endpoints: Sequence[Row] = ENDPOINTS,
        *,
        observers: Observers = NO_OBSERVERS,
        started: float | None = None,
    ) -> None:
        self._current = current
        self._drain_state = drain_state
        self._clock = clock
        self._observers = observers
        self._routes = Routes(endpoints, mask)
        self._created = int(clock.wall() if started is None else started)
        self._app = flask_app()
        self._register()

    @property
    def application(self) -> Application:
        """What the server is to serve."""
        return Application(self.wsgi, self._render_engine_error, self._is_model_call)

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path = environ["PATH_INFO"] = plain_path(environ["PATH_INFO"])
        route = self._routes.model_call(environ["REQUEST_METHOD"], path)
        if route is not None:
            return self._model_call(route, environ, start_response)
        return self._app(environ, start_response)

    # Model calls ----------------------------------------------------------------------------------------------------

    def _is_model_call(self, method: str, path: str) -> bool:
        return self._routes.model_call(method, plain_path(path)) is not None

    def _model_call(self, route: Route, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a model call without Flask's request and response objects, which are a third of what a short answer
        costs here."""
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        served = self._current.enter()
        always = self._always(served.guard, route.wire, environ, request_id)
        try:
            reply = self._admitted(route, served, environ, request_id, always)
        except Exception as error:  # noqa: BLE001 - logged there
            refusal = error if isinstance(error, GatewayError) else crash(error, request_id)
            reply = self._refused_call(refusal, route, served.guard, environ, request_id)
        headers = [*reply.headers, *always]
        status = status_text(reply.status)
        if not isinstance(reply.body, bytes):
            start_response(status, headers)
            return reply.body
        whole = WholeBody(reply.body, reply.sent)
        whole.begin(start_response, status, headers)
        return whole

    def _admitted(
        self, route: Route, served: Served, environ: "WSGIEnvironment", request_id: str, always: Headers
    ) -> Reply:
        """The reply to a call that may be made. From the handler's answer on, the end of the call gives `served` back;
        until then an exception does."""
        call: Call | None = None
        try:
            client = served.guard.check(environ, route.endpoint.content_types)
            body = read_body(environ, served.max_body)
            if self._drain_state.draining:
                raise Draining("The gateway is shutting down.", retry_after=DRAINING_RETRY)
            if environ.get(OVERLOADED):
                raise Overloaded(
                    "Every thread is busy, and too many calls wait for one or this one has for too long.",
                    retry_after=1.0,
                )
            caller = _caller(environ)
            call = Call(
                request_id,
                self._clock,
                timeout=served.timeout,
                caller=caller,
                endpoint=route.endpoint.name,
                client=client,
                release=partial(self._current.leave, served),
            )
            caller.allow_heartbeats(lambda: (*EVENT_STREAM, *always), call.make_heartbeat, self._clock.monotonic)
            asked = Asked(environ, served, self._drain_state.draining, self._created, client, call=call, body=body)
            return route.answer(asked)
        except BaseException:
            if call is None:
                self._current.leave(served)
            else:
                call.finish()
            raise

    def _refused_call(
        self, error: GatewayError, route: Route, guard: Guard, environ: "WSGIEnvironment", request_id: str
    ) -> Reply:
        """The reply to a call that no handler has answered, and its record."""
        reply = self._refusal(error, environ, request_id)
        name, at = route.endpoint.name, self._clock.wall()
        if name not in NOT_RECORDED and environ["REQUEST_METHOD"] == "POST":
            self._observers.refused(refusal_of(request_id, name, at, reply.status, error, client=guard.name(environ)))
        return reply

    # Everything else ------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        for route in self._routes.all:
            for path in route.endpoint.paths:
                self._app.add_url_rule(path, path, self._view(route), methods=list(route.endpoint.methods))
        self._app.before_request(self._admit)
        self._app.after_request(self._finish)
        self._app.teardown_request(self._leave)
        self._app.register_error_handler(GatewayError, self._failed)
        self._app.register_error_handler(HTTPException, self._refused)
        self._app.register_error_handler(Exception, self._crashed)

    def _view(self, route: Route) -> Callable[..., Response]:
        def view(**arguments: str) -> Response:
            asked = Asked(
                request.environ,
                g.served,
                self._drain_state.draining,
                self._created,
                g.client,
                arguments=arguments,
                query=request.args.to_dict(),
                degraded=self._drain_state.degraded,
            )
            return _response(route.answer(asked))

        return view

    def _admit(self) -> Response | None:
        """Before every request, whatever its path."""
        g.request_id = request_id_of(request.headers.get("x-request-id", ""))
        g.served = self._current.enter()
        route = self._routes.find(request.environ["PATH_INFO"])
        kinds = JSON_BODY if route is None else route.endpoint.content_types
        g.client = g.served.guard.check(request.environ, kinds)
        if route is not None and route.endpoint.name in g.served.unserved:
            abort(404)
        if request.method == "OPTIONS":
            empty = Response(status=204)
            del empty.headers["Content-Type"]
            return empty
        if route is not None and route.endpoint.admin:
            g.served.guard.check_admin(g.client)
        return None

    def _leave(self, error: BaseException | None) -> None:
        """After every request, however it ended."""
        served: Served | None = g.pop("served", None)
        if served is not None:
            self._current.leave(served)

    def _finish(self, response: Response) -> Response:
        """After every request, refused or not."""
        wire = self._routes.wire(request.environ["PATH_INFO"])
        for name, value in self._always(g.served.guard, wire, request.environ, g.request_id):
            response.headers[name] = value
        return response

    def _always(self, guard: Guard, wire: CallerWire, environ: "WSGIEnvironment", request_id: str) -> Headers:
        """What every reply to this request carries."""
        return (
            ("x-request-id", request_id),
            *wire.reply_headers(request_id),
            *ALWAYS,
            *guard.cors_headers(environ),
        )

    # Errors ---------------------------------------------------------------------------------------------------------

    def _failed(self, error: GatewayError) -> Response:
        return _response(self._refusal(error, request.environ, g.request_id))

    def _refusal(self, error: GatewayError, environ: "WSGIEnvironment", request_id: str) -> Reply:
        """The reply to a request that got no answer, with its line in the log."""
        path = shown(path_of(environ))
        fields = {"request_id": request_id, "method": str(environ["REQUEST_METHOD"]), "path": path}
        words = (*fields.values(), error.status, error.code)
        logger.warning("%s %s %s refused: %s [%s]", *words, extra={"fields": {**fields, "status": error.status}})
        wire = self._routes.wire(environ["PATH_INFO"])
        if _caller(environ).commit():
            return Reply(200, EVENT_STREAM, wire.error_event(error))
        reply = error_reply(error, wire)
        if error.status == 401:
            return replace(reply, headers=(*reply.headers, ("WWW-Authenticate", 'Bearer realm="llm-gateway"')))
        return reply

    def _refused(self, error: HTTPException) -> Response:
        response = self._failed(translated(error, request.method, path_of(request.environ)))
        if isinstance(error, FlaskMethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    def _crashed(self, error: Exception) -> Response:
        return self._failed(crash(error, g.request_id))

    def _render_engine_error(self, error: GatewayError, path: str) -> tuple[int, Headers, bytes]:
        """An error of the server's own, in the wire of the path, as status, headers and body."""
        return render_engine_error(error, self._routes.wire(plain_path(path)))


def _caller(environ: "WSGIEnvironment") -> Caller:
    """The caller as our server knows it; under another one there are no heartbeats."""
    found: Caller | None = environ.get(CALLER)
    return NoCaller(environ.get(LEFT, _never)) if found is None else found


def _response(reply: Reply) -> Response:
    # direct_passthrough: the server iterates and closes the body itself, with nothing in between
    headers, body = list(reply.headers), reply.body
    if isinstance(body, bytes) and reply.sent is not None:
        headers.append(("Content-Length", str(len(body))))
        return Response(WholeBody(body, reply.sent), reply.status, headers, direct_passthrough=True)
    return Response(body, reply.status, headers, direct_passthrough=True)


def _never() -> bool:
    return False
