"""Server-sent events: bytes to events and back. No socket, no JSON, no provider.

Decoder and encoder stand side by side so that each can be read, and tested, against the other. What an event's data
means is the wires' business, so data stays bytes: it is JSON, and parsed once by whoever wants it. The fields `id` and
`retry` serve browsers that reconnect by themselves, which no model API supports, so they are ignored.

Source: WHATWG HTML, section 9.2 "Server-sent events" (9.2.5 the format, 9.2.6 its interpretation),
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_MAX_EVENT: Final = 16 << 20
"""Bytes. An image in base64 arrives as one event of several MB; nothing that is larger has been seen."""
DEFAULT_MAX_LINE: Final = DEFAULT_MAX_EVENT
"""Bytes. An image stands in one line, so a line gets as much as an event."""
MOST_RECLAIMED: Final = 65_536
"""Bytes of an open line that are given back; a longer one would be copied with every piece that comes to it."""
DONE: Final = b"[DONE]"
"""The data of the event that ends an OpenAI stream."""

_BOM: Final = b"\xef\xbb\xbf"


class SseTooLarge(ValueError):
    """A line or an event is over the decoder's limit; the decoder is of no use after it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data, lines joined by LF, and its type ('' where none was given, which means "message")."""

    data: bytes
    event: str = ""


class SseDecoder:
    """Bytes to events, however the bytes are cut.

    Args:
        max_line: bytes of a line, without its end.
        max_event: bytes held for an event: its data so far and the line being read.
    """

    def __init__(self, *, max_line: int = DEFAULT_MAX_LINE, max_event: int = DEFAULT_MAX_EVENT) -> None:
        self._max_line = max_line
        self._max_event = max_event
        self._fast = min(max_line, max_event)
        self._head: bytes | None = b""  # the first bytes while they may still become a byte order mark
        self._after_cr = False  # a CR has ended a line; an LF that follows belongs to it
        self._line = bytearray()  # a line whose end has not come yet
        self._data = bytearray()  # the data lines of an event whose end has not come yet, each with an LF
        self._event = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Takes time in proportion to `chunk`, however often it is called.

        Raises:
            SseTooLarge: a line or an event is over its limit. Nothing else is raised, whatever the bytes.
        """
        if self._head is not None:
            chunk = self._without_bom(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        if self._is_whole(chunk):
            return self._whole_events(chunk)
        return self._lines(chunk)

    def reclaim(self) -> bytes | None:
        """Take back the line that is open, to be fed again with what follows it: b"" between two events; None, and
        nothing is taken, where more is open than the first line of an event."""
        if self._data or self._event or self._after_cr or self._head or len(self._line) > MOST_RECLAIMED:
            return None
        line = bytes(self._line)
        self._line.clear()
        return line

    def close(self) -> list[Event]:
        """The body has ended: the event that was still open, if any.

        The standard discards an event whose blank line never came. Some providers end the body right after the last
        data line, so here it is delivered; where a connection broke instead, the data is cut short and no JSON.
        """
        line = bytes(self._line)
        self._line.clear()
        if line:
            self._field(line)
        event = self._end_event()
        return [event] if event else []

    def _without_bom(self, chunk: bytes) -> bytes:
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _is_whole(self, chunk: bytes) -> bool:
        """The usual chunk: nothing open before it or after it, LF only, and too short to be over a limit."""
        return (
            chunk.endswith(b"\n\n")
            and len(chunk) <= self._fast
            and b"\r" not in chunk
            and not (self._line or self._data or self._event)
        )

    def _whole_events(self, chunk: bytes) -> list[Event]:
        events = []
        for block in chunk[:-2].split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(Event(block[6:]))
                continue
            for line in block.split(b"\n"):
                if line:
                    self._field(line)
            if event := self._end_event():
                events.append(event)
        return events

    def _lines(self, chunk: bytes) -> list[Event]:
        lines = chunk.splitlines()  # for bytes these are the standard's ends: LF, CRLF, CR
        self._after_cr = chunk.endswith(b"\r")
        rest = b"" if chunk.endswith((b"\r", b"\n")) else lines.pop()
        if lines and self._line:
            lines[0] = bytes(self._line + lines[0])
            self._line.clear()
        events = []
        for line in lines:
            if line:
                self._check(len(line))
                self._field(line)
            elif event := self._end_event():
                events.append(event)
        self._line += rest
        self._check(len(self._line))
        return events

    def _check(self, size: int) -> None:
        """Before a line of `size` bytes is kept, whole or only begun, so that what `close` finds is within limits."""
        if size > self._max_line:
            raise SseTooLarge(f"a line is over {self._max_line} bytes")
        if len(self._data) + size > self._max_event:
            raise SseTooLarge(f"an event is over {self._max_event} bytes")

    def _field(self, line: bytes) -> None:
        """One line that is not blank; a comment is a field without a name."""
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data += value.removeprefix(b" ")
            self._data += b"\n"
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode(errors="replace")

    def _end_event(self) -> Event | None:
        event = Event(bytes(self._data[:-1]), self._event) if self._data else None
        self._data.clear()
        self._event = ""
        return event


def encode(data: bytes, event: str = "") -> bytes:
    """One event as bytes.

    Args:
        data: any bytes; a line end in it (LF, CRLF or CR) arrives as LF.
        event: the event's type, without a line end; '' leaves it out.

    Raises:
        ValueError: the type has a line end, which would let it forge fields.
    """
    if "\n" in event or "\r" in event:
        raise ValueError("an event type is one line")
    kind = f"event: {event}\n".encode(errors="replace") if event else b""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_split(data))
    return b"%bdata: %b\n\n" % (kind, data)


def comment(text: str) -> bytes:
    """A comment as bytes: clients pass over it, people see it. `text` is one line, or is made one."""
    return f": {' '.join(text.split())}\n\n".encode(errors="replace")


def _split(data: bytes) -> list[bytes]:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
