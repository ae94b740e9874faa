"""WSGI for one request: environ, the application's call, and its body.

Environ is put together here and not by waitress, whose way takes 25 us a request for checks of what the parser has
checked already. What only this server knows is optional for the application, which runs on plain waitress too.

Source: PEP 3333.
"""

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote

from waitress.channel import ClientDisconnected

from gateway.core.errors import InternalFault
from gateway.http1.request_head import RequestHead
from gateway.httpd.interfaces import AUTHORITY, CALLER, LEFT, NOTES, OVERLOADED, ConnectionLike
from gateway.httpd.request import RequestParser
from gateway.httpd.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Detached: TypeAlias = Callable[[Response], object]
"""Takes the rest of an answer: called with its response once the thread has nothing more to do with it."""

_ENVIRON: Final = "environ"
"""Its place among the notes of a head."""

logger = logging.getLogger(__name__)


def respond(connection: ConnectionLike, request: RequestParser, response: Response) -> Detached | None:
    """Answer a request, or begin to. Raises nothing.

    Returns:
        What takes the rest of the answer; None where it has ended.
    """
    try:
        if request.head is None or request.refusal is not None:
            response.refuse(request.refusal or InternalFault("A request without a head was to be served."))
            return None
        return _run(connection, request.head, request, response)
    except ClientDisconnected:
        response.persists = False
        return None
    except BaseException:
        path = "" if request.head is None else request.head.path
        logger.exception("Exception while serving %s", ascii(path)[1:-1])
        _refuse(response)
        return None


def _refuse(response: Response) -> None:
    try:
        response.refuse(InternalFault("The gateway failed on a fault of its own; its log has the details."))
    except ClientDisconnected:
        response.persists = False


def _run(connection: ConnectionLike, head: RequestHead, request: RequestParser, response: Response) -> Detached | None:
    environ = environment(connection, head, request, response)
    try:
        body = connection.listener.application.wsgi(environ, response.start)
    finally:
        environ.pop(CALLER, None)  # environ may outlive the reply, and would hold it
    detached: Detached | None = None
    try:
        # to HTTP/1.0 a stream ends with its connection, which its thread sees to
        detach: Callable[[], Detached | None] | None = getattr(body, "detach", None) if head.version == "1.1" else None
        is_whole = isinstance(body, list) and len(body) == 1
        for piece in body:
            if not piece:
                continue
            if is_whole and response.length is None:
                response.length = len(piece)
            if response.streams and response.left:
                raise ClientDisconnected
            response.write(piece)
            if detach is not None and (detached := detach()) is not None:
                response.hand_over(body)
                return detached
    finally:
        if detached is None:
            response.close_body(body)
    response.finish()
    return None


def environment(
    connection: ConnectionLike, head: RequestHead, request: RequestParser, response: Response
) -> "WSGIEnvironment":
    """WSGI's environ and what only the server knows (see gateway.httpd.interfaces)."""
    environ = _of_head(connection, head)
    environ["wsgi.input"] = request.file()
    environ[LEFT] = connection.caller_left
    environ[CALLER] = response
    environ[OVERLOADED] = connection.overloaded
    if head.chunked:  # the application sees a body of known length, as with waitress
        environ["CONTENT_LENGTH"] = str(0 if request.body is None else len(request.body))
    return environ


def _of_head(connection: ConnectionLike, head: RequestHead) -> "WSGIEnvironment":
    """What the head says of itself. The next one mostly says the same but for its length: a copy takes 4 us less."""
    if head.notes is None:
        return _read(connection, head)
    known = head.notes.get(_ENVIRON)
    if known is None:
        known = head.notes[_ENVIRON] = _read(connection, head)
    environ: WSGIEnvironment = known.copy()
    environ["CONTENT_LENGTH"] = head.fields["CONTENT_LENGTH"]
    environ[NOTES] = head.notes  # a copy of it in `known` would be a cycle
    return environ


def _read(connection: ConnectionLike, head: RequestHead) -> "WSGIEnvironment":
    path = unquote(head.path, "latin-1") if "%" in head.path else head.path
    environ = {
        **connection.listener.environ,
        **head.fields,
        "REMOTE_ADDR": connection.address[0],
        "REMOTE_PORT": str(connection.address[1]),
        "REQUEST_METHOD": head.method,
        "SERVER_PROTOCOL": f"HTTP/{head.version}",
        "PATH_INFO": "/" + path.lstrip("/") if path.startswith("//") else path,
        "REQUEST_URI": head.target,
        "QUERY_STRING": head.query,
        "wsgi.errors": sys.stderr,
    }
    if head.authority is not None:
        environ[AUTHORITY] = head.authority
    return environ
