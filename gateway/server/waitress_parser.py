"""One request as waitress's channel wants it: the head of `request_head`, then the body, in a buffer of waitress's.

Patience: a client that sends its whole body before it reads (most do) would get a reset instead of the 413, so a body
over the limit is read and thrown away before the answer, up to a bound. Doubt: after an error nothing more of the
connection is read, since where the next request begins is anyone's guess. The channel above takes the class.
"""

from io import BytesIO
from typing import Final, TypeAlias, cast
from urllib.parse import unquote

from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser
from waitress.utilities import Error

from gateway.core.errors import BodyTooLarge, GatewayError
from gateway.http1.request_body import ChunkedBody, CountedBody, Discarded, Sink, StoredBody
from gateway.http1.request_reader import HeadReader, RequestHead

MIB: Final = 1 << 20
READ_SIZE: Final = 65_536
LARGEST_READ: Final = 262_144
"""Bytes read from a connection at once: usually, and where a body is known to be longer."""
THROWN_AWAY: Final = 8
"""Times the body limit that is read at most, stored or not; beyond it the answer goes out at once."""

LEAST_THROWN_AWAY: Final = 65_536
"""Bytes that are read in any case, so that a tiny limit has room for the chunk framing of a tiny body."""


_Body: TypeAlias = CountedBody | StoredBody | ChunkedBody


class Parser(HTTPRequestParser):
    """One request, from its bytes. Of waitress's parser only the way to read and to close the body is left.

    Attributes:
        method: the request's method; empty until the head was understood.
        authority: the authority of an absolute-form target, None for any other form.
        refusal: why the request is not served, if so.
    """

    method: str = ""
    authority: str | None = None
    path: str = ""  # waitress names it in a log line even where the head was never understood
    refusal: GatewayError | None = None
    version = "1.1"  # of the answer, where the head was never understood
    proxy_scheme: str
    request_uri: str

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self._largest = adj.max_request_body_size
        self._patience = max(THROWN_AWAY * self._largest, LEAST_THROWN_AWAY)
        self._too_large = False
        self._head = HeadReader()
        self._body: _Body | None = None

    @property
    def awaits(self) -> int:
        """How many bytes to read at once: of a large body as much as there may be, for each read costs."""
        return min(max(READ_SIZE, self.content_length - self.body_bytes_received), LARGEST_READ)

    @property
    def can_be_answered(self) -> bool:
        """Whether enough has come for an answer to make sense."""
        return self.headers_finished or self._head.has_request_line

    @property
    def takes_no_body(self) -> bool:
        """Whether its answer has none, whatever it says."""
        return self.method == "HEAD" or self._head.is_head_request

    def received(self, data: bytes) -> int:
        """Take what came; how many bytes of it belong to this request."""
        if self.completed:
            return 0
        try:
            if self._body is not None:
                return self._receive_body(self._body, data)
            found = self._head.feed(data)
            if found is None:
                return len(data)
            head, consumed = found
            self._begin(head)
        except GatewayError as error:
            self.refuse(error)
            return len(data)
        return consumed

    def refuse(self, error: GatewayError) -> None:
        """Answer with `error` instead of serving it, and read nothing more."""
        self.refusal = error
        self.error = cast(Error, error)  # that there is one is all that waitress looks at
        self.headers_finished = self.completed = True
        self.expect_continue = False

    def _begin(self, head: RequestHead) -> None:
        """The head is complete."""
        self.method = head.method
        self.command = cast(bytes, head.method)  # text, whatever the stub says
        self.authority = head.authority
        self.version = head.version
        self.request_uri, self.query = head.target, head.query
        self.path = unquote(head.path, "latin-1") if "%" in head.path else head.path
        self.url_scheme = self.adj.url_scheme
        self.headers = head.fields
        if "CONNECTION" in head.fields:  # in one of the two words that waitress knows
            head.fields["CONNECTION"] = "keep-alive" if head.persistent else "close"
        self.headers_finished = True
        self.content_length = head.length
        self.chunked = head.chunked
        self.expect_continue = head.expects_continue
        self._await_body()

    def _await_body(self) -> None:
        if self.content_length > self._largest:
            self._too_large = True
            # Who asked before sending, or would send without end, is told at once.
            if self.expect_continue or self.content_length > self._patience:
                raise self._refused_for_its_size()
        if self.chunked:
            self._body = ChunkedBody(self._buffer())
        elif 0 < self.content_length <= self.adj.inbuf_overflow and not self._too_large:
            self._body = CountedBody(self.content_length)
        elif self.content_length:
            self._body = StoredBody(self.content_length, self._buffer())
        else:
            self.completed = True
            self.expect_continue = False  # no body is awaited, so none is asked for

    def get_body_stream(self) -> BytesIO:
        return BytesIO() if self._body is None else self._body.getfile()

    def close(self) -> None:
        if self._body is not None:
            self._body.close()

    def _buffer(self) -> Sink:
        return Discarded() if self._too_large else OverflowableBuffer(self.adj.inbuf_overflow)

    def _receive_body(self, body: _Body, data: bytes) -> int:
        consumed = body.received(data)
        self.body_bytes_received += consumed
        if len(body) > self._largest and not self._too_large:  # chunked: known only now
            self._too_large = True
            cast(ChunkedBody, body).discard()
        to_come = body.remaining if isinstance(body, ChunkedBody) else 0
        if self.body_bytes_received + to_come > self._patience or (self._too_large and body.completed):
            raise self._refused_for_its_size()
        if body.completed:
            self._finish_body(body)
        return consumed

    def _finish_body(self, body: _Body) -> None:
        self.completed = True
        if self.chunked:  # the application sees a body of known length, as waitress does it
            cast(dict[str, str], self.headers)["CONTENT_LENGTH"] = str(len(body))

    def _refused_for_its_size(self) -> BodyTooLarge:
        most = self._largest / MIB
        return BodyTooLarge(f"The request body is larger than {most:g} MiB, the limit set by gateway.maxBodyMiB.")
