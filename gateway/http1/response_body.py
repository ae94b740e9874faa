"""Where the body of an HTTP/1.1 response ends, and what of it has come. Bytes in, bytes out, like all of http1.

Source: RFC 9112 section 6.3 (which framing), section 7.1 (chunked).
"""

import re
from collections.abc import Mapping
from typing import Final, Protocol

MAX_SIZE_LINE: Final = 4_096
"""Bytes of a chunk's size and extensions, and the line end before them. Extensions are not in use anywhere."""
MAX_TRAILER: Final = 16_384
"""Bytes of the fields after the last chunk, which nobody reads."""
EARLY: Final = "it closed the connection before the end"
LONG_LINE: Final = "a line between the pieces of its answer is too long"

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_FIRST_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")
_NEXT_SIZE: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")


class ProtocolError(Exception):
    """What cannot be sent, or what came and is no response. The text is for people and quotes nothing."""


class Body(Protocol):
    """A body by one way of framing it (RFC 9112 section 6.3)."""

    ended: bool
    surplus: bool  # bytes came after its end: nonsense, or an answer to a request that nobody made
    fault: ProtocolError | None

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in `data`, up to its end or to a fault."""

    def close(self) -> None:
        """The connection has ended, and no fault was found before. Raises ProtocolError where that is too early."""


def listed(value: str) -> set[str]:
    """The items of a field that is a list (RFC 9110 section 5.6.1), in lower case."""
    return {item.strip(" \t").lower() for item in value.split(",")}


def body_of(status: int, values: Mapping[str, str]) -> Body:
    """The framing (section 6.3). No coding but `chunked` was asked for, so any other is a fault."""
    if status in (204, 304):
        return Counted(0)
    coding = values.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise ProtocolError("its answer has a transfer coding that was not asked for")
        return Chunked()
    length = values.get("content-length")
    if length is None:
        return UntilClose()
    if _DIGITS.fullmatch(length):
        return Counted(int(length))
    lengths = listed(length)  # the same one, repeated
    said = lengths.pop()
    if lengths or not _DIGITS.fullmatch(said):
        raise ProtocolError("its answer has no clear length")
    return Counted(int(said))


class Counted:
    """Of a known length (section 6.2)."""

    def __init__(self, left: int) -> None:
        self.ended = left == 0
        self.surplus = False
        self.fault: ProtocolError | None = None
        self._left = left

    def feed(self, data: bytes) -> bytes:
        if len(data) > self._left:
            self.surplus = True
            data = data[: self._left]
        self._left -= len(data)
        self.ended = self._left == 0
        return data

    def close(self) -> None:
        if self._left:
            raise ProtocolError(EARLY)


class UntilClose:
    """Of a length that nobody has told (section 6.3, number 8)."""

    ended = False  # only the connection's end says so
    surplus = False
    fault: ProtocolError | None = None

    def feed(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        """The end."""


class Chunked:
    """Section 7.1. Between data and data there is one line to find: the size, with the end of the data before it."""

    def __init__(self) -> None:
        self.ended = False
        self.surplus = False
        self.fault: ProtocolError | None = None
        self._left = 0  # bytes of data until this chunk is over
        self._size = _FIRST_SIZE
        self._past_data = 0  # bytes of the line end that the data before has left
        self._line = b""  # what has come of a line
        self._trailer: int | None = None  # bytes of it, once the last chunk has come

    def feed(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        try:
            self._read(self._line + data if self._line else data, parts)
        except ProtocolError as fault:
            self.fault = fault
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if self._trailer is None:  # where only the trailer's end is missing, the body is whole (section 8)
            raise ProtocolError(EARLY)

    def _whole(self, data: bytes, parts: list[bytes]) -> int:
        """Takes the chunks at the beginning that are there from one end to the other, which is how nearly all come;
        where they end."""
        at = 0
        while found := self._size.match(data, at):
            start, size = found.end(), int(found[1], 16)
            end = start + size
            if not size or end > len(data) or start - at > MAX_SIZE_LINE:
                break
            parts.append(data[start:end])
            at, self._size, self._past_data = end, _NEXT_SIZE, 2
        return at

    def _read(self, data: bytes, parts: list[bytes]) -> None:
        at = 0 if self._left or self._trailer is not None else self._whole(data, parts)
        while self._trailer is None:
            if self._left:
                part = data[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                if part:
                    parts.append(part)
                if self._left:
                    self._line = b""
                    return
            end = data.find(b"\n", at + self._past_data, at + MAX_SIZE_LINE) + 1
            if not end:
                self._keep(data[at:], MAX_SIZE_LINE)
                return
            found = self._size.fullmatch(data, at, end)
            if found is None:
                raise ProtocolError("a piece of its answer has no clear size")
            at, self._left, self._size, self._past_data = end, int(found[1], 16), _NEXT_SIZE, 2
            self._trailer = None if self._left else 0
        self._skip_trailer(data, at, self._trailer)

    def _skip_trailer(self, data: bytes, at: int, passed: int) -> None:
        self._line = b""
        while not self.ended:
            end = data.find(b"\n", at) + 1
            if not end:
                self._trailer = passed
                self._keep(data[at:], MAX_TRAILER - passed)
                return
            passed += end - at
            if passed > MAX_TRAILER:
                raise ProtocolError(LONG_LINE)
            self.ended = data[at:end] in (b"\r\n", b"\n")
            at = end
        self.surplus = self.surplus or at < len(data)

    def _keep(self, line: bytes, limit: int) -> None:
        if len(line) >= limit:
            raise ProtocolError(LONG_LINE)
        self._line = line
