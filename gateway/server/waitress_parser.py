"""waitress's request parser, stricter about framing and more patient with bodies that are too large.

Framing: what two readers could understand differently is refused, not interpreted (RFC 9112 sections 5.2 and 6); the
released waitress accepts a few such forms. Patience: a client that sends its whole body before it reads (most do) would
get a reset instead of the 413, so a body over the limit is read and thrown away before the answer, up to a bound. Built
on waitress alone; the channel above it takes the class.
"""

import re
from io import BytesIO
from typing import Final, cast

from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

THROWN_AWAY: Final = 8
"""Times the body limit that is read at most, stored or not; beyond it the answer goes out at once."""

LEAST_THROWN_AWAY: Final = 65_536
"""Bytes that are read in any case, so that a tiny limit has room for the chunk framing of a tiny body."""

LONGEST_SIZE_LINE: Final = 1_024
LONGEST_TRAILER: Final = 16_384
"""Bytes of a chunked body's size line and trailer. waitress keeps them in memory and has no limit of its own."""

_TRANSFER_ENCODING: Final = re.compile(rb"\r\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_FOLDS: Final = (b"\r\n ", b"\r\n\t")


class Discard:
    """Takes the place of waitress's buffer for bytes that nobody will read."""

    def append(self, data: bytes) -> None:
        """Forget `data`."""

    def __len__(self) -> int:
        return 0

    def getfile(self) -> BytesIO:
        return BytesIO()

    def close(self) -> None:
        """Nothing is held."""


class Parser(HTTPRequestParser):
    """One request, from its bytes.

    Attributes:
        method: the request's method; empty until the request line was understood.
        authority: the authority of an absolute-form target, None for any other form.
    """

    method: str = ""
    authority: str | None = None
    path: str = ""  # waitress names it in a log line even where the request line was never understood
    proxy_scheme: str
    proxy_netloc: str
    request_uri: str

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self._largest = adj.max_request_body_size - 1  # waitress refuses what *reaches* its limit
        self._patience = max(THROWN_AWAY * self._largest, LEAST_THROWN_AWAY)
        self._too_large = False

    def received(self, data: bytes) -> int:
        """Take what came; how many bytes of it belong to this request."""
        if self.completed:
            return 0
        if self.body_rcv is not None:
            return self._receive_body(self.body_rcv, data)
        consumed = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self._throw_body_away()
        if self.completed:
            self.expect_continue = False  # no body is awaited, so none is asked for
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Understand the request line and headers.

        Raises:
            ParsingError: they are not valid, or could be understood in two ways.
        """
        if any(fold in header_plus for fold in _FOLDS):
            raise ParsingError("a header is folded over lines")
        codings = _TRANSFER_ENCODING.findall(header_plus)
        try:
            super().parse_header(header_plus)
        except ValueError:  # urlsplit's, for a target such as http://[, or int's, for a length of 5,000 digits
            raise ParsingError("the request target or Content-Length is malformed") from None
        if codings:
            self._check_coding(codings)
        self._check_target()
        self.method = str(cast(object, self.command))

    def _check_coding(self, codings: list[bytes]) -> None:
        """RFC 9112 sections 6.1 and 6.3: one coding, chunked, once, in HTTP/1.1, without a Content-Length."""
        if self.version != "1.1":
            raise ParsingError("Transfer-Encoding came with a version other than HTTP/1.1")
        if len(codings) > 1 or not self.chunked or b"," in codings[0]:
            raise ParsingError("Transfer-Encoding is not chunked, once")
        if "CONTENT_LENGTH" in self.headers:
            raise ParsingError("there are both Transfer-Encoding and Content-Length")

    def _check_target(self) -> None:
        """RFC 9112 section 3.2: a path, an absolute address, or * for OPTIONS."""
        target = self.request_uri
        if target.startswith("/") or target == "*":
            return
        if self.proxy_scheme not in ("http", "https"):
            raise ParsingError("the request target is not a path")
        self.authority = self.proxy_netloc

    def _throw_body_away(self) -> None:
        """The Content-Length is too large. Who asked before sending, or would send without end, is told at once."""
        if self.expect_continue or self.content_length > self._patience:
            return
        self.error = None
        self.completed = False
        self._too_large = True
        self.body_rcv = FixedStreamReceiver(self.content_length, cast(OverflowableBuffer, Discard()))

    def _receive_body(self, body: ChunkedReceiver | FixedStreamReceiver, data: bytes) -> int:
        consumed = body.received(data)
        self.body_bytes_received += consumed
        if len(body) > self._largest and not self._too_large:  # chunked: known only now
            self._too_large = True
            body.getbuf().close()
            body.buf = cast(OverflowableBuffer, Discard())
        if (error := self._fault(body)) is not None:
            self.error = error
            self.completed = True
        elif body.completed:
            self._finish_body(body)
        return consumed

    def _fault(self, body: ChunkedReceiver | FixedStreamReceiver) -> Error | None:
        """Why no more of this body is read, if so."""
        if body.error is not None:
            return body.error
        if isinstance(body, ChunkedReceiver) and (
            len(body.control_line) > LONGEST_SIZE_LINE or len(body.trailer) > LONGEST_TRAILER
        ):
            return BadRequest("a chunk's size line or the trailer is too long")
        if self.body_bytes_received > self._patience or (self._too_large and body.completed):
            return RequestEntityTooLarge("")
        return None

    def _finish_body(self, body: ChunkedReceiver | FixedStreamReceiver) -> None:
        self.completed = True
        if self.chunked:  # the application sees a body of known length, as waitress does it
            cast(dict[str, str], self.headers)["CONTENT_LENGTH"] = str(len(body))
