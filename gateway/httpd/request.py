"""One request from its bytes: the head of http1.request_reader, then the body, in memory or in a file. No socket.

Patience: a client that sends its whole body before it reads (most do) would get a reset instead of the 413, so a body
over the limit is read and passed over before the answer, up to a bound. Doubt: after an error nothing more of the
connection is read, because where the next request begins is not certain.
"""

from io import BytesIO
from typing import Final, TypeAlias

from waitress.buffers import OverflowableBuffer

from gateway.core.errors import BodyTooLarge, GatewayError, Overloaded
from gateway.http1.request_body import ChunkedBody, CountedBody, Discarded, Sink, StoredBody
from gateway.http1.request_reader import HeadReader, RequestHead

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
    """

    def __init__(self, largest: int) -> None:
        self.head: RequestHead | None = None
        self.body: _Body | None = None
        self.completed = False
        self.refusal: GatewayError | None = None
        self.body_bytes = 0
        self.awaits_continue = False
        self._largest = largest
        self._too_large = False
        self._reader = HeadReader()

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
        except OSError:  # of the file: no room, or no descriptor
            self.refuse(Overloaded("The gateway has no room to store the request's body.", retry_after=1.0))
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
            self._too_large = True
            # A client that asks before it sends, or would send without end, gets its answer at once.
            if head.expects_continue or head.length > self._patience:
                raise self._refused_for_its_size()
        if head.chunked:
            self.body = ChunkedBody(self._sink())
        elif 0 < head.length <= IN_MEMORY and not self._too_large:
            self.body = CountedBody(head.length)
        elif head.length:
            self.body = StoredBody(head.length, self._sink())
        else:
            self.completed = True
            return
        self.awaits_continue = head.expects_continue

    @property
    def _patience(self) -> int:
        return max(PASSED_OVER * self._largest, LEAST_PASSED_OVER)

    def _sink(self) -> Sink:
        return Discarded() if self._too_large else OverflowableBuffer(IN_MEMORY)

    def _feed_body(self, body: _Body, data: bytes) -> int:
        taken = body.received(data)
        self.body_bytes += taken
        to_come = 0
        if isinstance(body, ChunkedBody):
            to_come = body.remaining
            if len(body) > self._largest and not self._too_large:  # known only now
                self._too_large = True
                body.discard()
        if self.body_bytes + to_come > self._patience or (self._too_large and body.completed):
            raise self._refused_for_its_size()
        if body.completed:
            self.completed = True
            self.awaits_continue = False
        return taken

    def _refused_for_its_size(self) -> BodyTooLarge:
        most = self._largest / MIB
        return BodyTooLarge(f"The request body is larger than {most:g} MiB, the limit set by gateway.maxBodyMiB.")
