"""Server-sent events: bytes to events and back. No socket, no JSON, no provider.

Decoder and encoder are in one module so that each can be read and tested against the other. Data stays bytes: the wires
define its meaning, and parse it once. The fields `id` and `retry` are ignored. They serve browsers that reconnect by
themselves, which no model API supports.

Source: WHATWG HTML, section 9.2 "Server-sent events" (9.2.5 the format, 9.2.6 its interpretation),
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_MAX_EVENT: Final = 16 << 20
"""Bytes. An image in base64 arrives as one event of several MB; no larger event is known."""
DEFAULT_MAX_LINE: Final = DEFAULT_MAX_EVENT
"""Bytes. An image is one line, so the limit of a line is the limit of an event."""
MOST_RECLAIMED: Final = 65_536
"""Bytes. A longer unfinished line is not returned by `reclaim`, because it would be copied with each further piece."""
DONE: Final = b"[DONE]"
"""The data of the event that ends an OpenAI stream."""

ERROR: Final = "error"
"""The type of an event that is an error."""

_BOM: Final = b"\xef\xbb\xbf"
_IGNORED: Final = frozenset({b"", b"id", b"retry"})
"""The names of comments, and of the standard's fields that mean nothing here."""


class SseTooLarge(ValueError):
    """A line or an event exceeds the decoder's limit. The decoder cannot be used afterwards."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data, with lines joined by LF, and its type ('' where there is none, which means "message")."""

    data: bytes
    event: str = ""


class StrayLine(Event):
    """A line that no event has: its name is none of the standard's. Servers and proxies write errors like that, as text
    or HTML, as bare JSON, or in a field `error`. `data` is the whole line."""


class SseDecoder:
    """Bytes to events, wherever the bytes are cut.

    Args:
        max_line: the most bytes of a line, without its end.
        max_event: the most bytes held for an event: its data so far and the unfinished line.
        keep_strays: deliver a StrayLine for each line that the standard would ignore for its name, and an event of the
            type `error` without data.
    """

    def __init__(
        self,
        *,
        max_line: int = DEFAULT_MAX_LINE,
        max_event: int = DEFAULT_MAX_EVENT,
        keep_strays: bool = False,
    ) -> None:
        self._keep_strays = keep_strays
        self._max_line = max_line
        self._max_event = max_event
        self._fast = min(max_line, max_event)
        self._head: bytes | None = b""  # the first bytes, while they may still be part of a byte order mark
        self._after_cr = False  # the last line ended with a CR; a following LF belongs to it
        self._line = bytearray()  # the unfinished line
        self._data = bytearray()  # the data lines of the unfinished event, each with an LF
        self._event = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Takes time proportional to `chunk`, no matter how often it is called.

        Raises:
            SseTooLarge: a line or an event exceeds its limit. Nothing else is raised for any bytes.
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

    def reclaim(self, *, named: bool = False) -> bytes | None:
        """Remove and return the unfinished line, so that the caller can feed it again with the bytes after it. Returns
        b"" between two events. Returns None and removes nothing where more than the first line of an event is open.

        Args:
            named: return the event's type too, as a line before, where no other line of the event is whole.
        """
        is_open = self._data or (self._event and not named)
        if is_open or self._after_cr or self._head or len(self._line) > MOST_RECLAIMED:
            return None
        line = bytes(self._line)
        self._line.clear()
        if self._event:
            line = b"event: %b\n%b" % (self._event.encode(), line)
            self._event = ""
        return line

    def close(self) -> list[Event]:
        """The unfinished event, if there is one, at the end of the body.

        The standard discards an event without its blank line. Some providers end the body right after the last data
        line, so the event is delivered here. Where a connection broke instead, the data is cut short and not JSON.
        """
        line = bytes(self._line)
        self._line.clear()
        events: list[Event] = []
        if line:
            self._field(line, events)
        if event := self._end_event():
            events.append(event)
        return events

    def _without_bom(self, chunk: bytes) -> bytes:
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _is_whole(self, chunk: bytes) -> bool:
        """Whether this is the usual chunk: whole events only, LF line ends, and shorter than both limits."""
        return (
            chunk.endswith(b"\n\n")
            and len(chunk) <= self._fast
            and b"\r" not in chunk
            and not (self._line or self._data or self._event)
        )

    def _whole_events(self, chunk: bytes) -> list[Event]:
        events: list[Event] = []
        for block in chunk[:-2].split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(Event(block[6:]))
                continue
            for line in block.split(b"\n"):
                if line:
                    self._field(line, events)
            if event := self._end_event():
                events.append(event)
        return events

    def _lines(self, chunk: bytes) -> list[Event]:
        lines = chunk.splitlines()  # bytes.splitlines splits at exactly the standard's line ends: LF, CRLF, CR
        self._after_cr = chunk.endswith(b"\r")
        rest = b"" if chunk.endswith((b"\r", b"\n")) else lines.pop()
        if lines and self._line:
            lines[0] = bytes(self._line + lines[0])
            self._line.clear()
        events: list[Event] = []
        for line in lines:
            if line:
                self._check(len(line))
                self._field(line, events)
            elif event := self._end_event():
                events.append(event)
        self._line += rest
        self._check(len(self._line))
        return events

    def _check(self, size: int) -> None:
        """Check the limits before a line of `size` bytes is kept, so that `close` also stays within them."""
        if size > self._max_line:
            raise SseTooLarge(f"a line is over {self._max_line} bytes")
        if len(self._data) + size > self._max_event:
            raise SseTooLarge(f"an event is over {self._max_event} bytes")

    def _field(self, line: bytes, events: list[Event]) -> None:
        """Read one line that is not blank; a comment is a field without a name. A stray line is added to `events`."""
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data += value.removeprefix(b" ")
            self._data += b"\n"
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode(errors="replace")
        elif self._keep_strays and name not in _IGNORED:
            events.append(StrayLine(line))

    def _end_event(self) -> Event | None:
        has_event = self._data or (self._event == ERROR and self._keep_strays)
        event = Event(bytes(self._data[:-1]), self._event) if has_event else None
        self._data.clear()
        self._event = ""
        return event


def encode(data: bytes, event: str = "") -> bytes:
    """One event as bytes.

    Args:
        data: any bytes; line ends in it (LF, CRLF or CR) arrive as LF.
        event: the event's type, without a line end; '' leaves it out.

    Raises:
        ValueError: the type has a line end, which could forge fields.
    """
    if "\n" in event or "\r" in event:
        raise ValueError("an event type is one line")
    kind = f"event: {event}\n".encode(errors="replace") if event else b""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_split(data))
    return b"%bdata: %b\n\n" % (kind, data)


def comment(text: str) -> bytes:
    """A comment as bytes: clients ignore it, people can read it. `text` becomes one line."""
    return f": {' '.join(text.split())}\n\n".encode(errors="replace")


def _split(data: bytes) -> list[bytes]:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
