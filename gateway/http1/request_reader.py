"""The head of a request, read strictly: bytes in, a RequestHead or an error of ours out. No socket, no waitress.

What two readers could understand differently is refused, not interpreted, because whoever stands before the gateway may
have understood it the other way, and a request could hide in the difference. So one compiled pattern reads every field
line whole or not at all, and whatever decides where the body ends may be said once. This way round (one strict reader,
instead of checks before a lenient one) it is also the faster one.

Sources: RFC 9112 sections 2.2 (lines), 3 (request line), 5 (fields), 6 (body length); RFC 9110 sections 5.5 (values),
7.2 (Host), 9.1 (methods). Where they let the recipient choose, it refuses.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from gateway.core.errors import (
    BadHttp,
    GatewayError,
    HeadersTooLarge,
    HttpVersionRefused,
    NotImplementedHttp,
    TargetTooLong,
)
from gateway.http1.request_head import RequestHead

MAX_HEAD: Final = 32_768
"""Bytes from the request line to the empty line, both included."""
MAX_TARGET: Final = 8_192
"""Characters of the request target; RFC 9112 section 3 asks for 8,000 at least."""
MAX_FIELDS: Final = 100
MAX_EMPTY_LINES: Final = 4
"""Before a request; some clients end a body with one too many (RFC 9112 section 2.2)."""
MAX_LENGTH_DIGITS: Final = 18
"""Of a Content-Length without leading zeros; a longer one says UNBOUNDED, which is more than any limit."""
UNBOUNDED: Final = 10**MAX_LENGTH_DIGITS

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
"""What is passed on; whether a path takes it is the application's word."""

_END: Final = b"\r\n\r\n"
_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_REQUEST_LINE: Final = re.compile(rf"({_NAME}) ([\x21-\x7e]++) HTTP/([0-9]\.[0-9])\r\n")
FIELD: Final = re.compile(rf"^({_NAME}):([^\x00-\x08\n-\x1f\x7f]*+)\r\n", re.MULTILINE)
"""A field line. Possessive throughout: a line is read in one go, or refused in one go."""

_PATH: Final = r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*+"
_QUERY: Final = r"(?:\?([A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*+))?"
_ORIGIN_FORM: Final = re.compile(rf"({_PATH}){_QUERY}")
_ABSOLUTE_FORM: Final = re.compile(rf"https?://([^/?#]*+)({_PATH})?{_QUERY}", re.IGNORECASE)
_AUTHORITY: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]++\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*+)(?::[0-9]*+)?"
)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_STRAY: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)|(?<!\r)\n")
"""An octet that no head holds, or half a line ending."""
UNSAFE: Final = ""
"""Stands for all names that WSGI could not tell from others."""
USUAL_NAME: Final = 64
"""Characters of a name whose spelling is remembered; what is remembered stays small."""
WITHOUT_PREFIX: Final = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE"})
"""Fields that WSGI names without HTTP_."""
_ONCE: Final = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"})


def parse(text: str) -> RequestHead:
    """Read a head.

    Args:
        text: from the request line to the empty line, both included; a character for each byte (latin-1).

    Raises:
        BadHttp, TargetTooLong, HeadersTooLarge, NotImplementedHttp, HttpVersionRefused: it is not one we serve.
    """
    line = _REQUEST_LINE.match(text)
    if line is None:
        raise BadHttp(_not_valid("its first line is not METHOD TARGET HTTP/1.1"))
    method, target, version = line.groups()
    if version not in ("1.1", "1.0"):
        raise HttpVersionRefused("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    path, query, authority = _read_target(method, target)
    fields = _read_fields(text, line.end())
    if version == "1.1" and "HTTP_HOST" not in fields:
        raise BadHttp("The request has no Host header.")
    if not _AUTHORITY.fullmatch(fields.get("HTTP_HOST", "")):
        raise BadHttp("The Host header is malformed.")
    coding = fields.pop("HTTP_TRANSFER_ENCODING", None)
    if coding is not None:
        _check_coding(coding, version, fields)
    return RequestHead(
        method,
        target,
        path,
        query,
        authority,
        version,
        fields,
        body_length(fields),
        coding is not None,
        _is_persistent(fields.get("HTTP_CONNECTION", ""), version),
        version == "1.1" and fields.get("HTTP_EXPECT", "").lower() == "100-continue",
    )


def _read_target(method: str, target: str) -> tuple[str, str, str | None]:
    """Path, query and authority (RFC 9112 section 3.2)."""
    if len(target) > MAX_TARGET:
        raise TargetTooLong(f"The request target is longer than {MAX_TARGET // 1024} KiB.")
    if method not in METHODS:
        raise NotImplementedHttp("This method is not one of HTTP's, whose names are in capitals, or not served here.")
    authority = None
    found = _ORIGIN_FORM.fullmatch(target)
    if found is None:
        if target == "*" and method == "OPTIONS":
            return "*", "", None
        found = _ABSOLUTE_FORM.fullmatch(target)
        if found is None or not found[1] or not _AUTHORITY.fullmatch(found[1]):
            raise BadHttp(_not_valid("its target is neither a path nor an address, both percent-encoded"))
        authority = found[1]
    path, query = found.groups()[-2:]
    if "%" in target and _BAD_ESCAPE.search(target):
        raise BadHttp(_not_valid("a percent sign in its target is not followed by two hexadecimal digits"))
    return path or "/", query or "", authority


def _read_fields(text: str, start: int) -> dict[str, str]:
    lines = FIELD.findall(text, start)
    # Each match ends a line and begins one. As many as there are ends: nothing stands between them.
    if len(lines) != text.count("\n", start) - 1:
        raise BadHttp(_not_valid("a header line is not a name, a colon and a value, all on one line"))
    if len(lines) > MAX_FIELDS:
        raise HeadersTooLarge(f"There are more than {MAX_FIELDS} header lines.")
    fields: dict[str, str] = {}
    for name, value in lines:
        key = _key(name) if len(name) <= USUAL_NAME else _spelled(name)
        if key not in fields:
            fields[key] = value.strip(" \t")
        elif key in _ONCE:
            raise BadHttp(_not_valid(f"there is more than one {name.title()}"))
        else:
            fields[key] += ", " + value.strip(" \t")
    fields.pop(UNSAFE, None)
    return fields


def _spelled(name: str) -> str:
    if "_" in name:
        return UNSAFE
    spelled = name.upper().replace("-", "_")
    return spelled if spelled in WITHOUT_PREFIX else f"HTTP_{spelled}"


_key = lru_cache(maxsize=256)(_spelled)
"""Clients send the same names again and again."""


def _check_coding(coding: str, version: str, fields: dict[str, str]) -> None:
    """RFC 9112 sections 6.1 and 6.3: one coding, chunked, once, in HTTP/1.1, without a Content-Length."""
    if version != "1.1":
        raise BadHttp(_not_valid("Transfer-Encoding came with HTTP/1.0"))
    if "CONTENT_LENGTH" in fields:
        raise BadHttp(_not_valid("there are both Transfer-Encoding and Content-Length"))
    codings = [each.strip(" \t") for each in coding.lower().split(",")]
    if codings[-1] != "chunked" or codings.count("chunked") > 1:
        raise BadHttp(_not_valid("its Transfer-Encoding does not end in chunked, once"))
    if len(codings) > 1:
        raise NotImplementedHttp("Transfer-Encoding other than chunked is not supported.")


def body_length(fields: Mapping[str, str]) -> int:
    """What Content-Length says, 0 without one. Raises BadHttp."""
    digits = fields.get("CONTENT_LENGTH")
    if digits is None:
        return 0
    if not (digits.isascii() and digits.isdigit()):
        raise BadHttp(_not_valid("its Content-Length is not a number"))
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= MAX_LENGTH_DIGITS else UNBOUNDED


def _is_persistent(connection: str, version: str) -> bool:
    if not connection:
        return version == "1.1"
    options = [each.strip(" \t") for each in connection.lower().split(",")]
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def _not_valid(why: str) -> str:
    return f"The request is not valid HTTP/1.1: {why}."


class HeadReader:
    """Collects the bytes of one head. How they are cut makes no difference to what comes out.

    Args:
        read: reads the head, as `parse` does.
    """

    def __init__(self, read: Callable[[str], RequestHead] = parse) -> None:
        self._read = read
        self._held = bytearray()
        self._searched = 0
        self._empty_lines = 0

    @property
    def has_request_line(self) -> bool:
        """Whether that much has come."""
        return b"\r\n" in self._held

    @property
    def is_head_request(self) -> bool:
        """Whether the method is HEAD, also where the rest was refused: its answer has no body."""
        return self._held.startswith(b"HEAD ")

    def feed(self, data: bytes) -> tuple[RequestHead, int] | None:
        """Take what came.

        Args:
            data: the next bytes.

        Returns:
            The head and how many bytes of `data` belong to it; None where it is not complete.

        Raises:
            BadHttp, TargetTooLong, HeadersTooLarge, NotImplementedHttp, HttpVersionRefused: as soon as it is clear.
        """
        held = self._held
        held += data
        if held.startswith(b"\r"):
            self._skip_empty_lines()
        end = held.find(_END, max(0, self._searched - 3)) + len(_END)
        if end < len(_END):
            self._check_unfinished()
            return None
        if end > MAX_HEAD:
            raise self._too_large()
        try:
            head = self._read(str(memoryview(held)[:end], "latin-1"))
        except GatewayError:
            self._check_octets(0, end)  # the reason that is told however the bytes are cut
            raise
        self._held = bytearray()  # what came behind the head belongs to the body
        return head, len(data) - (len(held) - end)

    def _skip_empty_lines(self) -> None:
        while self._held.startswith(b"\r\n"):
            del self._held[:2]
            self._searched = 0
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise BadHttp(_not_valid("there are too many empty lines before it"))

    def _check_unfinished(self) -> None:
        self._check_octets(max(0, self._searched - 1), MAX_HEAD)
        if len(self._held) > MAX_HEAD:
            raise self._too_large()
        self._searched = len(self._held)

    def _check_octets(self, start: int, end: int) -> None:
        if _STRAY.search(self._held, start, end):
            raise BadHttp(_not_valid("there is a control character or half a line ending in its head"))

    def _too_large(self) -> GatewayError:
        self._check_octets(0, MAX_HEAD)
        if self._held.find(b"\r\n", 0, 2 * MAX_TARGET) < 0:
            return TargetTooLong(f"The request target is longer than {MAX_TARGET // 1024} KiB.")
        return HeadersTooLarge(f"The request line and headers are larger than {MAX_HEAD // 1024} KiB.")
