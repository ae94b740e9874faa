"""One request from its bytes: the head of http1.request_reader, then the body, in memory or in a file. No socket.

Patience: a client that sends its whole body before it reads (most do) would get a reset instead of the 413, so a body
over the limit is read and passed over before the answer, up to a bound. Doubt: after an error nothing more of the
connection is read, because where the next request begins is not certain.
"""

import contextlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, TypeAlias

from waitress.buffers import OverflowableBuffer

from gateway.core.errors import BodyTooLarge, GatewayError, Overloaded
from gateway.http1.request_body import ChunkedBody, CountedBody, StoredBody
from gateway.http1.request_head import RequestHead
from gateway.http1.request_reader import HeadReader, parse

MIB: Final = 1 << 20
READ_SIZE: Final = 65_536
LARGEST_READ: Final = 262_144
"""Bytes received from a connection at once: usually, and where a body is known to be longer."""
IN_MEMORY: Final = 524_288
"""Bytes of a body that are kept in memory; a larger one goes to a temporary file."""
PASSED_OVER: Final = 8
"""Times the body limit that is read at most, stored or not; beyond it the answer goes out at once."""
LEAST_PASSED_OVER: Final = 65_536
"""Bytes that are read in any case, so that a tiny limit has room for the chunk framing of a tiny body."""

_Body: TypeAlias = CountedBody | StoredBody | ChunkedBody


class Spool:
    """Where a body goes that may be large: memory, then a file. What cannot be stored is passed over.

    Attributes:
        lost: whether something could not be stored.
    """

    def __init__(self) -> None:
        self.lost = False
        self._buffer: OverflowableBuffer | None = OverflowableBuffer(IN_MEMORY)

    def __len__(self) -> int:
        return 0 if self._buffer is None else len(self._buffer)

    def append(self, data: bytes, /) -> None:
        if self._buffer is None:
            return
        try:
            self._buffer.append(data)
        except OSError:  # no room on the disk, or no descriptor for the file
            self.lost = True
            self.close()

    def getfile(self) -> BytesIO:
        return BytesIO() if self._buffer is None else self._buffer.getfile()

    def close(self) -> None:
        """Forget what came, and what comes."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            with contextlib.suppress(OSError):  # of a full disk, what was not yet in the file
                buffer.close()


class RequestParser:
    """One request.

    Attributes:
        head: what its head says; None until it is complete, and where it was refused.
        body: None where it has none.
        completed: whether it is to be answered: it has come whole, or is refused.
        refusal: why it is not served, if so.
        body_bytes: bytes of the body that have come, framing included.
        awaits_continue: whether the client waits for a 100 before it sends the body.

    Args:
        largest: bytes a body may have.
        read_head: reads its head, as `parse` does.
    """

    def __init__(self, largest: int, read_head: Callable[[str], RequestHead] = parse) -> None:
        self.head: RequestHead | None = None
        self.body: _Body | None = None
        self.completed = False
        self.refusal: GatewayError | None = None
        self.body_bytes = 0
        self.awaits_continue = False
        self._largest = largest
        self._fault: GatewayError | None = None  # known before its body is passed over
        self._spool: Spool | None = None
        self._reader = HeadReader(read_head)

    @property
    def wanted(self) -> int:
        """How many bytes to receive at once: of a large body as many as there may be, for each call costs."""
        length = 0 if self.head is None else self.head.length
        return min(max(READ_SIZE, length - self.body_bytes), LARGEST_READ)

    @property
    def can_be_answered(self) -> bool:
        """Whether enough has come for an answer to make sense."""
        return self.head is not None or self._reader.has_request_line

    @property
    def takes_no_body(self) -> bool:
        """Whether its answer has none."""
        return self._reader.is_head_request if self.head is None else self.head.method == "HEAD"

    def feed(self, data: bytes) -> int:
        """Take what came; how many bytes of it belong to this request."""
        taken = 0
        try:
            if self.head is None:
                found = self._reader.feed(data)
                if found is None:
                    return len(data)
                self.head, taken = found
                self._begin_body(self.head)
            if self.body is not None and taken < len(data):
                taken += self._feed_body(self.body, data[taken:] if taken else data)
        except GatewayError as error:
            self.refuse(error)
        return taken if self.refusal is None else len(data)

    def refuse(self, error: GatewayError) -> None:
        """Answer with `error` instead of serving it, and read nothing more."""
        self.refusal = error
        self.completed = True
        self.awaits_continue = False

    def file(self) -> BytesIO:
        """The body, from its begin."""
        return BytesIO() if self.body is None else self.body.getfile()

    def close(self) -> None:
        """Forget the body."""
        if self.body is not None:
            self.body.close()

    def _begin_body(self, head: RequestHead) -> None:
        if head.length > self._largest:
            self._fault = self._too_large()
            # A client that asks before it sends, or would send without end, gets its answer at once.
            if head.expects_continue or head.length > self._patience:
                raise self._fault
        if head.chunked:
            self.body = ChunkedBody(self._new_spool())
        elif 0 < head.length <= IN_MEMORY and self._fault is None:
            self.body = CountedBody(head.length)
        elif head.length:
            self.body = StoredBody(head.length, self._new_spool())
        else:
            self.completed = True
            return
        self.awaits_continue = head.expects_continue

    @property
    def _patience(self) -> int:
        return max(PASSED_OVER * self._largest, LEAST_PASSED_OVER)

    def _feed_body(self, body: _Body, data: bytes) -> int:
        taken = body.received(data)
        self.body_bytes += taken
        if not isinstance(body, CountedBody):  # its length was in the head, and it fits into memory
            self._check_stored(body)
        if body.completed:
            self.completed = True
            self.awaits_continue = False
        return taken

    def _check_stored(self, body: StoredBody | ChunkedBody) -> None:
        """Raise where more has come than may, or what came could not be stored; the former only once it has passed."""
        to_come = body.remaining if isinstance(body, ChunkedBody) else 0
        if self._fault is None:
            if self._spool is not None and self._spool.lost:
                self._fault = Overloaded("The gateway cannot store the request's body.", retry_after=1.0)
            elif len(body) > self._largest:  # in chunks: known only now
                self._fault = self._too_large()
                body.close()
        if self.body_bytes + to_come > self._patience or (self._fault is not None and body.completed):
            raise self._fault or self._too_large()

    def _new_spool(self) -> Spool:
        self._spool = spool = Spool()
        if self._fault is not None:
            spool.close()  # the body is passed over
        return spool

    def _too_large(self) -> BodyTooLarge:
        most = self._largest / MIB
        return BodyTooLarge(f"The request body is larger than {most:g} MiB, the limit set by gateway.maxBodyMiB.")
