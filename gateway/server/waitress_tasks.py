"""What is done for one request on a worker thread: the application is asked, or the server itself answers.

What waitress answers by itself (400, 500) and what our parser refuses are OpenAI error objects like every other error,
and the application is told what only the server knows.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from waitress.task import ErrorTask, WSGITask

from gateway.core.errors import InternalFault
from gateway.server.headers import ALWAYS, new_request_id
from gateway.server.relayed import HandedOver
from gateway.server.waitress_parser import Parser
from gateway.wires.openai_chat.errors import render_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from gateway.server.waitress_channel import Channel
    from gateway.server.waitress_server import Server


class JsonErrorTask(ErrorTask):
    """Answers a request that never reached the application, or on which the application crashed; then closes."""

    def execute(self) -> None:
        request = cast(Parser, self.request)
        error = request.refusal or InternalFault("The gateway failed on a fault of its own; its log has the details.")
        body = render_error(error)
        self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("X-Request-Id", new_request_id()),
            *ALWAYS,
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if request.takes_no_body else body)


class Request(WSGITask):
    """Answers a request by the application."""

    def get_environment(self) -> "WSGIEnvironment":
        """WSGI's environ and what only the server knows.

        `gateway.authority`: of an absolute-form target, else absent. `gateway.overloaded`: whether to refuse this model
        call, for want of a thread. `waitress.client_disconnected`: a function that tells whether the caller left.
        """
        environ = super().get_environment()
        environ["gateway.overloaded"] = cast("Channel", self.channel).overloaded
        authority = cast(Parser, self.request).authority
        if authority is not None:
            environ["gateway.authority"] = authority
        return environ

    def build_response_header(self) -> bytes:
        if cast("Server", self.channel.server).draining:
            self.set_close_on_finish()
        return super().build_response_header()

    def finish(self) -> None:
        if cast("Channel", self.channel).handed is not None:
            raise HandedOver(self)
        super().finish()
