"""Reads an HTTP/1.1 answer piece by piece: its status, then its body without the framing.

It is small and fast rather than complete, and reads what the contenders send. Anything else is Unmeasurable, because a
load generator that guesses measures nothing.
"""

import re
from typing import Final

from benchmarks.faults import Unmeasurable

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSES: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
MOST_HEAD: Final = 65_536
MOST_SIZE_LINE: Final = 64


class Body:
    """A message's body.

    Args:
        chunked: whether it is chunked (RFC 9112, section 7.1).
        length: its bytes, if it is not chunked; None if it ends with the connection.
    """

    def __init__(self, *, chunked: bool, length: int | None = None) -> None:
        self._chunked = chunked
        self._left = length
        self._rest = b""
        self._in_chunk = 0
        self.complete = not chunked and length == 0

    def feed(self, data: bytes) -> bytes:
        """The bytes of the content in `data`."""
        if self._chunked:
            return self._dechunk(self._rest + data if self._rest else data)
        if self._left is not None:
            self._left -= len(data)
            self.complete = self._left <= 0
        return data

    def _dechunk(self, data: bytes) -> bytes:
        found = []
        at = 0
        while not self.complete:
            if self._in_chunk:  # counts the CRLF after the chunk
                piece = data[at : at + self._in_chunk]
                at += len(piece)
                self._in_chunk -= len(piece)
                found.append(piece[: max(0, len(piece) - max(0, 2 - self._in_chunk))])  # without the CRLF
                if self._in_chunk:
                    break
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            size = _size(data[at:end])
            if size == 0:
                if data.find(b"\r\n", end + 2) < 0:
                    break
                self.complete = True
            at = end + 2
            self._in_chunk = size + 2 if size else 0
        self._rest = data[at:]
        if not self._in_chunk and len(self._rest) > MOST_SIZE_LINE and not self.complete:
            raise Unmeasurable("a chunked body without chunks")
        return b"".join(found)


def _size(line: bytes) -> int:
    try:
        size = int(line.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise Unmeasurable(f"a chunk's size is {line[:MOST_SIZE_LINE]!r}")
    return size


class Answer:
    """An answer to one request.

    Attributes:
        status: None until the head is complete.
        closes: whether the connection ends with this answer.
    """

    def __init__(self) -> None:
        self._head = b""
        self._body: Body | None = None
        self.status: int | None = None
        self.closes = False

    @property
    def complete(self) -> bool:
        return self._body is not None and self._body.complete

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body's content in `data`."""
        if self._body is not None:
            return self._body.feed(data)
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > MOST_HEAD:
                raise Unmeasurable("an answer's head has no end")
            return b""
        fields, rest = self._head[: end + 2], self._head[end + 4 :]
        self._head = b""
        self._read_head(fields)
        return self._body.feed(rest) if self._body and rest else b""

    def _read_head(self, fields: bytes) -> None:
        if not fields.startswith(b"HTTP/1.") or not fields[9:12].isdigit():
            raise Unmeasurable(f"no HTTP/1 answer: {fields[:40]!r}")
        self.status = int(fields[9:12])
        length = LENGTH.search(fields)
        self._body = Body(chunked=CHUNKED.search(fields) is not None, length=int(length[1]) if length else None)
        self.closes = CLOSES.search(fields) is not None
