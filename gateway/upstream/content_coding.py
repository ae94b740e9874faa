"""A compressed body, unpacked in portions: bytes in, bytes out.

Every request asks for `identity`. A provider that compresses all the same is read nonetheless, but never more is
unpacked at once than a portion, so that whoever reads can stop: 300 KB of gzip hold 300 MB if they want to.

Source: RFC 9110 section 8.4.1; RFC 1952 (gzip: members one after the other); RFC 1950 for `deflate`, and the bare
RFC 1951 that some servers mean by it.
"""

import zlib
from typing import TYPE_CHECKING, Final

from gateway.http1.response_body import ProtocolError

if TYPE_CHECKING:
    from zlib import _Decompress

PORTION: Final = 262_144
"""Bytes unpacked at once."""
CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})

_GZIP: Final = 31  # zlib's numbers for what it is to expect
_ZLIB: Final = 15
_BARE: Final = -15


class Unpacker:
    """The unpacked bytes of a body, however it is cut.

    Args:
        coding: a Content-Encoding, in lower case.

    Raises:
        ProtocolError: it is none of CODINGS.

    Attributes:
        pending: whether there is more to give before more bytes are needed: call `feed` with none.
    """

    def __init__(self, coding: str) -> None:
        if coding not in CODINGS:
            raise ProtocolError("its answer has a content coding that was not asked for")
        self.pending = False
        self._gzip = coding != "deflate"
        self._engine: _Decompress | None = None
        self._packed = b""
        self._complete = False  # a member has come to its end
        self._over = False  # what follows that end is no member

    @property
    def whole(self) -> bool:
        """Whether the body may end here."""
        return self._engine is None and (self._complete or not self._packed)

    def feed(self, data: bytes) -> bytes:
        """At most PORTION bytes. Raises ProtocolError: the body is damaged."""
        self._packed += data
        parts: list[bytes] = []
        room = PORTION
        try:
            while room and (engine := self._begun()) is not None:
                parts.append(engine.decompress(self._packed, room))
                room -= len(parts[-1])
                if engine.eof:
                    self._engine, self._packed, self._complete = None, engine.unused_data, True
                    continue
                self._packed = engine.unconsumed_tail
                if room:
                    break  # all that has come is unpacked
        except zlib.error:
            raise ProtocolError("its compressed answer is damaged") from None
        self.pending = not room
        return b"".join(parts)

    def _begun(self) -> "_Decompress | None":
        """Who unpacks the member that is being read; None if there is none, or none yet: its first two bytes tell."""
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
