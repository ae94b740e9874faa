"""The latest request head of a connection, for the next one: a client mostly repeats it with another length.

What is remembered is the text around the digits of Content-Length. A head of the same text and other digits says the
same but for its length, so that only the digits are read. Any other head is read whole.

Whoever serves such requests finds out the same of each. So they share a dictionary, `RequestHead.notes`, for what
follows from the head without those digits. It belongs to the owner of the connection, as the request does.
"""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.http1.request_head import RequestHead
from gateway.http1.request_reader import body_length, parse

MAX_REMEMBERED: Final = 4_096
"""Characters of a head that is remembered. openai-python sends some 600."""

_LENGTH: Final = re.compile(r"\r\ncontent-length: *([0-9]++)\r\n", re.IGNORECASE)


class _Known(Struct, frozen=True):
    """A head that was read, and its text before and after the digits of its length."""

    before: str
    after: str
    head: RequestHead


class HeadMemory:
    """Reads the heads of one connection. One thread at a time uses it."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: _Known | None = None

    def read(self, text: str) -> RequestHead:
        """Read a head; arguments and errors are those of gateway.http1.request_reader.parse."""
        latest = self._latest
        if latest is not None and text.startswith(latest.before) and text.endswith(latest.after):
            digits = text[len(latest.before) : -len(latest.after)]
            if digits == latest.head.fields["CONTENT_LENGTH"]:
                return latest.head
            if digits.isascii() and digits.isdigit():
                fields = {**latest.head.fields, "CONTENT_LENGTH": digits}
                return replace(latest.head, fields=fields, length=body_length(fields))
        head = parse(text)
        found = _LENGTH.search(text) if len(text) <= MAX_REMEMBERED else None
        # without a length, or with one of chunks beside it, there is nothing to gain
        if found is None:
            self._latest = None
            return head
        head = replace(head, notes={})
        self._latest = _Known(text[: found.start(1)], text[found.end(1) :], head)
        return head
