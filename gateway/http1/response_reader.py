"""HTTP/1.1 as a client reads it: one response. Bytes in, bytes out, no socket.

It is our own because a call through requests costs more than the rest of the gateway together, most of it in parsing a
head as if it were an e-mail. No socket, so that the thread that waits for an answer and the one that carries many
streams read by the same rules, and so that every rule is tested by cutting bytes. What comes is a stranger's: all of it
is limited, nothing is raised whatever the bytes, and what is not clearly framed does not serve again.

Where a body ends is next door, in response_body. Source: RFC 9112; sections are named where they decide.
"""

import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final

from gateway.http1.response_body import Body, Counted, ProtocolError, body_of, listed

MAX_HEAD: Final = 65_536
"""Bytes of a status line and its fields; http.client takes as much for one field alone."""
MAX_FIELDS: Final = 100
"""As in http.client; a provider's CDN adds some 20 to its own 20."""
MAX_INTERIM: Final = 16
"""1xx responses before the final one. More than one or two have not been seen."""

NOT_HTTP: Final = "its answer is not HTTP/1.1"

# ++ and *+ take all they can and never give back, which is faster. Not around a group: Python 3.11.0 to 3.11.4 match
# those wrongly (CPython issue 106052).
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
# section 4; a line may end in LF alone (section 2.2), and the reason may be missing together with its blank
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\n\0]*+)?\r?\n")
_FIELD: Final = re.compile(rf"^({_WORD}):[ \t]*+([^\r\n\0]*+)\r?\n", re.MULTILINE)


class Headers(Mapping[str, str]):
    """Header fields, in lower case and found whatever the case; the values of a repeated one are joined by a comma."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as Mapping has it, which takes an exception
        return self._values.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> KeysView[str]:  # Mapping's own looks each up again, as do those of the next two
        return self._values.keys()

    def values(self) -> ValuesView[str]:
        return self._values.values()

    def items(self) -> ItemsView[str, str]:
        return self._values.items()


_NO_HEADERS: Final = Headers({})
_NO_BODY: Final = Counted(0)
"""What a response has whose head has not come; nothing is fed to them."""


class ResponseReader:
    """One response to a POST, however its bytes are cut.

    Attributes:
        status: None until the head is complete.
        headers: of the final response.
        ended: whether the body is complete.
        fault: what was wrong; from then on nothing is read any more.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers = _NO_HEADERS
        self.ended = False
        self.fault: ProtocolError | None = None
        self._head = b""  # what has come of it
        self._searched = 0  # bytes of it in which no end begins
        self._interim = 0
        self._persists = False
        self._body: Body = _NO_BODY

    @property
    def reusable(self) -> bool:
        """Whether the connection can serve again: the response is over, and it is certain where it ended."""
        return self.ended and self._persists and not self._body.surplus and self.fault is None

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that `data` brings. Raises nothing: see `fault`, after having used what is returned."""
        if self.fault is not None:
            return b""
        try:
            if self.status is None:
                data = self._past_head(data)
                if self.status is None:
                    return b""
            body = self._body.feed(data)
        except ProtocolError as fault:
            self.fault = fault
            return b""
        self.ended, self.fault = self._body.ended, self._body.fault
        return body

    def close(self) -> None:
        """The connection has ended, which may be the body's end. Raises nothing: see `ended` and `fault`."""
        self._persists = False
        if self.fault is not None:
            return
        try:
            if self.status is None:
                raise ProtocolError(
                    "it closed the connection inside the head of its answer"
                    if self._head
                    else "it closed the connection without an answer"
                )
            self._body.close()
            self.ended = True
        except ProtocolError as fault:
            self.fault = fault

    def _past_head(self, data: bytes) -> bytes:
        """Takes the head in; what is left of `data` after it."""
        data = self._head + data if self._head else data
        while self.status is None:
            end = _HEAD_END.search(data, self._searched)
            if end is None or end.end() > MAX_HEAD:
                if not data.startswith(b"HTTP/1."[: len(data)]):
                    raise ProtocolError(NOT_HTTP)
                if len(data) > MAX_HEAD:
                    raise ProtocolError("the head of its answer is too long")
                self._head, self._searched = data, max(len(data) - 2, 0)
                return b""
            self._take_head(data[: end.end()].decode("latin-1"))
            data, self._head, self._searched = data[end.end() :], b"", 0
        return data

    def _take_head(self, text: str) -> None:
        # a folded line is a blank (section 5.2); there is none, so it is looked for only where nothing else explains
        found = _parts(text) or _parts(_FOLD.sub(" ", text))
        if found is None:
            raise ProtocolError(NOT_HTTP)
        minor, status, fields = found
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > MAX_INTERIM:
                raise ProtocolError("it does not come to an answer")
            return
        values = _values(fields)
        connection = values.get("connection")
        close = connection is not None and "close" in connection.lower() and "close" in listed(connection)
        # what has both framings is not to be trusted in where it ends (section 6.3, number 3)
        both = "transfer-encoding" in values and "content-length" in values
        self._persists = minor != "0" and not close and not both
        self._body = body_of(status, values)
        self.status, self.headers = status, Headers(values)


def _parts(text: str) -> tuple[str, int, list[tuple[str, str]]] | None:
    """The minor version, the status and the fields of a head; None where a line is no status line or field.

    Args:
        text: up to the empty line, with it.
    """
    line = _STATUS_LINE.match(text)
    if line is None:
        return None
    fields = _FIELD.findall(text, line.end())
    # Each match is a line. As many as there are between the first and the empty one: all of those are fields.
    if len(fields) != text.count("\n") - 2:
        return None
    return line[1], int(line[2]), fields


def _values(fields: list[tuple[str, str]]) -> dict[str, str]:
    if len(fields) > MAX_FIELDS:
        raise ProtocolError("the head of its answer has too many fields")
    # one after the other: columns by zip and map take half as long again
    found = {name.lower(): value.rstrip(" \t") for name, value in fields}
    if len(found) == len(fields):
        return found
    pairs = [(name.lower(), value.rstrip(" \t")) for name, value in fields]  # one is repeated
    return {name: ", ".join(value for key, value in pairs if key == name) for name in found}
