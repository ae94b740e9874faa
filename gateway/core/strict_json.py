"""JSON from outside, read strictly; JSON of ours, written strictly.

This is the one place that parses or prints JSON, so that what is not JSON (NaN, a lone surrogate, invalid UTF-8) and
what is JSON only to do harm (a million brackets, a number of a thousand digits) stops here and no floor above has to
think of it. It knows no field names: what a value must look like is said by the wires and stores that read it.

Source: RFC 8259. Integers are kept to 64 bits, signed or unsigned, because beyond that readers differ (section 6).
"""

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
_Container: TypeAlias = "list[JsonValue] | JsonObject"

MAX_DEPTH: Final = 128
"""Levels of arrays and objects. Real chat requests stay under 20 (nested JSON schemas of tools)."""

MAX_CONTAINERS: Final = 2_000_000
"""Opening brackets in one text, those in strings included. Each may become 80 bytes, and all threads wait meanwhile: 32
MiB of `[],` took 900 MB and three seconds. The probabilities of 20,000 tokens, 20 others each, have 900,000."""

SHORT: Final = 4_096
"""Bytes up to which counting the brackets is less than looking at the value."""

_TEXT: Final = msgspec.json.Decoder(str)
_BOM: Final = b"\xef\xbb\xbf"
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_DIGITS_AS_ZERO: Final = bytes(ord("0") if chr(byte) in "0123456789" else 0 for byte in range(256))
_LONG_NUMBER: Final = b"0" * len(str(2**63))
_SAMPLED_NUMBER: Final = b"0" * (len(_LONG_NUMBER) // 6)
_MALFORMED: Final = re.compile(r"JSON is malformed: (?P<reason>.+) \(byte (?P<position>\d+)\)")
_HIGH_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]")


class JsonFault(ValueError):
    """The text is not JSON that is accepted here.

    Args:
        message: what is wrong, as the second half of a sentence; quotes nothing of the text.
        position: the byte where it was noticed, from 0, if known.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (byte {position})")
        self.position = position


def loads(text: bytes, *, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Read a JSON text in UTF-8; a byte order mark is tolerated, of a repeated key the last value counts.

    Args:
        text: the whole text.
        max_depth: levels of arrays and objects that are accepted.

    Raises:
        JsonFault: for any text that is not acceptable; nothing else is raised.
    """
    start = len(_BOM) if text.startswith(_BOM) else 0
    body = text[start:] if start else text
    # a look at all bytes of a large text costs as much as reading it, so only one is taken that can find something
    if len(body) > MAX_CONTAINERS and body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise JsonFault(f"more than {MAX_CONTAINERS} arrays and objects")
    try:
        value: JsonValue = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise _explain(fault, body, start) from None
    if len(body) > SHORT or body.count(b"[") + body.count(b"{") > max_depth:
        _check_depth(value, max_depth)
    if _may_have_long_number(body):
        _check_integers(value)
    return value


def loads_text(inner: bytes) -> str:
    """Read what stands between the quotation marks of a JSON string, in UTF-8.

    Raises:
        JsonFault: it is no such thing; nothing else is raised.
    """
    try:
        return _TEXT.decode(b'"%b"' % inner)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise JsonFault("not the inside of a string") from None


def dumps(value: JsonValue) -> bytes:
    """Write a value as compact JSON in UTF-8. Always JSON: a lone surrogate in a string becomes U+FFFD, and a float
    that is not finite, which no value from `loads` holds, becomes null."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return _without_surrogates(value)


def as_object(value: JsonValue) -> JsonObject:
    """The value, where it must be a JSON object.

    Raises:
        JsonFault: it is anything else.
    """
    if isinstance(value, dict):
        return value
    raise JsonFault("a JSON object was expected")


def fits(value: int) -> bool:
    """Whether it fits into 64 bits, signed or unsigned."""
    return _SMALLEST <= value <= _LARGEST


def _may_have_long_number(body: bytes) -> bool:
    """Whether there are as many digits in a row as an integer of more than 64 bits has. Of 19 bytes in a row at least
    three are among every sixth, so mostly a sixth of the text is looked at."""
    return _SAMPLED_NUMBER in body[::6].translate(_DIGITS_AS_ZERO) and _LONG_NUMBER in body.translate(_DIGITS_AS_ZERO)


def _levels(value: JsonValue) -> Iterator[list[_Container]]:
    """The arrays and objects in the value, level by level, without recursion: text from outside must not choose our
    stack's depth."""
    level = [value] if isinstance(value, (dict, list)) else []
    while level:
        yield level
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]


def _check_depth(value: JsonValue, max_depth: int) -> None:
    if any(depth == max_depth for depth, _ in enumerate(_levels(value))):
        raise _too_deep(max_depth)


def _check_integers(value: JsonValue) -> None:
    holders = [[value], *(node for level in _levels(value) for node in level)]
    leaves = (leaf for node in holders for leaf in (node.values() if isinstance(node, dict) else node))
    if any(type(leaf) is int and not fits(leaf) for leaf in leaves):
        raise JsonFault("an integer does not fit into 64 bits")


def _too_deep(max_depth: int) -> JsonFault:
    return JsonFault(f"nested deeper than {max_depth} levels")


def _explain(fault: Exception, body: bytes, start: int) -> JsonFault:
    """Our words for what msgspec found; `start` is where `body` begins in the text."""
    if isinstance(fault, UnicodeDecodeError):
        return JsonFault("not valid UTF-8")  # its position counts from the begin of the string, wherever that is
    if isinstance(fault, msgspec.ValidationError):
        return JsonFault("a number is out of range")
    if found := _MALFORMED.fullmatch(str(fault)):
        return JsonFault(found["reason"], start + int(found["position"]))
    if _HIGH_SURROGATE.search(body):  # msgspec calls both "truncated"
        return JsonFault("a \\u escape lacks the second half of its surrogate pair, or the text ends too early")
    return JsonFault("the text ends too early", start + len(body))


def _without_surrogates(value: JsonValue) -> bytes:
    """Through UTF-16, where two halves that stand side by side become the character they are."""
    # json writes NaN, which is not JSON; what it does not know is a msgspec.Raw, a piece of JSON as it was written
    finite = json.loads(json.dumps(value, default=msgspec.json.decode), parse_constant=lambda _: None)
    text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
