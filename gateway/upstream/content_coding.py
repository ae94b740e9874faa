"""Decompresses a body in portions: bytes in, bytes out, no socket.

Every request asks for `identity`, but some providers compress all the same. Each call returns at most one portion, so
that the reader can stop in time: 300 KB of gzip can hold 300 MB.

Source: RFC 9110 section 8.4.1; RFC 1952 (gzip: members one after the other); RFC 1950 for `deflate`, and the bare
RFC 1951 that some servers mean by it.
"""

import zlib
from typing import TYPE_CHECKING, Final

from gateway.http1.response_body import ProtocolError

if TYPE_CHECKING:
    from zlib import _Decompress

PORTION: Final = 262_144
"""Bytes decompressed at once."""
CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})

_GZIP: Final = 31  # the values of zlib's wbits for each format
_ZLIB: Final = 15
_BARE: Final = -15


class Decompressor:
    """Decompresses one body, in whatever pieces it comes.

    Args:
        coding: a Content-Encoding, in lower case.

    Raises:
        ProtocolError: it is none of CODINGS.

    Attributes:
        pending: whether `feed(b"")` returns more bytes, before the body's next bytes are needed.
    """

    def __init__(self, coding: str) -> None:
        if coding not in CODINGS:
            raise ProtocolError("its answer has a content coding that was not asked for")
        self.pending = False
        self._gzip = coding != "deflate"
        self._engine: _Decompress | None = None
        self._packed = b""
        self._complete = False  # a member has come to its end
        self._over = False  # the bytes after that end are no member

    @property
    def whole(self) -> bool:
        """Whether the body may end here."""
        return self._engine is None and (self._complete or not self._packed)

    def feed(self, data: bytes) -> bytes:
        """Decompress bytes of the body; at most PORTION bytes come out. Raises ProtocolError: the body is damaged."""
        self._packed += data
        parts: list[bytes] = []
        room = PORTION
        try:
            while room and (engine := self._current()) is not None:
                parts.append(engine.decompress(self._packed, room))
                room -= len(parts[-1])
                if engine.eof:
                    self._engine, self._packed, self._complete = None, engine.unused_data, True
                    continue
                self._packed = engine.unconsumed_tail
                if room:
                    break  # all that has come is decompressed
        except zlib.error:
            raise ProtocolError("its compressed answer is damaged") from None
        self.pending = not room
        return b"".join(parts)

    def _current(self) -> "_Decompress | None":
        """The engine for the member that is being read. None after the last member, and before the first two bytes of
        a member, which choose the engine."""
        if self._engine is None and not self._over and len(self._packed) >= 2:
            first, second = self._packed[:2]
            if self._complete and not (self._gzip and (first, second) == (0x1F, 0x8B)):
                self._over = True
            elif self._gzip:
                self._engine = zlib.decompressobj(_GZIP)
            else:  # RFC 1950 section 2.2: the method is 8, and both bytes together a multiple of 31
                is_zlib = first & 0x0F == 8 and (first << 8 | second) % 31 == 0
                self._engine = zlib.decompressobj(_ZLIB if is_zlib else _BARE)
        if self._over:
            self._packed = b""
        return self._engine
