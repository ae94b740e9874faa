"""What the parts of the engine ask of each other, and what the engine asks of the application above it."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.httpd.output import Output

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

CALLER: Final = "gateway.caller"
"""Where the application finds its `Response` in environ, to send heartbeats. Only this server puts it there."""
OVERLOADED: Final = "gateway.overloaded"
"""Set in environ where no thread is free for this model call: the application is to refuse it at once."""
AUTHORITY: Final = "gateway.authority"
"""The authority of a target in absolute form; absent for the other forms."""
NOTES: Final = "gateway.notes"
"""A dictionary in environ, for what follows from the head without the digits of its Content-Length: the next request of
the connection finds it if its head is the same but for those. Absent where heads are not remembered."""
LEFT: Final = "waitress.client_disconnected"
"""waitress's name for a function that tells whether the caller has left."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Application:
    """What is served.

    Attributes:
        wsgi: answers requests (PEP 3333). Its body may have `detach() -> Callable[[Response], object] | None`: asked
            behind every piece, it may take the rest of the answer away from the thread.
        render_error: status, headers and body for an error of the engine's own; the path is empty where none is known.
        is_model_call: whether a request of that method and path may take as long as a provider does.
    """

    wsgi: "WSGIApplication"
    render_error: Callable[[GatewayError, str], tuple[int, Headers, bytes]]
    is_model_call: Callable[[str, str], bool]


class SourceLike(Protocol):
    """A socket that the loop watches.

    Attributes:
        socket: the socket.
        registered: events that the selector watches; written by the loop only.
    """

    socket: socket.socket
    registered: int

    def ready(self, events: int) -> None:
        """Something has happened."""

    def settle(self) -> None:
        """Decide what is to be watched from now on."""

    def failed(self, error: BaseException) -> None:
        """One of the above has raised."""


class PoolsLike(Protocol):
    """What the owner of a connection asks of the thread pools."""

    def add_task(self, task: "Call", /) -> None:
        """Have its request served. Any thread, which has no more to do with it."""


class ListenerLike(Protocol):
    """What a connection asks of the socket through which it came.

    Attributes:
        application: what is served.
        clock: the time.
        pools: serve requests.
        environ: what WSGI says of every request that comes here.
        draining: whether the server stops: every answer ends its connection.
        ending: whether the server ends: every connection is closed.
        max_body: the largest request body, in bytes.
    """

    application: Application
    clock: Clock
    environ: "WSGIEnvironment"
    draining: bool
    ending: bool
    max_body: int

    @property
    def pools(self) -> PoolsLike:
        """Serve the requests."""

    def is_crowded(self) -> bool:
        """Whether so many connections serve model calls that the next one is refused."""


class Call(Protocol):
    """A connection with a request to be served, as the thread pools see it.

    Attributes:
        overloaded: set by the pools: the request is a model call for which no thread is free.
    """

    overloaded: bool

    @property
    def is_model_call(self) -> bool:
        """Whether the request may take as long as a provider does."""

    @property
    def is_crowded(self) -> bool:
        """Whether there are too many model calls already, whatever the threads."""

    @property
    def left(self) -> bool:
        """Whether the caller has left."""

    def service(self) -> bool:
        """Answer the request. True: this thread still owns the connection, between two requests, and calls exactly one
        of `wait_for_next_request` and `give_back`. False: it has handed it on."""

    def wait_for_next_request(self, seconds: float) -> bool:
        """Wait for another model call: True with one to serve, False having handed the connection on."""

    def give_back(self) -> None:
        """Let the loop have the connection."""

    def cancel(self) -> None:
        """Give the request up, and let the loop close the connection."""


class ConnectionLike(Protocol):
    """What a response asks of its connection.

    Attributes:
        listener: through which it came.
        address: the caller's, as the system has it.
        overloaded: see Call.
    """

    listener: ListenerLike
    address: tuple[str, int]
    overloaded: bool

    @property
    def output(self) -> Output:
        """The way to the caller."""

    def caller_left(self) -> bool:
        """Whether the caller has left. Any thread."""

    def end_of_answer(self, *, persists: bool) -> bool:
        """See Connection."""

    def give_back(self) -> None:
        """See Call."""
