"""Errors that come from no handler: those of the server, of the web framework, and faults of our own."""

import logging
from typing import TYPE_CHECKING, Final

from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as FlaskMethodNotAllowed

from gateway.core.errors import GatewayError, InternalFault, InvalidRequest, MethodNotAllowed, RouteNotFound
from gateway.core.texts import printable
from gateway.dispatch.caller import Headers
from gateway.handler.reply import JSON_TYPE, retry_advice
from gateway.server.headers import ALWAYS, new_request_id
from gateway.wires.base import CallerWire

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STATEFUL: Final = frozenset(
    (
        "assistants",
        "batches",
        "chatkit",
        "containers",
        "conversations",
        "evals",
        "files",
        "fine_tuning",
        "realtime",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
    )
)
"""Parts of OpenAI's API that hold something: https://platform.openai.com/docs/api-reference (2026-11)."""
KEPT_THERE: Final = (
    "The gateway does not have it: what it makes is kept at one provider, and the next request may go to another."
)
logger = logging.getLogger(__name__)


def render_engine_error(error: GatewayError, wire: CallerWire) -> tuple[int, Headers, bytes]:
    """An error of the server's own as status, headers and body. Its request has no id yet."""
    request_id = new_request_id()
    headers = (
        ("Content-Type", JSON_TYPE),
        ("X-Request-Id", request_id),
        *wire.reply_headers(request_id),
        *retry_advice(error),
        *ALWAYS,
    )
    return wire.error_status(error), headers, wire.render_error(error)


def crash(error: Exception, request_id: str) -> InternalFault:
    """A fault of ours: the log has it, the caller does not."""
    logger.error("request %s failed on a fault of the gateway", request_id, exc_info=error)
    return InternalFault("The gateway failed on a fault of its own; its log has the details.")


def translated(error: HTTPException, method: str, path: str) -> GatewayError:
    """Flask's and Werkzeug's errors as ours."""
    where = shown(path)
    if error.code == 404:
        if path.removeprefix("/v1").lstrip("/").partition("/")[0] in STATEFUL:
            return RouteNotFound(f"No such path: {method} {where}. {KEPT_THERE}")
        return RouteNotFound(f"No such path: {method} {where}. The API is under /v1.")
    if isinstance(error, FlaskMethodNotAllowed):
        return MethodNotAllowed(f"{where} does not take {method}.")
    if error.code is not None and 400 <= error.code < 500:
        return InvalidRequest(error.description or error.name, status=error.code)
    return InternalFault("The gateway failed on a fault of its own.")


def shown(path: str) -> str:
    """A path from outside, fit for a message and a log line."""
    return printable(path[:200])


def path_of(environ: "WSGIEnvironment") -> str:
    """WSGI hands bytes over as Latin-1 (PEP 3333)."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
