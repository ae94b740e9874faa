"""The line to a caller, on which two threads write: the one that answers, and the one that gives signs of life.

WSGI knows one thread a request, and that one waits inside the application while a provider is silent. So the
application is called through a line that can commit a reply to be an event stream before the application has decided
anything, and that can put comments between the events afterwards. What makes this safe (waitress_tasks.py and
waitress_output.py, as waitress itself does it):

- `write_soon` sends each piece, or keeps what is not taken of it, whole, under a lock of the connection, chunk framing
  included. Pieces of two threads stand one behind the other, and the pieces of an answer are whole events.
- The first `write` also builds the head, under no lock. So before the application's head is out, only one of the two
  writes: the other thread while the application has not settled the reply, the answering one from there on. It is out
  when the server asks for the piece after the first.
- `write_soon` waits where the caller takes nothing. A comment is written only where no byte waits, and the connection's
  lock is held from the look to the writing, so it never waits.
- A stream that a relay can carry leaves its thread when the server asks for the piece after the first: the line says
  that it has ended, and goes on being the body of the answer for the relay.
- The body is closed before the chunk that ends it is written. So is the line.

Knows waitress and WSGI, nothing of the routes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from waitress.channel import ClientDisconnected

from gateway.core.clock import Clock
from gateway.handler.reply import Headers
from gateway.handler.response_transformer import StreamedBody
from gateway.server.relayed import Handed
from gateway.server.waitress_channel import Channel

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEEP_ALIVE: Final = b": keep-alive\n\n"
LINE: Final = "gateway.line"
"""Where the application finds its line in environ."""

Write = Callable[[bytes], object]


class Line:
    """The line to one caller, for one request (a `gateway.handler.caller_line.CallerLine`), and the body of its reply.

    Args:
        environ: WSGI's.
        start_response: the server's.
        clock: for `quiet_since`.
    """

    _settled = False
    _committed = False  # by a sign of life
    _plain = False  # another reply than an event stream
    _head_is_out = False
    _begun = False
    _over = False
    _handed_over = False

    def __init__(self, environ: "WSGIEnvironment", start_response: "StartResponse", clock: Clock) -> None:
        self.quiet_since = clock.monotonic()
        self._clock = clock
        self._channel = _channel(environ)
        self._start_response = start_response
        self._lock = threading.Lock()
        self._head: Callable[[], Headers] | None = None
        self._write: Write | None = None
        self._body: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())

    def answer(self, app: "WSGIApplication", environ: "WSGIEnvironment") -> Iterable[bytes]:
        """Have `app` answer the request; the body for the server. Where no sign of life can come into it, that is the
        application's own, whose length waitress may look at."""
        environ[LINE] = self
        try:
            body = app(environ, self._started)
        except BaseException:
            self._end()
            raise
        finally:
            del environ[LINE]  # the line holds the server's task and the task environ: a circle would outlive the reply
        if self._plain:
            return body
        self._body, self._pieces = body, iter(body)
        return self

    def allow(self, head: Callable[[], Headers]) -> None:
        """From here on a sign of life may commit the reply: to status 200 and what `head` gives, an event stream's."""
        self._head = head

    def settle(self) -> bool:
        """See CallerLine."""
        with self._lock:
            self._settled = True
            return self._committed

    def keep_alive(self) -> bool:
        """See CallerLine."""
        with self._lock:  # held while writing: whoever settles or ends the line finds the comment in or not begun
            may_write = self._head_is_out or (self._head is not None and not self._settled)
            if self._over or not may_write or self._channel is None:
                return False
            with self._channel.outbuf_lock:
                if self._has_left() or self._channel.total_outbufs_len:
                    return False
                return self._comment(self._write or self._commit())

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._begun:
            self._head_is_out = True  # waitress comes for more when it has written what it got
            if self._hand_over():
                raise StopIteration
        piece = next(self._pieces)
        if self._has_left():
            raise ClientDisconnected
        if piece:
            self._begun = True
            self.quiet_since = self._clock.monotonic()
        return piece

    def close(self) -> None:
        """The body has ended, or nobody takes it; or its end is the relay's to tell."""
        if not self._handed_over:
            self.end()

    def said(self) -> None:
        """See gateway.server.relayed.Carried."""
        self.quiet_since = self._clock.monotonic()

    def end(self) -> None:
        """Close the body."""
        self._end()
        body, self._body, self._pieces = self._body, (), iter(())  # a body may hold its call, and the call this line
        close: Callable[[], object] | None = getattr(body, "close", None)
        if close is not None:
            close()

    def _hand_over(self) -> bool:
        """Give the rest of the answer to the relay, if there is one and it can take it."""
        body, channel = self._body, self._channel
        if channel is None or not channel.can_be_relayed or not isinstance(body, StreamedBody):
            return False
        detached = body.detach()
        if detached is None:
            return False
        self._handed_over = True
        channel.handed = Handed(*detached, self)
        return True

    def _has_left(self) -> bool:
        """Whether nobody waits. Who has closed its half counts too: a stream to one that never comes back costs tokens,
        and the socket would tell only with the second piece."""
        return self._channel is not None and self._channel.check_client_disconnected()

    def _started(self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /) -> Write:
        """The application's start_response. A second head is not sent: the first one holds."""
        if self.settle() and self._write is not None:
            return self._write
        self._plain = not _is_event_stream(headers)
        self._write = self._start_response(status, headers, exc_info)
        return self._write

    def _commit(self) -> Write:
        self._write = self._start_response("200 OK", list(self._head() if self._head else ()))
        self._committed = self._head_is_out = True
        return self._write

    def _comment(self, write: Write) -> bool:
        try:
            write(KEEP_ALIVE)
        except ClientDisconnected:
            return False
        self.quiet_since = self._clock.monotonic()
        return True

    def _end(self) -> None:
        with self._lock:
            self._over = True


def _channel(environ: "WSGIEnvironment") -> Channel | None:
    """The caller's connection; None under another server. waitress gives the application one method of it, and no other
    way to learn how much of an answer still waits to be taken."""
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    return channel if isinstance(channel, Channel) else None


def _is_event_stream(headers: list[tuple[str, str]]) -> bool:
    for name, value in headers:
        if name == "Content-Type":  # as all of ours and Flask's are spelled
            return value.startswith("text/event-stream")
    return False
