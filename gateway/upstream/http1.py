"""HTTP/1.1 as a client speaks it: the head of a request, and one response. Bytes in, bytes out, no socket.

It is its own because a call through requests costs more than the rest of the gateway together, most of it in parsing a
head as if it were an e-mail. No socket, so that the thread that waits for an answer and the one that carries many
streams read by the same rules, and so that every rule is tested by cutting bytes. What comes is a stranger's: all of it
is limited, nothing is raised whatever the bytes, and what is not clearly framed does not serve again.

Where a body ends is next door, in framing. Source: RFC 9112; sections are named where they decide.
"""

import re
from collections.abc import ItemsView, Iterator, Mapping
from typing import Final

from gateway.upstream.framing import Body, Counted, Http1Fault, body_of, listed

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
_HEAD: Final = re.compile(
    # section 4; a line may end in LF alone (section 2.2), and the reason may be missing together with its blank
    r"HTTP/1\.(?P<minor>[0-9]) (?P<status>[1-9][0-9]{2})(?: [^\r\n\0]*+)?\r?\n"
    rf"(?P<fields>(?:{_WORD}:[^\r\n\0]*+\r?\n)*)\r?\n"
)
_FIELD: Final = re.compile(r"([^:]++):[ \t]*+([^\r\n]*+)\r?\n")  # of lines that _HEAD has found to be fields
_TARGET: Final = re.compile(r"[!-\"$-~]+")  # a fragment is not sent
_NAME: Final = re.compile(_WORD)
_VALUE: Final = re.compile(r"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Headers(Mapping[str, str]):
    """Header fields, in lower case and found whatever the case; the values of a repeated one are joined by a comma."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, str]:  # Mapping's own looks each up again
        return self._values.items()


# Out ---------------------------------------------------------------------------------------------------------------


class PostHead:
    """The heads of the POST requests to one host.

    Args:
        host: for the field Host: the name, and the port if it is not the scheme's own.
        fields: what every request has.

    Raises:
        Http1Fault: one of them cannot stand in a head.
    """

    def __init__(self, host: str, fields: Mapping[str, str]) -> None:
        self._taken = _FRAMING
        if not _TARGET.fullmatch(host):
            raise Http1Fault("its host has characters that cannot be sent")
        every = _lines({"Host": host}, frozenset()) + _lines(fields, self._taken)
        self._start = f" HTTP/1.1\r\n{every}"
        self._taken |= {name.lower() for name in fields}
        self._latest: tuple[str, Mapping[str, str], str] | None = None

    def render(self, target: str, fields: Mapping[str, str], length: int) -> bytes:
        """The head, in this order: Host, what every request has, `fields`, the length.

        Args:
            target: path and query, beginning with `/`.
            fields: what this request has besides.
            length: bytes of the body.

        Raises:
            Http1Fault: a part cannot stand in a head, or a field is set twice or decides on framing.
        """
        return f"{self._before_length(target, fields)}Content-Length: {length}\r\n\r\n".encode("latin-1")

    def _before_length(self, target: str, fields: Mapping[str, str]) -> str:
        """The latest one is kept (3 us a call): the next request mostly differs in nothing but its length."""
        if (latest := self._latest) is not None and latest[0] == target and latest[1] == fields:
            return latest[2]
        if not _TARGET.fullmatch(target):
            raise Http1Fault("its address has characters that cannot be sent")
        before = f"POST {target}{self._start}{_lines(fields, self._taken)}"
        self._latest = target, dict(fields), before
        return before


def _lines(fields: Mapping[str, str], taken: frozenset[str]) -> str:
    lines = ""
    for name, value in fields.items():
        if name.lower() in taken or not _NAME.fullmatch(name):
            raise Http1Fault("a header of its request cannot be set so")
        if not _VALUE.fullmatch(value):
            raise Http1Fault("a header of its request has characters that cannot be sent")
        lines += f"{name}: {value}\r\n"
    return lines


# In ----------------------------------------------------------------------------------------------------------------


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
        self.headers = Headers({})
        self.ended = False
        self.fault: Http1Fault | None = None
        self._head = b""  # what has come of it
        self._searched = 0  # bytes of it in which no end begins
        self._interim = 0
        self._persists = False
        self._body: Body = Counted(0)

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
        except Http1Fault as fault:
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
                raise Http1Fault(
                    "it closed the connection inside the head of its answer"
                    if self._head
                    else "it closed the connection without an answer"
                )
            self._body.close()
            self.ended = True
        except Http1Fault as fault:
            self.fault = fault

    def _past_head(self, data: bytes) -> bytes:
        """Takes the head in; what is left of `data` after it."""
        data = self._head + data if self._head else data
        while self.status is None:
            end = _HEAD_END.search(data, self._searched)
            if end is None or end.end() > MAX_HEAD:
                if not data.startswith(b"HTTP/1."[: len(data)]):
                    raise Http1Fault(NOT_HTTP)
                if len(data) > MAX_HEAD:
                    raise Http1Fault("the head of its answer is too long")
                self._head, self._searched = data, max(len(data) - 2, 0)
                return b""
            self._take_head(data[: end.end()].decode("latin-1"))
            data, self._head, self._searched = data[end.end() :], b"", 0
        return data

    def _take_head(self, text: str) -> None:
        # a folded line is a blank (section 5.2); there is none, so it is looked for only where nothing else explains
        found = _HEAD.fullmatch(text) or _HEAD.fullmatch(_FOLD.sub(" ", text))
        if found is None:
            raise Http1Fault(NOT_HTTP)
        status = int(found["status"])
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > MAX_INTERIM:
                raise Http1Fault("it does not come to an answer")
            return
        values = _values(_FIELD.findall(found["fields"]))
        connection = values.get("connection")
        close = connection is not None and "close" in listed(connection)
        # what has both framings is not to be trusted in where it ends (section 6.3, number 3)
        both = "transfer-encoding" in values and "content-length" in values
        self._persists = found["minor"] != "0" and not close and not both
        self._body = body_of(status, values)
        self.status, self.headers = status, Headers(values)


def _values(fields: list[tuple[str, str]]) -> dict[str, str]:
    if len(fields) > MAX_FIELDS:
        raise Http1Fault("the head of its answer has too many fields")
    values: dict[str, str] = {}
    for name, text in fields:
        key, value = name.lower(), text.rstrip(" \t")
        values[key] = f"{values[key]}, {value}" if key in values else value
    return values
