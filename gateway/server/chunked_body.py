"""A body in chunks, read strictly: bytes in, the data of the chunks into a buffer. No socket.

Reads lines by their LF and refuses those that do not end in CRLF, so that nothing of a bad line is waited for. Chunk
extensions mean nothing to us and are passed over, as they must be (RFC 9112 section 7.1.1), up to a bound; so are the
trailer's fields. The methods that waitress calls have its names.
"""

import re
from enum import Enum
from io import BytesIO
from typing import Final

from waitress.buffers import OverflowableBuffer

from gateway.core.errors import BadHttp
from gateway.server.request_head import FIELD

LONGEST_SIZE_LINE: Final = 1_024
LONGEST_TRAILER: Final = 16_384
"""Bytes, line endings included."""

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class _Awaited(Enum):
    SIZE = "a size line"
    DATA = "data"
    DATA_END = "the line ending after the data"
    TRAILER = "the trailer"


class ChunkedBody:
    """One body.

    Attributes:
        buf: takes the data.
        completed: whether its end has come.
        remaining: bytes of the current chunk that have not come.

    Args:
        buf: takes the data.
    """

    def __init__(self, buf: OverflowableBuffer) -> None:
        self.buf = buf
        self.completed = False
        self.remaining = 0
        self._awaited = _Awaited.SIZE
        self._line = bytearray()
        self._trailer_length = 0

    def __len__(self) -> int:
        return len(self.buf)

    def getbuf(self) -> OverflowableBuffer:
        return self.buf

    def getfile(self) -> BytesIO:
        return self.buf.getfile()

    def received(self, data: bytes) -> int:
        """Take what came; how many bytes of it belong to this body.

        Raises:
            BadHttp: the chunks are not framed as they must be.
        """
        position = 0
        while position < len(data) and not self.completed:
            if self._awaited is _Awaited.DATA:
                position += self._take_data(data[position : position + self.remaining])
            else:
                position = self._take_line(data, position)
        return position

    def _take_data(self, data: bytes) -> int:
        self.buf.append(data)
        self.remaining -= len(data)
        if not self.remaining:
            self._awaited = _Awaited.DATA_END
        return len(data)

    def _take_line(self, data: bytes, start: int) -> int:
        longest = self._longest()
        end = data.find(b"\n", start, start + longest - len(self._line)) + 1
        self._line += data[start : end or start + longest - len(self._line)]
        if end:
            line = bytes(self._line)
            self._line.clear()
            self._read_line(line)
            return end
        if len(self._line) >= longest:
            raise _bad(f"there is more than fits where {self._awaited.value} belongs")
        return len(data)

    def _longest(self) -> int:
        match self._awaited:
            case _Awaited.SIZE:
                return LONGEST_SIZE_LINE
            case _Awaited.TRAILER:
                return LONGEST_TRAILER - self._trailer_length
            case _:
                return len(b"\r\n")

    def _read_line(self, line: bytes) -> None:
        match self._awaited:
            case _Awaited.SIZE:
                found = _SIZE_LINE.fullmatch(line)
                if found is None:
                    raise _bad("a chunk does not begin with its size in hexadecimal digits")
                self.remaining = int(found[1], 16)
                self._awaited = _Awaited.DATA if self.remaining else _Awaited.TRAILER
            case _Awaited.TRAILER:
                self._read_trailer(line)
            case _:
                if line != b"\r\n":
                    raise _bad("a chunk is longer than its size")
                self._awaited = _Awaited.SIZE

    def _read_trailer(self, line: bytes) -> None:
        self._trailer_length += len(line)
        if line == b"\r\n":
            self.completed = True
        elif not FIELD.fullmatch(line.decode("latin-1")):
            raise _bad("a line of the trailer is not a name, a colon and a value")


def _bad(why: str) -> BadHttp:
    return BadHttp(f"The request is not valid HTTP/1.1: in its chunked body, {why}.")
