"""One reply on its way to a caller: head, pieces, heartbeats, and the outlet of a relay.

Two threads write a reply: the one that answers, and the watchdog that sends heartbeats while a provider is silent. What
makes this safe:

- `Output.write` sends or keeps each piece whole, chunk framing included, under the connection's lock.
- The head is built under no lock. So until it is out only one of the two writes: the watchdog while the application has
  not committed to a reply, the answering thread from there on.
- A heartbeat is written only where nothing is untaken, and the lock is held from the look to the write: it never waits.
- Heartbeats end before the body is closed, and so before the chunk that ends it.

Sources: PEP 3333; RFC 9112 sections 6.1, 9.3.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from waitress.channel import ClientDisconnected
from waitress.utilities import build_http_date

from gateway.core.errors import GatewayError
from gateway.http1.head_writer import PHRASES, WITHOUT_BODY, response_head, spelled
from gateway.httpd.interfaces import ConnectionLike
from gateway.httpd.request import RequestParser

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

LAST_CHUNK: Final = b"0\r\n\r\n"

logger = logging.getLogger(__name__)


class Response:
    """One reply. `start`, `write` and `finish` are the answering thread's; any thread may ask for the rest.

    Attributes:
        last_write: seconds on the clock of `allow_heartbeats` when something was last sent, or when that was called.
        persists: whether the connection serves another request; known once the head is out.
        head_is_out: whether the head has been written.
        length: bytes of the body, where they are known.
        streams: whether the body is an event stream.

    Args:
        connection: to the caller.
        request: that is answered.
    """

    __slots__ = (
        *("_beat", "_body", "_chunked", "_committed", "_connection", "_early_head", "_has_body", "_headers", "_lock"),
        *("_may_go_on", "_now", "_over", "_request", "_settled", "_status", "_version", "_written"),
        *("__weakref__", "head_is_out", "last_write", "length", "persists", "streams"),
    )

    def __init__(self, connection: ConnectionLike, request: RequestParser) -> None:
        self._connection = connection
        self._request = request
        self._version = "1.1" if request.head is None else request.head.version
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._has_body = True
        self._may_go_on = True
        self._chunked = False
        self._written = 0
        self._body: object = None
        self._lock = threading.Lock()
        self._early_head: Callable[[], Sequence[tuple[str, str]]] | None = None
        self._beat: Callable[[], bytes] = bytes
        self._settled = self._committed = self._over = False
        self._now = connection.listener.clock.monotonic
        self.last_write = 0.0
        self.persists = False
        self.head_is_out = False
        self.length: int | None = None
        self.streams = False

    # The answering thread -------------------------------------------------------------------------------------------

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
    ) -> Callable[[bytes], object]:
        """PEP 3333's start_response. Where a heartbeat has committed the reply, that head holds."""
        if self.commit():
            return self.write
        if self._status is not None:
            if exc_info is None:
                raise AssertionError("start_response was called a second time without exc_info")
            if self.head_is_out and exc_info[1] is not None:
                raise exc_info[1]
        self._begin(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body, behind the head where that is not out.

        Raises:
            ClientDisconnected: nobody is there.
            ValueError: a header holds a line ending.
        """
        head = b"" if self.head_is_out else self._head()
        if data and self._has_body:
            if self._chunked:
                data = b"%b%X\r\n%b\r\n" % (head, len(data), data)
            else:
                if self.length is not None:
                    data = data[: self.length - self._written]
                    self._written += len(data)
                data = head + data if head else data
        else:
            data = head
        if data:
            self._connection.output.write(data)
            self.last_write = self._now()
        self.head_is_out = True

    def finish(self) -> None:
        """End the reply. Raises ClientDisconnected."""
        if not self.head_is_out:
            self.write(b"")
        if self._chunked:
            self._connection.output.write(LAST_CHUNK)
        elif self.length not in (None, self._written) and self._has_body and self._status is not None:
            logger.warning("the application wrote an answer of another length than it said")
            self.persists = False  # the client still waits for the rest

    def refuse(self, error: GatewayError) -> None:
        """Reply with an error of the engine's own where no reply has begun, and close behind it either way.

        Raises:
            ClientDisconnected: nobody is there.
        """
        request, application = self._request, self._connection.listener.application
        self._may_go_on = False
        if not (self.commit() or self.head_is_out):
            status, headers, body = application.render_error(error, "" if request.head is None else request.head.path)
            self._begin(PHRASES.get(status, f"{status} Unknown"), [*headers, ("Content-Length", str(len(body)))])
            self._has_body = not request.takes_no_body
            self.write(body)
        self.persists = False

    def end_heartbeats(self) -> None:
        """No heartbeat is sent from here on, and what makes them is let go: it may hold its call, and the call this."""
        with self._lock:
            self._over = True
            self._beat = bytes

    # The application and the watchdog -------------------------------------------------------------------------------

    @property
    def left(self) -> bool:
        """Whether the caller has left. One that closed its half counts as well: whether it still reads is not known,
        and a stream to nobody costs tokens."""
        return self._connection.caller_left()

    def allow_heartbeats(
        self, head: Callable[[], Sequence[tuple[str, str]]], beat: Callable[[], bytes], now: Callable[[], float]
    ) -> None:
        """From here on a heartbeat may commit the reply to status 200 and an event stream.

        Args:
            head: the headers of that reply.
            beat: makes what every reader of the stream ignores; b"" where none can be made now.
            now: the clock by which `last_write` is measured.
        """
        self._now = now
        self.last_write = now()
        self._beat = beat
        self._early_head = head

    def commit(self) -> bool:
        """Decide status and headers now: from here on `heartbeat` commits nothing. Idempotent.

        Returns:
            Whether a heartbeat has decided them before: the reply is an event stream with status 200.
        """
        with self._lock:
            self._settled = True
            return self._committed

    def heartbeat(self) -> bool:
        """Send a heartbeat, if one may be sent now. Never waits.

        Returns:
            Whether it was sent: the reply is a running event stream, its caller has taken all, and one can be made.
        """
        output = self._connection.output
        with self._lock:  # a thread that commits or ends the reply finds the heartbeat sent, or not begun
            begins = self._early_head is not None and not self._settled
            if self._over or not (begins or (self.head_is_out and self.streams)):
                return False
            with output.lock:
                if output.untaken or output.broken or self.left or not (beat := self._beat()):
                    return False
                if begins and not self._committed and self._early_head is not None:
                    self._committed = True
                    self._begin("200 OK", list(self._early_head()))
                try:
                    self.write(beat)
                except ClientDisconnected:
                    return False
        return True

    # The relay ------------------------------------------------------------------------------------------------------

    @property
    def untaken(self) -> int:
        """Bytes that the caller has not taken yet."""
        return self._connection.output.untaken

    def hand_over(self, body: object) -> None:
        """The relay sends the rest; it closes `body` at the end."""
        self._body = body

    def send(self, piece: bytes) -> bool:
        """Write a piece; False where the caller has left. It waits only above a mark that a relay never reaches."""
        if self.left:
            return False
        try:
            self.write(piece)
        except ClientDisconnected:
            return False
        return True

    def close(self) -> None:
        """Close the body, end the reply, and give the connection on. Once; the relay."""
        persists = False
        try:
            self.close_body(self._body)
            self.finish()
            persists = self.persists
        except ClientDisconnected:
            return
        finally:
            self._body = None  # it may hold its call, and the call this reply
            if self._connection.end_of_answer(persists=persists):
                self._connection.give_back()

    def close_body(self, body: object) -> None:
        """What PEP 3333 asks for at the end of a reply."""
        self.end_heartbeats()
        close: Callable[[], object] | None = getattr(body, "close", None)
        if close is not None:
            close()

    # The head -------------------------------------------------------------------------------------------------------

    def _begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        self._status = status
        self._headers = fields = []
        self.length, self.streams = None, False
        for each, value in headers:
            name = spelled(each)
            if name == "Content-Length":
                self.length = int(value)  # `_head` says it, where it is said
                continue
            if name == "Content-Type":
                self.streams = value.startswith("text/event-stream")
            fields.append((name, value))
        head = self._request.head
        self._has_body = not status.startswith(WITHOUT_BODY) and (head is None or head.method != "HEAD")

    def _head(self) -> bytes:
        """The head, and with it whether the connection serves another request."""
        status, fields, version = self._status, [*self._headers], self._version
        if status is None:
            raise RuntimeError("start_response was not called before the body was written")
        if self.length is not None and not status.startswith(WITHOUT_BODY):
            fields.append(("Content-Length", str(self.length)))
        elif self._has_body and version == "1.1":
            self._chunked = True
            fields.append(("Transfer-Encoding", "chunked"))
        self.persists = self._may_persist()
        if not self.persists:
            fields.append(("Connection", "close"))
        elif version == "1.0":
            fields.append(("Connection", "Keep-Alive"))
        fields.append(("Date", _date(int(time.time()))))
        return response_head(version, status, fields)

    def _may_persist(self) -> bool:
        """Whether the client wants it, and can tell where the answer ends (RFC 9112 section 9.3)."""
        head = self._request.head
        if head is None or not (head.persistent and self._may_go_on) or self._connection.listener.draining:
            return False
        return self._version == "1.1" or self.length is not None


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    """The field Date (RFC 9110 section 6.6.1); made once a second.

    Args:
        second: of Unix time.
    """
    return str(build_http_date(second))
